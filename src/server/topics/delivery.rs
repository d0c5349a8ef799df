//! Sends what is published: each event loop to its own subscribers.

use std::sync::Arc;

use crate::event_loop::WeakLoopHandle;
use crate::server::topics::state::{Inner, TopicDelivery, TopicHandOver, TopicQueue};
use crate::server::topics::subscribers::{Home, Recipients};
use crate::socket::WebSocket;
use crate::types::output::SendStatus;

impl Inner {
    /// Sends what this thread has to send, and posts the rest to the other loops.
    ///
    /// Returns for how many subscribers the message was queued. No lock is held, and no user code
    /// runs before this thread has sent: nothing of it can be overtaken.
    pub(crate) fn deliver(hand_over: TopicHandOver) -> usize {
        let mut count = hand_over.queued;
        if let Some(delivery) = hand_over.here {
            count += send(&delivery);
        }
        if let Some(queue) = hand_over.behind {
            empty(&queue);
        }
        hand_over.posts.iter().for_each(post);
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
pub(crate) fn empty(queue: &TopicQueue) {
    while let Some(delivery) = queue.take_first() {
        send(&delivery);
    }
}

/// Has the loop of a queue send what is in it.
fn post(queue: &Arc<TopicQueue>) {
    let posted = Arc::clone(queue);
    if !queue.event_loop.post_if_running(move || send_batch(&posted)) {
        // Its sockets have disconnected, or do so now.
        drop(queue.take_all());
    }
}

/// Sends a batch of what waits for this thread's loop.
///
/// Other work of the loop is next.
fn send_batch(queue: &Arc<TopicQueue>) {
    for _ in 0..BATCH {
        let Some(delivery) = queue.take_first() else { break };
        send(&delivery);
    }
    if queue.end_posted() {
        post(queue);
    }
}

/// Sends a message to its recipients, and returns for how many it was queued.
fn send(delivery: &TopicDelivery) -> usize {
    let publication = &delivery.message;
    let is_queued = |socket: &&WebSocket| {
        let status = match publication.key {
            None => socket.send_prepared(&publication.message),
            Some(key) => socket.send_conflated(key, &publication.message),
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
