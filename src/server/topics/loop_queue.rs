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

/// What follows when a delivery is in a queue.
pub(crate) struct Pushed {
    /// How many deliveries wait, this one the last.
    pub(crate) len: usize,
    /// A call has to be posted that empties the queue.
    pub(crate) needs_post: bool,
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
    pub(crate) fn push(&self, delivery: D, merge: impl FnOnce(&mut D, D) -> Option<D>) -> Pushed {
        let mut waiting = self.waiting.lock();
        let rest = match waiting.deliveries.back_mut() {
            Some(last) => merge(last, delivery),
            None => Some(delivery),
        };
        waiting.deliveries.extend(rest);
        let needs_post = !mem::replace(&mut waiting.is_posted, true);
        Pushed { len: waiting.deliveries.len(), needs_post }
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.lock().deliveries.len()
    }

    /// Takes at most so many deliveries, one after the other.
    ///
    /// On the loop's thread alone. What other threads push meanwhile is not in the number, so this
    /// ends.
    pub(crate) fn take_first(&self, count: usize, mut send: impl FnMut(&D)) {
        for _ in 0..count {
            let first = self.waiting.lock().deliveries.pop_front();
            let Some(delivery) = first else { break };
            send(&delivery);
        }
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
