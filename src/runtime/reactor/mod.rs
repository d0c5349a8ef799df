//! Readiness of the sockets of one thread, on mio: one reactor per event loop.
//!
//! A socket is registered once, edge-triggered for both directions; there is no re-arming system
//! call. An event sets the readiness of its [`Source`] and wakes the task that owns it. The owner
//! clears the readiness when the kernel returned "would block" or, where an edge follows a short
//! read or write as well, less than was asked for.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::{Duration, Instant};

use mio::event;
use mio::{Events, Interest, Poll, Registry, Token};
use slab::Slab;

use crate::runtime::memory_budget::Budget;
use crate::runtime::reactor::source::SharedState;

mod source;

pub(crate) use source::{Registration, Source};

/// Polls the sockets of one thread.
pub(crate) struct Reactor {
    poll: RefCell<Poll>,
    registry: Registry,
    events: RefCell<Events>,
    sources: RefCell<Slab<Arc<Source>>>,
    shared: Arc<SharedState>,
    waker: Arc<mio::Waker>,
    /// Tasks with more to do, which are woken after the next poll.
    later: RefCell<Vec<Waker>>,
    unused: Cell<Option<Unused>>,
}

impl Reactor {
    /// Returns the reactor of this thread, made at first use.
    ///
    /// At the thread's very end it is a new one, which is never polled.
    ///
    /// # Errors
    ///
    /// When the operating system refuses a poll descriptor.
    pub(crate) fn current() -> io::Result<Rc<Self>> {
        let current = REACTOR.try_with(|current| {
            if let Some(reactor) = &*current.borrow() {
                return Ok(Rc::clone(reactor));
            }
            let reactor = Rc::new(Self::new()?);
            *current.borrow_mut() = Some(Rc::clone(&reactor));
            Ok(reactor)
        });
        current.unwrap_or_else(|_| Ok(Rc::new(Self::new()?)))
    }

    fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(mio::Waker::new(poll.registry(), WAKE)?);
        Ok(Self {
            registry: poll.registry().try_clone()?,
            poll: RefCell::new(poll),
            events: RefCell::new(Events::with_capacity(EVENTS_PER_WAIT)),
            sources: RefCell::default(),
            shared: Arc::default(),
            waker,
            later: RefCell::default(),
            unused: Cell::default(),
        })
    }

    /// Returns the waker that ends a running [`wait`](Self::wait) from any thread.
    ///
    /// Each wake-up costs one system call.
    pub(crate) fn waker(&self) -> Arc<mio::Waker> {
        Arc::clone(&self.waker)
    }

    /// Watches `socket` until the registration is dropped.
    pub(crate) fn register(&self, socket: &mut impl event::Source) -> io::Result<Registration> {
        let registration = self.reserve()?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        // A registration that is refused is dropped, and frees its place.
        self.registry.register(socket, registration.token(), interest)?;
        Ok(registration)
    }

    /// Makes a registration; its owner adds the source to the registry.
    pub(crate) fn reserve(&self) -> io::Result<Registration> {
        self.sweep();
        let key = self.sources.borrow().vacant_key();
        let source = Source::new(u32::try_from(key).map_err(io::Error::other)?, &self.shared);
        let source = Arc::new(source);
        self.sources.borrow_mut().insert(Arc::clone(&source));
        Ok(Registration::new(source))
    }

    /// Returns the memory budget of the connections of this thread.
    pub(crate) fn budget(&self) -> &Budget {
        &self.shared.budget
    }

    /// Returns mio's registry; other loops can poll its descriptor.
    #[cfg(unix)]
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Waits for events, at most `timeout` (`None`: without end).
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.sweep();
        let timeout = if self.has_later() { Some(Duration::ZERO) } else { timeout };
        let timeout = self.free_unused(timeout).map(|timeout| timeout.min(LONGEST_WAIT));
        match self.poll.borrow_mut().poll(&mut self.events.borrow_mut(), timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            result => result,
        }
    }

    /// Frees what was not used for a while, or lets the wait end when that is due.
    fn free_unused(&self, timeout: Option<Duration>) -> Option<Duration> {
        let Some(Unused { used_at, free }) = self.unused.get() else { return timeout };
        let left = KEPT_FOR.saturating_sub(used_at.elapsed());
        if left.is_zero() {
            self.unused.set(None);
            free();
            return timeout;
        }
        Some(timeout.map_or(left, |timeout| timeout.min(left)))
    }

    /// Wakes the tasks of the last wait's events, then those of [`wake_later`].
    pub(crate) fn wake_tasks(&self) {
        let sources = self.sources.borrow();
        for event in self.events.borrow().iter() {
            if let Some(source) = sources.get(event.token().0) {
                source.handle_event(event);
            }
        }
        drop(sources);
        if self.has_later() {
            self.wake_later_tasks();
        }
    }

    fn wake_later_tasks(&self) {
        let mut later = self.later.take();
        later.drain(..).for_each(Waker::wake);
        // The allocation is used again; tasks that were added meanwhile stay.
        let added = self.later.replace(later);
        self.later.borrow_mut().extend(added);
    }

    /// Returns whether tasks are to be woken at the next wait.
    pub(crate) fn has_later(&self) -> bool {
        !self.later.borrow().is_empty()
    }

    /// Removes the sources of dropped registrations.
    fn sweep(&self) {
        let has_released = &self.shared.has_released;
        if has_released.load(Ordering::Relaxed) && has_released.swap(false, Ordering::Acquire) {
            let mut keys = self.shared.released_keys.lock();
            let mut sources = self.sources.borrow_mut();
            for key in keys.drain(..) {
                sources.try_remove(key as usize);
            }
        }
    }

    /// Returns how many sockets are watched.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.sweep();
        self.sources.borrow().len()
    }
}

