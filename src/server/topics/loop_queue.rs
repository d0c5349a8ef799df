//! The queue of an event loop: what other threads have published to its sockets.

use std::collections::VecDeque;
use std::mem;

use crate::runtime::sync::Mutex;

/// Deliveries that wait for a loop, of all topics of a server.
///
/// Only the loop's thread takes them. One queue for all topics keeps the order of each thread that
/// publishes. `L` is the handle of the loop, `D` a delivery.
pub(crate) struct LoopQueue<L, D> {
    pub(crate) event_loop: L,
    waiting: Mutex<Waiting<D>>,
}

struct Waiting<D> {
    deliveries: VecDeque<D>,
    /// A call that empties the queue is on its way to the loop.
    is_posted: bool,
}

impl<L, D> LoopQueue<L, D> {
    pub(crate) fn new(event_loop: L) -> Self {
        let waiting = Waiting { deliveries: VecDeque::new(), is_posted: false };
        Self { event_loop, waiting: Mutex::new(waiting) }
    }

    /// Puts a delivery at the end, or merges it with the one there.
    ///
    /// Returns whether a call has to be posted that empties the queue.
    pub(crate) fn push(&self, delivery: D, merge: impl FnOnce(&mut D, D) -> Option<D>) -> bool {
        let mut waiting = self.waiting.lock();
        let rest = match waiting.deliveries.back_mut() {
            Some(last) => merge(last, delivery),
            None => Some(delivery),
        };
        waiting.deliveries.extend(rest);
        !mem::replace(&mut waiting.is_posted, true)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.lock().deliveries.is_empty()
    }

    /// Takes the first delivery; on the loop's thread alone.
    pub(crate) fn take_first(&self) -> Option<D> {
        self.waiting.lock().deliveries.pop_front()
    }

    /// Ends the posted call; returns whether another one has to be posted.
    pub(crate) fn end_posted(&self) -> bool {
        let mut waiting = self.waiting.lock();
        waiting.is_posted = !waiting.deliveries.is_empty();
        waiting.is_posted
    }

    /// Takes all deliveries, for a loop that has ended.
    pub(crate) fn take_all(&self) -> VecDeque<D> {
        let mut waiting = self.waiting.lock();
        waiting.is_posted = false;
        mem::take(&mut waiting.deliveries)
    }
}
