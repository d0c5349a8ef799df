//! The list of a server's open sockets.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::event_loop::WeakLoopHandle;
use crate::runtime::sync::{Mutex, MutexGuard};
use crate::session::Traffic;
use crate::socket::connection_count::ThreadCount;
use crate::types::limit::LimitReached;

/// The sockets that were taken from a server and have not disconnected.
///
/// It holds them weakly: each removes itself at its end. `S` is the state that the handles of a
/// socket share; it contains a [`Membership`], so the list does not import it.
pub(crate) struct ClientList<S> {
    registry: Mutex<Registry<S>>,
    /// The loop on which the sockets live.
    event_loop: WeakLoopHandle,
    /// Counts the sockets, taken or not, of a server with threads.
    count: Option<Arc<ThreadCount>>,
    traffic: Traffic,
    /// Values that sockets hold until their end, by the address of their state.
    held: Mutex<HashMap<usize, Box<dyn Any + Send>>>,
    /// Whether any was ever held.
    has_held: AtomicBool,
    limit_reporter: OnceLock<LimitReporter>,
}

/// A call that reports a limit that a socket has reached.
pub(crate) type LimitReporter = Box<dyn Fn(LimitReached) + Send + Sync>;

#[derive(Debug)]
struct Registry<S> {
    sockets: Places<S>,
    /// The tasks that wait until the list is empty.
    waiting: Vec<Waker>,
    keepalive_interval: Option<Duration>,
    /// The keepalive task runs.
    has_keepalive_task: bool,
    /// The keepalive task, while it waits for its next check.
    keepalive_task: Option<Waker>,
}

/// The sockets by their places.
///
/// A place is one word, half of an entry of a slab, as connections are many.
#[derive(Debug)]
struct Places<S> {
    sockets: Vec<Option<Weak<S>>>,
    free: Vec<u32>,
}

/// The place of a socket in the list of its server.
pub(crate) struct Membership<S> {
    /// None for a client.
    clients: Option<Arc<ClientList<S>>>,
    place: AtomicU32,
}

impl<S> ClientList<S> {
    pub(crate) fn new(
        event_loop: WeakLoopHandle,
        keepalive_interval: Option<Duration>,
        count: Option<Arc<ThreadCount>>,
    ) -> Self {
        let registry = Registry {
            sockets: Places { sockets: Vec::new(), free: Vec::new() },
            waiting: Vec::new(),
            keepalive_interval,
            has_keepalive_task: false,
            keepalive_task: None,
        };
        Self {
            registry: Mutex::new(registry),
            event_loop,
            count,
            traffic: Traffic::default(),
            held: Mutex::default(),
            has_held: AtomicBool::new(false),
            limit_reporter: OnceLock::new(),
        }
    }

    /// Adds a socket; returns whether the keepalive task has to be started.
    pub(crate) fn insert_member(&self, socket: &Arc<S>, membership: &Membership<S>) -> bool {
        let mut registry = self.lock();
        let place = registry.sockets.insert(Arc::downgrade(socket));
        if !membership.enter(place) {
            registry.sockets.remove(place);
        }
        registry.needs_keepalive_task()
    }

    /// Returns the counts of a part of a server with threads.
    pub(crate) fn count(&self) -> Option<&Arc<ThreadCount>> {
        self.count.as_ref()
    }

    /// Returns the counters of all sockets, also of those that have disconnected.
    pub(crate) fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Sets the call that reports limits, unless there is one.
    pub(crate) fn report_limits(&self, reporter: impl FnOnce() -> LimitReporter) {
        self.limit_reporter.get_or_init(reporter);
    }

    /// Holds a value until the end of a socket was noted.
    pub(crate) fn hold_for(&self, socket: &Arc<S>, value: Box<dyn Any + Send>) {
        self.has_held.store(true, Ordering::Relaxed);
        self.held.lock().insert(Arc::as_ptr(socket).addr(), value);
    }

    /// Returns the sockets, in no particular order.
    pub(crate) fn members<T>(&self, handle: impl Fn(Arc<S>) -> T) -> Vec<T> {
        let registry = self.lock();
        let mut members = Vec::with_capacity(registry.sockets.len());
        let sockets = registry.sockets.sockets.iter().flatten().filter_map(Weak::upgrade);
        members.extend(sockets.map(handle));
        members
    }

    /// Returns a batch of the sockets, and the index of the next batch.
    pub(crate) fn some_members<T>(
        &self,
        start: usize,
        handle: impl Fn(Arc<S>) -> T,
    ) -> Option<(Vec<T>, usize)> {
        let registry = self.lock();
        let rest = registry.sockets.sockets.get(start..).filter(|rest| !rest.is_empty())?;
        let some = rest.iter().take(BATCH).flatten().filter_map(Weak::upgrade);
        Some((some.map(handle).collect(), start.saturating_add(BATCH)))
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().sockets.len()
    }

    /// Sets the interval, and returns what has to follow a change, outside of locks.
    ///
    /// That is whether the keepalive task has to be started, and its waker while it waits.
    pub(crate) fn set_keepalive_interval(
        &self,
        interval: Option<Duration>,
    ) -> (bool, Option<Waker>) {
        let mut registry = self.lock();
        if mem::replace(&mut registry.keepalive_interval, interval) == interval {
            return (false, None);
        }
        (registry.needs_keepalive_task(), registry.keepalive_task.take())
    }

