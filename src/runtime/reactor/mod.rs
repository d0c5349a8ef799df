//! Tells tasks when their sockets can be read or written: one reactor per event loop, on mio.
//!
//! A socket is registered once, edge-triggered for both directions; there is no re-arming system
//! call. An event sets the readiness of its [`Source`] and wakes the task that owns it. The owner
//! clears the readiness when the kernel said "would block" or, where an edge follows that as well,
//! gave less than asked for.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::Waker;
use std::time::{Duration, Instant};

use mio::event;
use mio::{Events, Interest, Poll, Registry, Token};
use slab::Slab;

use crate::runtime::memory_budget::{Budget, Holder};
use crate::runtime::sync::Mutex;

/// Polls the sockets of one thread.
pub(crate) struct Reactor {
    poll: RefCell<Poll>,
    registry: Registry,
    events: RefCell<Events>,
    sources: RefCell<Slab<Arc<Source>>>,
    released: Arc<Released>,
    waker: Arc<mio::Waker>,
    /// Tasks with more to do, which wait until everybody else was asked.
    later: RefCell<Vec<Waker>>,
    spare: Cell<Option<Spare>>,
}

impl Reactor {
    /// Returns the reactor of this thread, made at first use.
    ///
    /// At the thread's very end it is a new one, which nobody will poll.
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
            released: Arc::default(),
            waker,
            later: RefCell::default(),
            spare: Cell::default(),
        })
    }

    /// Returns what ends a running [`wait`](Self::wait) from any thread, at one system call.
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

    /// Makes a registration for a source that its owner adds to the [`registry`](Self::registry),
    /// and takes away from there.
    pub(crate) fn reserve(&self) -> io::Result<Registration> {
        self.sweep();
        let key = self.sources.borrow().vacant_key();
        let source = Source::new(u32::try_from(key).map_err(io::Error::other)?, &self.released);
        let source = Arc::new(source);
        self.sources.borrow_mut().insert(Arc::clone(&source));
        Ok(Registration { source })
    }

    /// Returns what counts the memory that the connections of this thread hold.
    pub(crate) fn budget(&self) -> &Budget {
        &self.released.budget
    }

    /// Returns what decides which events are waited for; its descriptor can be polled by others.
    #[cfg(unix)]
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Waits for events, at most `timeout` (`None`: without end).
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.sweep();
        let timeout = if self.has_later() { Some(Duration::ZERO) } else { timeout };
        let timeout = self.until_spare_time(timeout).map(|timeout| timeout.min(LONGEST_WAIT));
        match self.poll.borrow_mut().poll(&mut self.events.borrow_mut(), timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            result => result,
        }
    }

    /// Gives up what was not used for a while, or lets the wait end when that is due.
    fn until_spare_time(&self, timeout: Option<Duration>) -> Option<Duration> {
        let Some(Spare { used_at, give_up }) = self.spare.get() else { return timeout };
        let left = SPARE_TIME.saturating_sub(used_at.elapsed());
        if left.is_zero() {
            self.spare.set(None);
            give_up();
            return timeout;
        }
        Some(timeout.map_or(left, |timeout| timeout.min(left)))
    }

    /// Wakes the tasks that the events of the last [`wait`](Self::wait) concern, and then those
    /// that were to be woken later.
    pub(crate) fn wake_tasks(&self) {
        let sources = self.sources.borrow();
        for event in self.events.borrow().iter() {
            if let Some(source) = sources.get(event.token().0) {
                source.notice(event);
            }
        }
        drop(sources);
        let mut later = self.later.take();
        later.drain(..).for_each(Waker::wake);
        // The allocation is used again, unless somebody was added meanwhile.
        let added = self.later.replace(later);
        self.later.borrow_mut().extend(added);
    }

    /// Returns whether tasks are to be woken at the next wait.
    pub(crate) fn has_later(&self) -> bool {
        !self.later.borrow().is_empty()
    }

    /// Forgets the sockets whose registration was dropped.
    fn sweep(&self) {
        if self.released.any.swap(false, Ordering::Acquire) {
            let mut keys = self.released.keys.lock();
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

/// Wakes a task of this thread that has more to do, but only after the next poll: whoever became
/// ready meanwhile comes before it. A task that woke itself would be run again before the poll.
pub(crate) fn wake_later(waker: &Waker) {
    let later = waker.clone();
    match Reactor::current() {
        Ok(reactor) => reactor.later.borrow_mut().push(later),
        Err(_) => waker.wake_by_ref(),
    }
}

/// Lets this thread's loop call `give_up` once it was not told so for a second: what is kept for
/// the next message is to go when there is none.
pub(crate) fn keep_a_while(give_up: fn()) {
    if let Ok(reactor) = Reactor::current() {
        reactor.spare.set(Some(Spare { used_at: Instant::now(), give_up }));
    }
}

/// What is kept for the next use of it, for a while.
#[derive(Clone, Copy)]
struct Spare {
    used_at: Instant,
    give_up: fn(),
}

/// What is known of one socket: what can be done with it, and which task to wake.
pub(crate) struct Source {
    readiness: AtomicU8,
    key: u32,
    waker: Mutex<Option<Waker>>,
    released: Arc<Released>,
}

impl Source {
    /// A new socket can be written at once; that it can be read, an event will tell.
    fn new(key: u32, released: &Arc<Released>) -> Self {
        let readiness = AtomicU8::new(WRITABLE | AFTER_SHORT);
        Self { readiness, key, waker: Mutex::default(), released: Arc::clone(released) }
    }

    fn notice(&self, event: &event::Event) {
        let mut ready = 0;
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            ready |= READABLE;
        }
        if event.is_writable() || event.is_write_closed() || event.is_error() {
            ready |= WRITABLE;
        }
        if event.is_read_closed() || event.is_error() {
            ready |= READ_CLOSED;
        }
        self.set_ready(ready);
    }

    /// Notes what has become ready.
    fn set_ready(&self, ready: u8) {
        // An edge in a direction that is known to be ready is no news, nobody waits for it.
        let before = self.readiness.fetch_or(ready, Ordering::AcqRel);
        if before | ready != before {
            self.wake();
        }
    }

    /// Does what the event of a scripted stream does.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn script_event(&self, is_readable: bool, is_writable: bool, is_end: bool) {
        let bit = |is_set, bit| if is_set { bit } else { 0 };
        self.set_ready(
            bit(is_readable, READABLE) | bit(is_writable, WRITABLE) | bit(is_end, READ_CLOSED),
        );
    }

    /// Does what a selector does that needs a "would block", on any system.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn script_reports_after_would_block(&self) {
        self.readiness.fetch_and(!AFTER_SHORT, Ordering::AcqRel);
    }

    /// Wakes the task that owns the socket.
    #[inline]
    pub(crate) fn wake(&self) {
        if let Some(waker) = &*self.waker.lock() {
            waker.wake_by_ref();
        }
    }

    /// Returns whether the reactor of the calling thread watches the socket.
    pub(crate) fn is_of_this_thread(&self) -> bool {
        let is_own = |reactor: &Rc<Reactor>| Arc::ptr_eq(&reactor.released, &self.released);
        REACTOR.try_with(|reactor| reactor.borrow().as_ref().is_some_and(is_own)).unwrap_or(false)
    }

    /// Names the task to wake from now on.
    pub(crate) fn set_waker(&self, waker: &Waker) {
        let mut current = self.waker.lock();
        match &mut *current {
            Some(current) => current.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// Forgets the task, so that what it holds can be freed.
    pub(crate) fn clear_waker(&self) {
        let waker = self.waker.lock().take();
        drop(waker);
    }

    fn is(&self, what: u8) -> bool {
        self.readiness.load(Ordering::Acquire) & what != 0
    }

    /// Returns whether a read may succeed.
    pub(crate) fn is_readable(&self) -> bool {
        self.is(READABLE)
    }

    /// Returns whether a write may succeed.
    pub(crate) fn is_writable(&self) -> bool {
        self.is(WRITABLE)
    }

    /// Returns whether the peer ended its sending direction: only a read of 0 bytes drains it.
    pub(crate) fn is_read_closed(&self) -> bool {
        self.is(READ_CLOSED)
    }

    /// Returns what counts the memory that the connections of the socket's thread hold.
    pub(crate) fn budget(&self) -> &Arc<Budget> {
        &self.released.budget
    }

    /// Returns whether the connection is to give up memory.
    pub(crate) fn is_condemned(&self) -> bool {
        self.is(CONDEMNED)
    }

    /// The same, and forgets it.
    pub(crate) fn take_condemned(&self) -> bool {
        self.readiness.fetch_and(!CONDEMNED, Ordering::AcqRel) & CONDEMNED != 0
    }

    /// Returns whether an event follows a short read or write, which means then that the kernel has
    /// no more to give or to take. Where none does, only "would block" may clear the readiness.
    #[inline]
    pub(crate) fn reports_after_short(&self) -> bool {
        self.is(AFTER_SHORT)
    }

    /// Notes that nothing is left to read. Only the loop's thread may say so: an event that came
    /// in between would be lost.
    pub(crate) fn clear_readable(&self) {
        self.readiness.fetch_and(!READABLE, Ordering::AcqRel);
    }

    /// Notes that a write may succeed, after something other than an event has made room.
    pub(crate) fn assume_writable(&self) {
        self.readiness.fetch_or(WRITABLE, Ordering::AcqRel);
    }

    /// Notes that the kernel takes no more. Only the loop's thread may say so.
    pub(crate) fn clear_writable(&self) {
        self.readiness.fetch_and(!WRITABLE, Ordering::AcqRel);
    }
}

impl Holder for Source {
    fn condemn(&self) {
        self.set_ready(CONDEMNED);
    }
}

/// A watched socket; dropping it, in any thread, ends the watch.
pub(crate) struct Registration {
    source: Arc<Source>,
}

impl Registration {
    pub(crate) fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Returns what events of this source carry.
    pub(crate) fn token(&self) -> Token {
        Token(self.source.key as usize)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let Source { key, released, .. } = &*self.source;
        self.source.clear_waker();
        released.keys.lock().push(*key);
        released.any.store(true, Ordering::Release);
    }
}

/// What sources of a reactor share: the places whose registration is gone, to be freed by the
/// reactor's own thread, and the budget.
#[derive(Default)]
struct Released {
    any: AtomicBool,
    keys: Mutex<Vec<u32>>,
    budget: Arc<Budget>,
}

thread_local! {
    static REACTOR: RefCell<Option<Rc<Reactor>>> = const { RefCell::new(None) };
}

/// What one wait reports at the most; the rest comes with the next.
const EVENTS_PER_WAIT: usize = 1024;
/// How long after its last use something is kept for the next one.
const SPARE_TIME: Duration = Duration::from_secs(1);
/// The system counts milliseconds, and not many of them: the loop looks again after a longer time.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);
/// No socket has this token: the slab's keys count up from 0.
const WAKE: Token = Token(usize::MAX);
const READABLE: u8 = 1;
const WRITABLE: u8 = 2;
const READ_CLOSED: u8 = 4;
/// No readiness: the connection is to give up memory.
const CONDEMNED: u8 = 16;
/// Set where mio uses epoll or kqueue, in their edge-triggered mode. Its other selectors report a
/// socket again only after a call has failed with `WouldBlock` (see "Portability" of `mio::Poll`).
const AFTER_SHORT: u8 = if cfg!(any(
    target_os = "android",
    target_os = "illumos",
    target_os = "linux",
    target_os = "redox",
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "ios",
    target_os = "macos",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "tvos",
    target_os = "visionos",
    target_os = "watchos",
)) {
    8
} else {
    0
};

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
    fn a_dropped_registration_leaves_no_place_and_no_waker() -> io::Result<()> {
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
    fn gives_up_what_was_kept_and_not_used_again() -> io::Result<()> {
        thread_local! { static GIVEN_UP: Cell<u32> = const { Cell::new(0) } }
        let reactor = Reactor::current()?;

        keep_a_while(|| GIVEN_UP.set(GIVEN_UP.get() + 1));
        while GIVEN_UP.get() == 0 {
            reactor.wait(Some(SPARE_TIME * 2))?;
            reactor.wait(Some(Duration::ZERO))?;
        }

        reactor.wait(Some(Duration::ZERO))?;
        assert_eq!(GIVEN_UP.get(), 1);
        assert!(reactor.spare.get().is_none());
        Ok(())
    }
}
