//! List handles: index, counter and flags of a slot list.

use std::rc::Rc;

use crate::connection::slot_counter::SlotCounter;
use crate::slots::emission_flags::EmissionFlags;
use crate::slots::slot_state::SlotState;
use crate::thread::slot_table::{AnySlots, OwnState, Removal};
use crate::thread::thread_state;
use crate::unwind::drop_each;

/// The part of a slot list that all threads share.
///
/// The slots themselves are in the slot table of their thread, which alone can access them.
pub(crate) struct ListHandle {
    counter: SlotCounter,
    index: u32,
    flags: EmissionFlags,
}

impl ListHandle {
    /// Returns the handle of the empty list with this index.
    pub(crate) fn at(index: u32) -> Self {
        Self { counter: SlotCounter::new(), index, flags: EmissionFlags::new() }
    }

    /// Ends the connection of a slot of the calling thread, and drops the slot.
    #[cold]
    pub(crate) fn disconnect(&self, slot: &SlotState) {
        if slot.end(&self.counter) {
            self.remove(slot.sequence());
        }
    }

    /// Replaces the link of a slot of this thread, unless an emission holds the slot.
    pub(crate) fn unshare(&self, state: OwnState) {
        thread_state::edit(self.index, |list| {
            *list = Some(list.take()?.unshare(state));
            Some(())
        });
    }

    /// Drops a slot of the calling thread.
    pub(crate) fn remove(&self, sequence: u64) {
        let removed = thread_state::edit(self.index, |list| {
            // Without an emission in progress this is the only handle, and no copy is made.
            let Removal { left, removed } = list.take()?.without(sequence);
            *list = left;
            removed
        });
        // Dropped here, when the table is no longer borrowed.
        drop_each(removed);
    }

    /// Takes the disconnected slots of the calling thread; the caller drops them.
    pub(crate) fn take_ended(&self) -> Option<Rc<dyn AnySlots>> {
        thread_state::edit(self.index, |list| {
            let Removal { left, removed } = list.take()?.without_ended(&self.counter);
            *list = left;
            removed
        })
    }

    #[inline]
    pub(crate) fn index(&self) -> u32 {
        self.index
    }

    #[inline]
    pub(crate) fn counter(&self) -> &SlotCounter {
        &self.counter
    }

    #[inline]
    pub(crate) fn flags(&self) -> &EmissionFlags {
        &self.flags
    }
}
