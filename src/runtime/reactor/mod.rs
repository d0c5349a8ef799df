//! Readiness of the sockets of one thread, on mio: one reactor per event loop.
//!
//! A connected socket is registered once, edge-triggered for its input, and again for both directions
//! after the first write that the kernel has not taken whole; no event is re-armed. An event sets the
//! readiness of its [`Source`] and wakes the task that owns it. The owner clears the readiness when
//! the kernel returned "would block" or, where an edge follows a short read or write as well, less
//! than was asked for.
//!
//! A source may have a number instead: the loop calls the thread's handler of events with it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use mio::event;
use mio::{Events, Interest, Poll, Registry, Token};

use crate::runtime::clock;
use crate::runtime::memory_budget::Budget;
#[cfg(any(target_os = "android", target_os = "linux"))]
use crate::runtime::reactor::alarm::Alarm;
#[cfg(not(any(target_os = "android", target_os = "linux")))]
use crate::runtime::reactor::no_alarm::Alarm;
use crate::runtime::reactor::places::{Chunk, KEY_MASK, PLACES, SharedState};
use crate::runtime::reactor::source::{INPUT_AND_ROOM, Watched};

#[cfg(any(target_os = "android", target_os = "linux"))]
mod alarm;
#[cfg(not(any(target_os = "android", target_os = "linux")))]
mod no_alarm;
mod places;
mod readiness;
mod source;
#[cfg(test)]
mod tests;

pub(crate) use readiness::Readiness;
pub(crate) use source::{Source, SourceHandle};