    /// Waits until the interval has changed.
    pub(crate) fn poll_other_interval(&self, interval: Duration, cx: &Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut registry = self.lock();
        let has_changed = registry.keepalive_interval != Some(interval);
        let unused = if has_changed { Some(waker) } else { registry.keepalive_task.replace(waker) };
        drop(registry);
        drop(unused);
        if has_changed { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Returns the interval for the keepalive task, which ends with `None`.
    pub(crate) fn next_keepalive_interval(&self) -> Option<Duration> {
        let mut registry = self.lock();
        let interval = registry.keepalive_interval.filter(|_| !registry.sockets.is_empty());
        registry.has_keepalive_task = interval.is_some();
        interval
    }

    /// Waits until the list is empty.
    pub(crate) fn poll_empty(&self, cx: &Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut registry = self.lock();
        let is_empty = registry.sockets.is_empty();
        // Two tasks at the most: a shutdown of the server, and one of the whole or its threads.
        let is_known = registry.waiting.iter().any(|waiting| waiting.will_wake(&waker));
        let unused = if is_empty || is_known {
            Some(waker)
        } else {
            registry.waiting.push(waker);
            None
        };
        drop(registry);
        drop(unused);
        if is_empty { Poll::Ready(()) } else { Poll::Pending }
    }

    fn remove(&self, place: u32) {
        let mut registry = self.lock();
        let removed = registry.sockets.remove(place);
        let is_empty = registry.sockets.is_empty();
        let waiting = if is_empty { mem::take(&mut registry.waiting) } else { Vec::new() };
        drop(registry);
        drop(removed);
        waiting.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, Registry<S>> {
        self.registry.lock()
    }
}

impl<S> fmt::Debug for ClientList<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientList").finish_non_exhaustive()
    }
}

impl<S> Registry<S> {
    fn needs_keepalive_task(&mut self) -> bool {
        let needs_keepalive_task = !self.has_keepalive_task
            && self.keepalive_interval.is_some()
            && !self.sockets.is_empty();
        self.has_keepalive_task |= needs_keepalive_task;
        needs_keepalive_task
    }
}

impl<S> Places<S> {
    /// Adds a socket, and returns its place.
    fn insert(&mut self, socket: Weak<S>) -> u32 {
        if let Some(place) = self.free.pop()
            && let Some(free) = self.sockets.get_mut(place as usize)
        {
            *free = Some(socket);
            return place;
        }
        self.sockets.push(Some(socket));
        u32::try_from(self.sockets.len() - 1).unwrap_or(LEFT)
    }

    /// Empties a place, and returns the socket that had it.
    fn remove(&mut self, place: u32) -> Option<Weak<S>> {
        let removed = self.sockets.get_mut(place as usize)?.take()?;
        self.free.push(place);
        Some(removed)
    }

    fn len(&self) -> usize {
        self.sockets.len() - self.free.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<S> Membership<S> {
    pub(crate) fn new(clients: Option<Arc<ClientList<S>>>) -> Self {
        Self { clients, place: AtomicU32::new(NOT_ENTERED) }
    }

    /// Returns the loop on which the socket lives; `None` for a client.
    pub(crate) fn event_loop(&self) -> Option<WeakLoopHandle> {
        self.clients.as_ref().map(|clients| clients.event_loop.clone())
    }

    /// Returns the counters of the socket's server; `None` for a client.
    #[inline]
    pub(crate) fn traffic(&self) -> Option<&Traffic> {
        self.clients.as_ref().map(|clients| &clients.traffic)
    }

    /// Sets the socket's place, unless it has one or has left.
    fn enter(&self, place: u32) -> bool {
        let entered =
            self.place.compare_exchange(NOT_ENTERED, place, Ordering::AcqRel, Ordering::Acquire);
        entered.is_ok() && place < LEFT
    }

    /// Reports a limit that the socket has reached, to its server.
    pub(crate) fn report_limit(&self, reached: LimitReached) {
        if let Some(report) = self.clients.as_ref().and_then(|clients| clients.limit_reporter.get())
        {
            report(reached);
        }
    }

    /// Drops the value that is held until the end of the socket.
    pub(crate) fn release(&self, socket: &Arc<S>) {
        let Some(clients) = &self.clients else { return };
        if clients.has_held.load(Ordering::Relaxed) {
            let held = clients.held.lock().remove(&Arc::as_ptr(socket).addr());
            drop(held);
        }
    }

    /// Removes the socket for good.
    pub(crate) fn leave(&self) {
        let place = self.place.swap(LEFT, Ordering::AcqRel);
        let Some(clients) = self.clients.as_ref().filter(|_| place != LEFT) else { return };
        if let Some(count) = &clients.count {
            count.remove_socket();
        }
        if place < LEFT {
            clients.remove(place);
        }
    }
}

impl<S> Drop for Membership<S> {
    /// A socket whose loop has ended leaves with its last handle.
    fn drop(&mut self) {
        self.leave();
    }
}

/// The number of sockets in one batch.
const BATCH: usize = 64;
/// Not in the list yet.
const NOT_ENTERED: u32 = u32::MAX;
/// Not in the list any more.
const LEFT: u32 = u32::MAX - 1;
