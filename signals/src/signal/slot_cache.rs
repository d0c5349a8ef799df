//! Slot caches: the slots of a signal, from one emission to the next.

use std::fmt;
use std::rc::Rc;

use crate::slots::list::Slots;
use crate::slots::list_handle::ListHandle;
use crate::thread::thread_state;

/// The slots that an emission has found, for the next ones of the same signal.
///
/// To find them takes longer than to call a short one. A slot that is disconnected within an emission
/// with this cache is dropped at the end of that emission, with what it has captured. Of slots that
/// are disconnected between two emissions, the cache may hold some until the next one begins, or
/// until it is [cleared](Self::clear): to be done before other code of the program runs.
pub struct SlotCache<T: ?Sized>(Option<Found<T>>);

struct Found<T: ?Sized> {
    slots: Rc<dyn Slots<T>>,
    /// The index of their list among those of the thread.
    index: u32,
    /// How often lists of the thread had been edited.
    edits: u64,
}

impl<T: ?Sized> SlotCache<T> {
    /// Returns an empty cache.
    #[must_use]
    pub const fn new() -> Self {
        Self(None)
    }

    /// Releases the slots.
    #[inline]
    pub fn clear(&mut self) {
        self.0 = None;
    }

    /// Returns the slots, if they are those that this list has now.
    #[inline]
    pub(crate) fn slots(&self, list: &ListHandle) -> Option<&dyn Slots<T>> {
        let is_current =
            |found: &&Found<T>| found.index == list.index() && found.edits == thread_state::edits();
        self.0.as_ref().filter(is_current).map(|found| &*found.slots)
    }

    /// Keeps the slots of a list that were found after so many `edits`.
    ///
    /// Unless lists were edited since.
    #[inline]
    pub(crate) fn keep(&mut self, slots: Rc<dyn Slots<T>>, list: &ListHandle, edits: u64) {
        if thread_state::edits() == edits {
            self.0 = Some(Found { slots, index: list.index(), edits });
        }
    }

    /// Releases the slots if lists were edited since they were found.
    #[inline]
    pub(crate) fn release_edited(&mut self) {
        if self.0.as_ref().is_some_and(|found| found.edits != thread_state::edits()) {
            self.clear();
        }
    }
}

impl<T: ?Sized> Default for SlotCache<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: ?Sized> fmt::Debug for SlotCache<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_empty = self.0.is_none();
        f.debug_struct("SlotCache").field("is_empty", &is_empty).finish_non_exhaustive()
    }
}
