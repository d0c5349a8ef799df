//! The slots of one signal in one thread, in the order of their connection.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use crate::call::Call;
use crate::delivery::Order;
use crate::link::{Census, Link};

/// A list of slots.
///
/// Emissions share the list, and it stays as it is while one of them is under way: what is
/// connected meanwhile is put aside, and what is disconnected stays in its place. The last
/// emission to end has the list settled.
pub(crate) struct Slots<T: ?Sized> {
    entries: Vec<Entry<T>>,
    /// What was connected during an emission.
    later: RefCell<Vec<Rc<Entry<T>>>>,
    /// Whether something was connected or disconnected during an emission.
    is_unsettled: Cell<bool>,
    queued: Cell<usize>,
    sweep_at: usize,
}

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
        let added = usize::from(entry.link.is_queued());
        match self {
            Self::Sole(slots) => {
                slots.queued.set(slots.queued.get() + added);
                if slots.entries.capacity() == 0 {
                    // Most signals have one slot.
                    slots.entries.reserve_exact(1);
                }
                slots.entries.push(entry);
                slots.entries.len() >= slots.sweep_at
            }
            Self::Shared(slots) => {
                slots.queued.set(slots.queued.get() + added);
                slots.later.borrow_mut().push(Rc::new(entry));
                slots.is_unsettled.set(true);
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
            later: RefCell::new(Vec::new()),
            is_unsettled: Cell::new(false),
            queued: Cell::new(0),
            sweep_at: SMALL,
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
                entry.call.call(value, &entry.link);
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
        self.queued.get() > 0
    }

    /// Tells whether something was connected or disconnected during an emission.
    #[inline]
    pub(crate) fn is_unsettled(&self) -> bool {
        self.is_unsettled.get()
    }

    fn remove(&mut self, link: &Link) -> Option<Entry<T>> {
        let key = |entry: &Entry<T>| entry.link.sequence();
        let place = self.entries.binary_search_by_key(&link.sequence(), key).ok()?;
        if link.is_queued() {
            self.queued.set(self.queued.get() - 1);
        }
        Some(self.entries.remove(place))
    }

    /// Puts everything in its place and returns the slots that are disconnected.
    fn settle(&mut self) -> Vec<Entry<T>> {
        // No emission is under way, so nobody else holds these.
        let later = self.later.get_mut().drain(..).filter_map(Rc::into_inner);
        self.entries.extend(later);
        let ended = self.entries.extract_if(.., |entry| entry.link.is_ended()).collect();
        let queued = self.entries.iter().filter(|entry| entry.link.is_queued());
        self.queued.set(queued.count());
        self.sweep_at = SMALL.max(2 * self.entries.len());
        self.is_unsettled.set(false);
        ended
    }

    /// Visits the slots that were connected before now.
    fn for_each(&self, mut visit: impl FnMut(&Entry<T>)) {
        let later = self.later.borrow().clone();
        self.entries.iter().for_each(&mut visit);
        for entry in later {
            visit(&entry);
        }
    }
}

impl<T: ?Sized> Entry<T> {
    #[inline]
    fn call(&self, census: &Census, value: &T) {
        // Asked anew before each call: the slots before it may have disconnected it.
        if self.link.is_callable(census) {
            self.call.call(value, &self.link);
        }
    }
}

/// Shorter lists are not swept.
const SMALL: usize = 16;
