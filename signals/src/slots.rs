//! The slots of one signal in one thread, in the order of their connection.

use std::rc::Rc;
use std::sync::Arc;

use crate::call::Call;
use crate::delivery::Order;
use crate::link::{Census, Link};

/// A list of slots.
///
/// An emission goes over a list that it shares with the thread's store; who edits the list
/// meanwhile edits a copy.
pub(crate) struct Slots<T: ?Sized> {
    entries: Vec<Entry<T>>,
    queued: usize,
    sweep_at: usize,
}

/// One slot: the shared state of its connection, and what it calls.
pub(crate) struct Entry<T: ?Sized> {
    pub(crate) link: Arc<Link>,
    pub(crate) call: Rc<dyn Call<T>>,
}

impl<T: ?Sized> Slots<T> {
    pub(crate) const fn new() -> Self {
        Self { entries: Vec::new(), queued: 0, sweep_at: SMALL }
    }

    pub(crate) fn push(&mut self, entry: Entry<T>) {
        self.queued += usize::from(entry.link.is_queued());
        if self.entries.capacity() == 0 {
            // Most signals have one slot.
            self.entries.reserve_exact(1);
        }
        self.entries.push(entry);
    }

    /// Takes out the slot with this sequence number, if it is here.
    pub(crate) fn remove(&mut self, sequence: u64) -> Option<Entry<T>> {
        let key = |entry: &Entry<T>| entry.link.sequence();
        let place = self.entries.binary_search_by_key(&sequence, key).ok()?;
        let entry = self.entries.remove(place);
        self.queued -= usize::from(entry.link.is_queued());
        Some(entry)
    }

    /// Takes out the slots that are disconnected.
    pub(crate) fn remove_ended(&mut self) -> Vec<Entry<T>> {
        let ended = self.entries.extract_if(.., |entry| entry.link.is_ended()).collect();
        self.queued = self.entries.iter().filter(|entry| entry.link.is_queued()).count();
        self.sweep_at = SMALL.max(2 * self.entries.len());
        ended
    }

    /// Ends the connections of the slots whose receivers are gone.
    pub(crate) fn end_without_receiver(&self) {
        for entry in &self.entries {
            if !entry.call.is_live() {
                entry.link.end();
            }
        }
    }

    /// Calls the slots as an emission on their own thread does.
    #[inline]
    pub(crate) fn call(&self, census: &Census, value: &T) {
        for entry in &self.entries {
            // Asked anew before each call: the slots before it may have disconnected it.
            if entry.link.is_callable(census) {
                entry.call.call(value, &entry.link);
            }
        }
    }

    /// Calls the slots that a queued call is meant for.
    pub(crate) fn call_ordered(&self, order: &Order, value: &T) {
        for entry in &self.entries {
            if order.is_for(&entry.link) && entry.link.is_deliverable() {
                entry.call.call(value, &entry.link);
            }
        }
    }

    pub(crate) fn has_queued(&self) -> bool {
        self.queued > 0
    }

    /// Tells whether so many slots were added that looking for dead ones is worth while.
    pub(crate) fn wants_sweep(&self) -> bool {
        self.entries.len() >= self.sweep_at
    }
}

impl<T: ?Sized> Clone for Slots<T> {
    fn clone(&self) -> Self {
        Self { entries: self.entries.clone(), queued: self.queued, sweep_at: self.sweep_at }
    }
}

impl<T: ?Sized> Clone for Entry<T> {
    fn clone(&self) -> Self {
        Self { link: Arc::clone(&self.link), call: Rc::clone(&self.call) }
    }
}

/// Shorter lists are not swept.
const SMALL: usize = 16;
