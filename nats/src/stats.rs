//! The numbers of a bridge.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::bridge::NatsBridge;

/// The messages of a bridge so far, as [`NatsBridge::stats`] returns them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BridgeStats {
    /// Messages that were handed to NATS.
    pub published: u64,
    /// Messages of other nodes that have been delivered here.
    pub received: u64,
    /// Messages for other nodes that are known to be lost.
    pub lost_out: u64,
    /// Messages of other nodes that are known to be lost here.
    pub lost_in: u64,
    /// How often the connection came back.
    pub reconnects: u64,
    /// Messages that wait to be sent.
    pub queued: usize,
}

/// Numbers.
impl NatsBridge {
    /// Returns the numbers of messages so far.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    #[must_use]
    pub fn stats(&self) -> BridgeStats {
        let shared = self.shared();
        let counters = &shared.counters;
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        BridgeStats {
            published: value(&counters.published),
            received: value(&counters.received),
            lost_out: value(&counters.lost_out),
            lost_in: value(&counters.lost_in),
            reconnects: value(&counters.reconnects),
            queued: shared.outbox.len(),
        }
    }
}
