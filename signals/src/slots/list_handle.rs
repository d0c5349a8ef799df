//! Where a thread stores the slots of one signal, and how many of them are connected.

use crate::connection::slot_counter::SlotCounter;
use crate::slots::emission_flags::EmissionFlags;
use crate::slots::slot_state::SlotState;
use crate::thread::slot_table::Removal;
use crate::thread::thread_state;
use crate::unwind::drop_each;

/// The slots of one signal in one thread, as far as all threads may see them.
///
/// The slots themselves are in the slot table of their thread; only the thread can reach them.
pub(crate) struct ListHandle {
    counter: SlotCounter,
    index: u32,
    flags: EmissionFlags,
}

impl ListHandle {
    /// Makes room for slots in the calling thread; `None` at the thread's very end.
    pub(crate) fn new() -> Option<Self> {
        thread_state::insert().map(Self::at)
    }

    /// Returns the handle of a list that is in no thread.
    pub(crate) fn nowhere() -> Self {
        Self::at(u32::MAX)
    }

    fn at(index: u32) -> Self {
        Self { counter: SlotCounter::new(), index, flags: EmissionFlags::new() }
    }

    /// Ends the connection of a slot of the calling thread, and drops the slot.
    #[cold]
    pub(crate) fn disconnect(&self, slot: &SlotState) {
        if slot.end(&self.counter) {
            self.remove(slot.sequence());
        }
    }

    /// Drops a slot of the calling thread.
    pub(crate) fn remove(&self, sequence: u64) {
        let removed = thread_state::edit(self.index, |list| {
            // Unless an emission is under way, there is one handle now, and no copy is made.
            let Removal { left, removed } = list.take()?.without(sequence);
            *list = left;
            removed
        });
        // The slot was returned, and so is dropped when the table is not borrowed any more.
        drop_each(removed);
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
