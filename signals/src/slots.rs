//! The slots of one signal in one thread, in the order of their connection.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use crate::call::Call;
use crate::census::Census;
use crate::link::Link;
use crate::order::Order;
use crate::slow::watched;

/// A list of slots.
///
/// Emissions share the list, and it stays as it is while one of them is under way: what is
/// connected meanwhile is put aside, and what is disconnected stays in its place. The last
/// emission to end has the list settled.
pub(crate) struct Slots<T: ?Sized> {
    entries: Vec<Entry<T>>,
    /// What was connected during an emission; boxed, because lists are many and this is rare.
    later: Cell<Option<Box<Later<T>>>>,
    sweep_at: u32,
    /// Whether something was connected or disconnected during an emission.
    is_unsettled: Cell<bool>,
    has_queued: Cell<bool>,
}

type Later<T> = Vec<Rc<Entry<T>>>;

/// One slot: the shared state of its connection, and what it calls.
pub(crate) struct Entry<T: ?Sized> {
    pub(crate) link: Arc<Link>,
    pub(crate) call: Box<dyn Call<T>>,
}

/// A list of slots that is to be edited.
pub(crate) enum Access<'a, T: ?Sized> {
    /// No emission is under way.
    Sole(&'a mut Slots<T>),
    /// An emission is under way.
    Shared(&'a Slots<T>),
}

impl<T: ?Sized> Access<'_, T> {
    /// Adds a slot; tells whether looking for dead slots is worth while.
    pub(crate) fn push(self, entry: Entry<T>) -> bool {
        match self {
            Self::Sole(slots) => slots.push(entry),
            Self::Shared(slots) => {
                slots.push_later(entry);
                false
            }
        }
    }

    /// Takes out the slot of a link that has ended, now or when the emission is over.
    pub(crate) fn remove(self, link: &Link) -> Option<Entry<T>> {
        match self {
            Self::Sole(slots) => slots.remove(link),
            Self::Shared(slots) => {
                slots.is_unsettled.set(true);
                None
            }
        }
    }

    /// Takes out all slots whose links have ended, now or when the emission is over.
    pub(crate) fn remove_ended(self) -> Vec<Entry<T>> {
        match self {
            Self::Sole(slots) => slots.settle(),
            Self::Shared(slots) => {
                slots.is_unsettled.set(true);
                Vec::new()
            }
        }
    }
}

impl<T: ?Sized> Slots<T> {
    pub(crate) const fn new() -> Self {
        Self {
            entries: Vec::new(),
            later: Cell::new(None),
            sweep_at: SMALL,
            is_unsettled: Cell::new(false),
            has_queued: Cell::new(false),
        }
    }

    /// Calls the slots as an emission on their own thread does.
    #[inline]
    pub(crate) fn call(&self, census: &Census, value: &T) {
        if self.is_unsettled() {
            self.for_each(|entry| entry.call(census, value));
            return;
        }
        for entry in &self.entries {
            entry.call(census, value);
        }
    }

    /// Calls the slots that a queued call is meant for.
    pub(crate) fn call_ordered(&self, order: &Order, value: &T) {
        self.for_each(|entry| {
            if order.is_for(&entry.link) && entry.link.is_deliverable() {
                watched(&entry.link, || entry.call.call(value, &entry.link));
            }
        });
    }

    /// Ends the connections of the slots whose receivers are gone; they stay in their places.
    pub(crate) fn end_without_receiver(&self) {
        self.for_each(|entry| {
            if !entry.call.is_live() {
                entry.link.end();
            }
        });
        self.is_unsettled.set(true);
    }

    /// Tells whether there are slots that always run from the queue.
    pub(crate) fn has_queued(&self) -> bool {
        self.has_queued.get()
    }

    /// Tells whether something was connected or disconnected during an emission.
    #[inline]
    pub(crate) fn is_unsettled(&self) -> bool {
        self.is_unsettled.get()
    }

    fn push(&mut self, entry: Entry<T>) -> bool {
        if entry.link.is_queued() {
            self.has_queued.set(true);
        }
        if self.entries.capacity() == 0 {
            // Most signals have one slot.
            self.entries.reserve_exact(1);
        }
        self.entries.push(entry);
        self.entries.len() >= self.sweep_at as usize
    }

    fn push_later(&self, entry: Entry<T>) {
        if entry.link.is_queued() {
            self.has_queued.set(true);
        }
        let mut later = self.later.take().unwrap_or_default();
        later.push(Rc::new(entry));
        self.later.set(Some(later));
        self.is_unsettled.set(true);
    }

    fn remove(&mut self, link: &Link) -> Option<Entry<T>> {
        let key = |entry: &Entry<T>| entry.link.sequence();
        let place = self.entries.binary_search_by_key(&link.sequence(), key).ok()?;
        if link.is_queued() {
            let others = self.entries.iter().filter(|entry| entry.link.is_queued());
            self.has_queued.set(others.count() > 1);
        }
        Some(self.entries.remove(place))
    }

    /// Puts everything in its place and returns the slots that are disconnected.
    fn settle(&mut self) -> Vec<Entry<T>> {
        // No emission is under way, so nobody else holds what was connected in one.
        let later = self.later.take().unwrap_or_default();
        self.entries.extend(later.into_iter().filter_map(Rc::into_inner));
        let ended = self.entries.extract_if(.., |entry| entry.link.is_ended()).collect();
        self.has_queued.set(self.entries.iter().any(|entry| entry.link.is_queued()));
        self.sweep_at = SMALL.max(u32::try_from(2 * self.entries.len()).unwrap_or(u32::MAX));
        self.is_unsettled.set(false);
        ended
    }

    /// Visits the slots that were connected before now.
    fn for_each(&self, mut visit: impl FnMut(&Entry<T>)) {
        let later = self.later.take();
        let visited = later.clone();
        self.later.set(later);
        self.entries.iter().for_each(&mut visit);
        for entry in visited.iter().flat_map(|later| later.iter()) {
            visit(entry);
        }
    }
}

impl<T: ?Sized> Entry<T> {
    #[inline]
    fn call(&self, census: &Census, value: &T) {
        // Asked anew before each call: the slots before it may have disconnected it.
        if self.link.is_callable(census) {
            watched(&self.link, || self.call.call(value, &self.link));
        }
    }
}

/// Shorter lists are not swept.
const SMALL: u32 = 16;
