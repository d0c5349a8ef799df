//! The parts of a server, one in each of its threads, and the choice among them.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use crate::event_loop::LoopHandle;
use crate::runtime::sync::Mutex;
use crate::server::counters::Counters;
use crate::socket::{Clients, Counted, ServerCount, ThreadCount};

/// The parts of a server; `S` is the state that the handles of a server share.
pub(crate) struct Parts<S> {
    list: Mutex<List<S>>,
    count: Arc<ServerCount>,
    /// Whether connections are handed to the parts: all of them have been set up.
    is_serving: AtomicBool,
    /// Held by connections over the limit of handshakes on their way to threads.
    overflow: Arc<()>,
    /// Of slots of `new_connection` of the whole server, which does not emit it.
    has_warned: AtomicBool,
}

struct List<S> {
    parts: Vec<Arc<Part<S>>>,
    /// Whether threads are being started, or were.
    has_begun: bool,
    /// The index at which the next search begins, so that equal parts take turns.
    next: usize,
}

/// The part of a server in one of its threads.
pub(crate) struct Part<S> {
    pub(crate) event_loop: LoopHandle,
    pub(crate) server: Weak<S>,
    pub(crate) count: Arc<ThreadCount>,
    /// What has been counted remains when the thread has ended.
    pub(crate) counters: Arc<Counters>,
    pub(crate) clients: Arc<Clients>,
    has_ended: AtomicBool,
}

impl<S> Parts<S> {
    /// Returns the parts, if connections are handed to them.
    pub(crate) fn serving(&self) -> Option<&Self> {
        self.is_serving.load(Ordering::Acquire).then_some(self)
    }

    /// Begins the start of threads; returns false when there are some already.
    pub(crate) fn begin(&self) -> bool {
        let mut list = self.list.lock();
        !mem::replace(&mut list.has_begun, true)
    }

    /// Returns the counts of a part that is about to be added.
    pub(crate) fn new_count(&self) -> Arc<ThreadCount> {
        Arc::new(ThreadCount::new(Arc::clone(&self.count)))
    }

    /// Returns the place of a connection over the limit of handshakes.
    ///
    /// `None` when many wait for threads that do not take them.
    pub(crate) fn overflow_place(&self) -> Option<Arc<()>> {
        (Arc::strong_count(&self.overflow) <= MAX_OVERFLOW).then(|| Arc::clone(&self.overflow))
    }

    pub(crate) fn add(&self, part: Arc<Part<S>>) {
        self.list.lock().parts.push(part);
    }

    /// Returns true the first time.
    pub(crate) fn begin_warning(&self) -> bool {
        !self.has_warned.swap(true, Ordering::Relaxed)
    }

    /// Hands connections to the parts from now on.
    pub(crate) fn start_serving(&self) {
        self.is_serving.store(true, Ordering::Release);
    }

    /// Removes the parts of threads of which one could not start.
    pub(crate) fn give_up(&self) {
        let mut list = self.list.lock();
        list.has_begun = false;
        let parts = mem::take(&mut list.parts);
        drop(list);
        drop(parts);
    }

    /// Returns the parts whose threads have not ended.
    pub(crate) fn running(&self) -> Vec<Arc<Part<S>>> {
        let list = self.list.lock();
        list.parts.iter().filter(|part| part.is_running()).map(Arc::clone).collect()
    }

    /// Returns all parts, also those whose threads have ended.
    pub(crate) fn all(&self) -> Vec<Arc<Part<S>>> {
        self.list.lock().parts.clone()
    }

    /// Returns all servers that are still there, those that are being set up included.
    pub(crate) fn servers(&self) -> Vec<Arc<S>> {
        let list = self.list.lock();
        list.parts.iter().filter_map(|part| part.server.upgrade()).collect()
    }

    /// Returns the part with the fewest connections, in which one more is counted.
    ///
    /// The connection is not counted when `max_handshakes` are under way. `None` when all threads
    /// have ended.
    pub(crate) fn choose(
        &self,
        max_handshakes: Option<usize>,
    ) -> Option<(Arc<Part<S>>, Option<Counted>)> {
        let mut list = self.list.lock();
        let (before, after) = list.parts.split_at_checked(list.next)?;
        let in_turn = after.iter().chain(before).filter(|part| part.is_running());
        let chosen = Arc::clone(in_turn.min_by_key(|part| part.count.connections())?);
        let index = list.parts.iter().position(|part| Arc::ptr_eq(part, &chosen));
        list.next = index.map_or(0, |index| (index + 1) % list.parts.len());
        // Counted under the lock, as other threads choose too.
        let has_room = max_handshakes.is_none_or(|limit| self.count.handshakes() < limit);
        let counted = has_room.then(|| chosen.count.add());
        Some((chosen, counted))
    }
}

impl<S> Default for Parts<S> {
    fn default() -> Self {
        let list = List { parts: Vec::new(), has_begun: false, next: 0 };
        Self {
            list: Mutex::new(list),
            count: Arc::default(),
            overflow: Arc::default(),
            is_serving: AtomicBool::new(false),
            has_warned: AtomicBool::new(false),
        }
    }
}

impl<S> Part<S> {
    pub(crate) fn new(
        event_loop: LoopHandle,
        server: Weak<S>,
        count: Arc<ThreadCount>,
        counters: Arc<Counters>,
        clients: Arc<Clients>,
    ) -> Self {
        let has_ended = AtomicBool::new(false);
        Self { event_loop, server, count, counters, clients, has_ended }
    }

    /// Returns whether the thread takes connections.
    pub(crate) fn is_running(&self) -> bool {
        !self.has_ended.load(Ordering::Acquire) && !self.event_loop.has_ended()
    }

    /// Hands no more connections to the thread.
    pub(crate) fn end(&self) {
        self.has_ended.store(true, Ordering::Release);
    }
}

/// The maximum of connections over the limit of handshakes on their way.
const MAX_OVERFLOW: usize = 256;
