//! The counters of a server, or of its part in one thread, of what is rare.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::session::{Traffic, TrafficCounts};
use crate::types::stats::{RefusalReason, ServerStats};

/// The counters of a server, or of its part in one thread, of what is rare.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    accepted: AtomicU64,
    refused: [AtomicU64; RefusalReason::ALL.len()],
}

impl Counters {
    pub(crate) fn note_accepted(&self) {
        Traffic::note(&self.accepted);
    }

    pub(crate) fn note_refused(&self, reason: RefusalReason) {
        if let Some(counter) = self.refused.get(reason as usize) {
            Traffic::note(counter);
        }
    }

    /// Adds these counters and those of the traffic to the statistics of a server.
    pub(crate) fn add_to(&self, stats: &mut ServerStats, traffic: TrafficCounts) {
        stats.accepted += self.accepted.load(Ordering::Relaxed);
        for (reason, counter) in RefusalReason::ALL.into_iter().zip(&self.refused) {
            stats.refused.add(reason, counter.load(Ordering::Relaxed));
        }
        stats.messages_received += traffic.messages_received;
        stats.messages_sent += traffic.messages_sent;
        stats.bytes_received += traffic.bytes_received;
        stats.bytes_sent += traffic.bytes_sent;
        stats.dropped_messages += traffic.dropped_messages;
        stats.keepalive_timeouts += traffic.keepalive_timeouts;
        stats.slot_panics += traffic.slot_panics;
    }
}