/// Polls the sockets of one thread.
pub(crate) struct Reactor {
    poll: RefCell<Poll>,
    events: RefCell<Events>,
    chunks: RefCell<Vec<Arc<Chunk>>>,
    shared: Arc<SharedState>,
    waker: Arc<mio::Waker>,
    /// The handler of events, once a source has one.
    event_handler: Cell<Option<fn(u32)>>,
    /// The numbers with which it is to be called.
    ready: RefCell<VecDeque<u32>>,
    /// Tasks with more to do, which are woken after the next poll.
    later: RefCell<Vec<Waker>>,
    unused: Cell<Option<Unused>>,
    /// `None` when the system has or gives none: each wait has a timeout then.
    alarm: Option<Alarm>,
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
        let alarm = Alarm::new(poll.registry()).ok();
        let registry = poll.registry().try_clone()?;
        Ok(Self {
            poll: RefCell::new(poll),
            events: RefCell::new(Events::with_capacity(EVENTS_PER_WAIT)),
            chunks: RefCell::default(),
            shared: Arc::new(SharedState::new(registry)),
            waker,
            event_handler: Cell::default(),
            ready: RefCell::default(),
            later: RefCell::default(),
            unused: Cell::default(),
            alarm,
        })
    }

    /// Returns the waker that ends a running [`wait`](Self::wait) from any thread.
    ///
    /// Each wake-up costs one system call.
    pub(crate) fn waker(&self) -> Arc<mio::Waker> {
        Arc::clone(&self.waker)
    }

    /// Watches the input of `socket` until the source is dropped.
    ///
    /// That it has room is no event: for a new socket that would be one without news, and a turn more
    /// for each connection.
    pub(crate) fn register(&self, socket: &mut impl event::Source) -> io::Result<Source> {
        self.register_for(socket, Interest::READABLE, Watched::Input)
    }

    /// Watches a `socket` that is connecting, which has room once it is connected.
    pub(crate) fn register_connecting(
        &self,
        socket: &mut impl event::Source,
    ) -> io::Result<Source> {
        let source = self.register_for(socket, INPUT_AND_ROOM, Watched::InputAndRoom)?;
        source.clear_writable();
        Ok(source)
    }

    fn register_for(
        &self,
        socket: &mut impl event::Source,
        interest: Interest,
        watched: Watched,
    ) -> io::Result<Source> {
        let mut source = self.reserve()?;
        // The source of a socket that is refused is dropped, and frees its place.
        self.shared.registry.register(socket, source.token(), interest)?;
        source.watched = watched;
        Ok(source)
    }

    /// Makes a source; its owner adds it to the registry.
    pub(crate) fn reserve(&self) -> io::Result<Source> {
        let free = self.shared.free_keys.lock().pop();
        let key = free.map_or_else(|| self.add_chunk(), Ok)?;
        let chunks = self.chunks.borrow();
        let chunk = chunks.get(key as usize / PLACES).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Source::new(chunk, key))
    }

    /// Adds a chunk of places, and returns the key of one of them.
    #[cold]
    fn add_chunk(&self) -> io::Result<u32> {
        let mut chunks = self.chunks.borrow_mut();
        let first_key = chunks.len() * PLACES;
        if first_key + PLACES > KEY_MASK {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let first_key = u32::try_from(first_key).map_err(io::Error::other)?;
        chunks.push(Arc::new(Chunk::new(first_key, &self.shared)));
        let key = self.shared.free_keys.lock().pop();
        key.ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    /// Returns the memory budget of the connections of this thread.
    pub(crate) fn budget(&self) -> &Budget {
        &self.shared.budget
    }

    /// Returns mio's registry; other loops can poll its descriptor.
    #[cfg(unix)]
    pub(crate) fn registry(&self) -> &Registry {
        &self.shared.registry
    }

    /// Waits for events, until `deadline` at the latest (`None`: without end).
    ///
    /// [`wake_tasks`](Self::wake_tasks) handles them, and has to follow.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> io::Result<()> {
        if self.has_ready() {
            return self.look();
        }
        let deadline = self.free_unused(deadline);
        self.poll(self.timeout(deadline))
    }

    /// Looks for events, without waiting for them.
    pub(crate) fn look(&self) -> io::Result<()> {
        self.free_unused(None);
        self.poll(Some(Duration::ZERO))
    }

    fn poll(&self, timeout: Option<Duration>) -> io::Result<()> {
        match self.poll.borrow_mut().poll(&mut self.events.borrow_mut(), timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            result => result,
        }
    }

    /// Returns the timeout of a wait; `None` as well when the alarm ends it in time.
    fn timeout(&self, deadline: Option<Instant>) -> Option<Duration> {
        let deadline = deadline?;
        // The alarm follows the system's clock, not a stopped one.
        let alarm = self.alarm.as_ref().filter(|_| !clock::is_stopped());
        if alarm.is_some_and(|alarm| alarm.is_set_before(deadline)) {
            return None;
        }
        let now = clock::now();
        let timeout = deadline.saturating_duration_since(now).min(LONGEST_WAIT);
        if alarm.is_some_and(|alarm| alarm.set(now, timeout)) {
            return None;
        }
        Some(timeout)
    }

    /// Frees what was not used for a while, or lets the wait end when that is due.
    fn free_unused(&self, deadline: Option<Instant>) -> Option<Instant> {
        let Some(Unused { used_at, free }) = self.unused.get() else { return deadline };
        let due = used_at + KEPT_FOR;
        if due <= clock::now() {
            self.unused.set(None);
            free();
            return deadline;
        }
        Some(deadline.map_or(due, |deadline| deadline.min(due)))
    }

    /// Wakes the tasks of the last wait's events, then those of [`wake_later`].
    ///
    /// Sources with a number wait for [`handle_next`](Self::handle_next).
    pub(crate) fn wake_tasks(&self) {
        let chunks = self.chunks.borrow();
        let mut ready = self.ready.borrow_mut();
        for event in self.events.borrow().iter() {
            if let Some(chunk) = chunks.get((event.token().0 & KEY_MASK) / PLACES) {
                if let Some(number) = chunk.handle_event(event) {
                    ready.push_back(number);
                }
            } else if let Some(alarm) = &self.alarm {
                // An event of the loop's waker has done its work.
                alarm.handle_event(event);
            }
        }
        drop((chunks, ready));
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

    /// Sets the handler of the events of sources with a number.
    pub(crate) fn set_event_handler(&self, handler: fn(u32)) {
        self.event_handler.set(Some(handler));
    }

    /// Calls the handler for the next source that is ready; returns whether one was.
    #[inline]
    pub(crate) fn handle_next(&self) -> bool {
        let next = self.ready.borrow_mut().pop_front();
        if let (Some(number), Some(handle)) = (next, self.event_handler.get()) {
            handle(number);
        }
        next.is_some()
    }

    /// Returns whether events are to be handled, or tasks woken at the next wait.
    pub(crate) fn has_ready(&self) -> bool {
        self.has_later() || !self.ready.borrow().is_empty()
    }

    /// Returns whether tasks are to be woken at the next wait.
    fn has_later(&self) -> bool {
        !self.later.borrow().is_empty()
    }

    /// Acts as an event of a source with this number.
    #[cfg(test)]
    pub(crate) fn make_ready(&self, number: u32) {
        self.ready.borrow_mut().push_back(number);
    }

    /// Returns how many sockets are watched.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.chunks.borrow().len() * PLACES - self.shared.free_keys.lock().len()
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
///
/// Returns false in a thread without a loop, where nothing frees them.
pub(crate) fn free_when_unused(free: fn()) -> bool {
    let is_noted = REACTOR.try_with(|reactor| {
        let reactor = reactor.borrow();
        let Some(reactor) = &*reactor else { return false };
        reactor.unused.set(Some(Unused { used_at: clock::now(), free }));
        true
    });
    is_noted.unwrap_or(false)
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
        let is_own = |reactor: &Rc<Reactor>| Arc::ptr_eq(&reactor.shared, &self.chunk.shared);
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
/// No socket has this token: the keys count up from 0.
const WAKE: Token = Token(usize::MAX);
