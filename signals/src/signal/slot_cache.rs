//! Slot caches: the slots of a signal, from one emission to the next.

use std::any::Any;
use std::fmt;
use std::rc::Rc;

use crate::slots::list::Slots;
use crate::slots::list_handle::ListHandle;
use crate::thread::thread_state;

/// The slots that an emission has found, for the next ones of the same signal.
///
/// To find them takes longer than to call a short one. The cache holds a slot, with what that has
/// captured, at most until the end of the emission in which it is disconnected, or until it is
/// [cleared](Self::clear): to be done before other code runs that may disconnect slots.
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
}

impl<T: ?Sized + 'static> SlotCache<T> {
    /// Calls the slots of a list of this thread, and lends the sender to them.
    #[expect(clippy::inline_always, reason = "with slots in the cache it is short")]
    #[inline(always)]
    pub(crate) fn call_from(&mut self, list: &ListHandle, value: &T, sender: &dyn Any) {
        let edits = thread_state::edits();
        match &self.0 {
            Some(found) if found.index == list.index() && found.edits == edits => {
                found.slots.call_from(list, value, sender);
                if thread_state::edits() != edits {
                    self.clear();
                }
            }
            _ => self.find_and_call_from(list, value, sender),
        }
    }

    /// Not inlined, so that an emission whose slots are in the cache is small.
    #[inline(never)]
    fn find_and_call_from(&mut self, list: &ListHandle, value: &T, sender: &dyn Any) {
        self.clear();
        let edits = thread_state::edits();
        let Some(slots) = list.slots::<T>() else { return };
        slots.call_from(list, value, sender);
        if thread_state::edits() == edits {
            self.0 = Some(Found { slots, index: list.index(), edits });
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