/// Wakes a task of this thread that has more to do, but only after the next poll.
///
/// Tasks that became ready meanwhile run before it. A task that woke itself would run again before
/// the poll.
pub(crate) fn wake_later(waker: &Waker) {
    let later = waker.clone();
    match Reactor::current() {
        Ok(reactor) => reactor.later.borrow_mut().push(later),
        Err(_) => waker.wake_by_ref(),
    }
}

/// Lets this thread's loop call `free` a second after the last call of this.
///
/// For buffers that are kept for the next message: they are freed when there is none.
pub(crate) fn free_when_unused(free: fn()) {
    if let Ok(reactor) = Reactor::current() {
        reactor.unused.set(Some(Unused { used_at: Instant::now(), free }));
    }
}

/// The last use of what is kept for a while, and the call that frees it.
#[derive(Clone, Copy)]
struct Unused {
    used_at: Instant,
    free: fn(),
}

impl Source {
    /// Returns whether the reactor of the calling thread watches the socket.
    pub(crate) fn is_of_this_thread(&self) -> bool {
        let is_own = |reactor: &Rc<Reactor>| Arc::ptr_eq(&reactor.shared, &self.shared);
        REACTOR.try_with(|reactor| reactor.borrow().as_ref().is_some_and(is_own)).unwrap_or(false)
    }
}

thread_local! {
    static REACTOR: RefCell<Option<Rc<Reactor>>> = const { RefCell::new(None) };
}

/// The maximum number of events of one wait; the next wait returns the rest.
const EVENTS_PER_WAIT: usize = 1024;
/// How long after its last use a buffer is kept for the next one.
const KEPT_FOR: Duration = Duration::from_secs(1);
/// The maximum timeout of one poll: epoll counts milliseconds, in 32 bits.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);
/// No socket has this token: the slab's keys count up from 0.
const WAKE: Token = Token(usize::MAX);

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::testing::Count;

    fn pair() -> io::Result<(mio::net::TcpStream, std::net::TcpStream)> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let peer = std::net::TcpStream::connect(listener.local_addr()?)?;
        let (stream, _) = listener.accept()?;
        stream.set_nonblocking(true)?;
        Ok((mio::net::TcpStream::from_std(stream), peer))
    }

    #[test]
    fn wakes_the_owner_when_bytes_arrive() -> io::Result<()> {
        let reactor = Reactor::current()?;
        let (mut stream, mut peer) = pair()?;
        let registration = reactor.register(&mut stream)?;
        let count = Arc::new(Count::default());
        registration.source().set_waker(&Arc::clone(&count).into());

        peer.write_all(b"x")?;
        while !registration.source().is_readable() {
            reactor.wait(Some(Duration::from_secs(5)))?;
            reactor.wake_tasks();
        }

        assert!(count.get() >= 1);
        assert!(!registration.source().is_read_closed());
        Ok(())
    }

    #[test]
    fn a_dropped_registration_leaves_no_source_and_no_waker() -> io::Result<()> {
        let reactor = Reactor::current()?;
        let (mut stream, _peer) = pair()?;
        let registration = reactor.register(&mut stream)?;
        let count = Arc::new(Count::default());
        registration.source().set_waker(&Arc::clone(&count).into());
        assert_eq!(reactor.len(), 1);

        std::thread::spawn(move || drop(registration)).join().unwrap();

        assert_eq!(reactor.len(), 0);
        assert_eq!(Arc::strong_count(&count), 1);
        Ok(())
    }

    #[test]
    fn frees_what_was_kept_and_not_used_again() -> io::Result<()> {
        thread_local! { static FREED: Cell<u32> = const { Cell::new(0) } }
        let reactor = Reactor::current()?;

        free_when_unused(|| FREED.set(FREED.get() + 1));
        while FREED.get() == 0 {
            reactor.wait(Some(KEPT_FOR * 2))?;
            reactor.wait(Some(Duration::ZERO))?;
        }

        reactor.wait(Some(Duration::ZERO))?;
        assert_eq!(FREED.get(), 1);
        assert!(reactor.unused.get().is_none());
        Ok(())
    }
}
