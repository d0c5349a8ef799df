//! Traffic: the messages and bytes of all connections of a server on one loop.
//!
//! A turn adds what it has received and sent, once. Only the loop's own thread adds to these
//! counters, with a load and a store; other threads read them. What is rare is counted by any thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The counters of all connections of a server on one loop.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    messages_received: AtomicU64,
    bytes_received: AtomicU64,
    messages_sent: AtomicU64,
    bytes_sent: AtomicU64,
    pub(crate) dropped_messages: Arc<AtomicU64>,
    pub(crate) keepalive_timeouts: AtomicU64,
    pub(crate) slot_panics: AtomicU64,
}

/// The values of the counters at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TrafficCounts {
    pub(crate) messages_received: u64,
    pub(crate) bytes_received: u64,
    pub(crate) messages_sent: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) dropped_messages: u64,
    pub(crate) keepalive_timeouts: u64,
    pub(crate) slot_panics: u64,
}

impl Traffic {
    /// Counts the input of a turn; on the loop's thread.
    #[inline]
    pub(super) fn add_received(&self, messages: usize, bytes: usize) {
        add(&self.messages_received, messages as u64);
        add(&self.bytes_received, bytes as u64);
    }

    /// Counts the output of a turn; on the loop's thread.
    #[inline]
    pub(super) fn add_sent(&self, messages: u64, bytes: usize) {
        add(&self.messages_sent, messages);
        add(&self.bytes_sent, bytes as u64);
    }

    /// Counts a rare event; in any thread.
    #[cold]
    pub(crate) fn note(event: &AtomicU64) {
        event.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the current values, in any thread.
    pub(crate) fn counts(&self) -> TrafficCounts {
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TrafficCounts {
            messages_received: value(&self.messages_received),
            bytes_received: value(&self.bytes_received),
            messages_sent: value(&self.messages_sent),
            bytes_sent: value(&self.bytes_sent),
            dropped_messages: value(&self.dropped_messages),
            keepalive_timeouts: value(&self.keepalive_timeouts),
            slot_panics: value(&self.slot_panics),
        }
    }
}

/// Adds to a counter that no other thread changes: without an atomic operation.
#[inline]
fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
}
