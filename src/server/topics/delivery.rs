//! Sends what is published: each event loop to its own subscribers.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::event_loop::WeakLoopHandle;
use crate::server::topics::state::{Inner, TopicBehind, TopicDelivery, TopicHandOver, TopicQueue};
use crate::server::topics::subscribers::{Home, Recipients};
use crate::socket::WebSocket;
use crate::types::output::SendStatus;

impl Inner {
    /// Sends what this thread has to send, and posts the rest to the other loops.
    ///
    /// Returns for how many subscribers the message was queued. No lock is held, and no user code
    /// runs before this thread has sent: nothing of it can be overtaken. The other loops are called
    /// first, to send at the same time.
    pub(crate) fn deliver(hand_over: TopicHandOver) -> usize {
        let ended: Vec<_> = hand_over.posts.iter().filter_map(post).collect();
        let mut count = hand_over.queued;
        if let Some(delivery) = hand_over.here {
            count += send(&delivery);
        }
        if let Some(behind) = hand_over.behind {
            send_behind(&behind);
        }
        drop(ended);
        count
    }
}

impl Home for WeakLoopHandle {
    fn is_current(&self) -> bool {
        Self::is_current(self)
    }

    fn is_same(&self, other: &Self) -> bool {
        self.is_of_same_loop(other)
    }
}

/// Sends what other threads have published before to the sockets of this thread.
pub(crate) fn send_behind(behind: &TopicBehind) {
    // Slots that publish make it less than this.
    behind.queue.take_first(behind.len, |delivery| _ = send(delivery));
}

/// Has the loop of a queue send what is in it.
///
/// Returns what waits for a loop that has ended: its sockets have disconnected, or do so now.
fn post(queue: &Arc<TopicQueue>) -> Option<VecDeque<TopicDelivery>> {
    let posted = Arc::clone(queue);
    let is_posted = queue.event_loop.post_if_running(move || send_batch(&posted));
    (!is_posted).then(|| queue.take_all())
}

/// Sends a batch of what waits for this thread's loop.
///
/// Other work of the loop is next, then the rest. Nothing here unwinds: panics of a program's mask
/// generators and values are caught where they are called and dropped.
fn send_batch(queue: &Arc<TopicQueue>) {
    queue.take_first(BATCH, |delivery| _ = send(delivery));
    if queue.end_posted() {
        drop(post(queue));
    }
}

/// Sends a message to its recipients, and returns for how many it was queued.
fn send(delivery: &TopicDelivery) -> usize {
    let publication = &delivery.message;
    let is_queued = |socket: &&WebSocket| {
        let status = match publication.key {
            None => socket.send_prepared(&publication.message),
            Some(key) => socket.send_conflated(key.get(), &publication.message),
        };
        status == SendStatus::Queued
    };
    match &delivery.recipients {
        Recipients::One(socket) => usize::from(is_queued(&socket)),
        Recipients::All(sockets) => match &delivery.except {
            None => sockets.iter().filter(is_queued).count(),
            Some(except) => {
                sockets.iter().filter(|socket| *socket != except).filter(is_queued).count()
            }
        },
    }
}

/// So many deliveries are sent before other work of the loop.
const BATCH: usize = 64;
