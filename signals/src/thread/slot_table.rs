//! Slot tables: the slot lists of a thread, without the types of their values.

use std::any::Any;
use std::rc::Rc;
use std::sync::Arc;

use crate::connection::slot_counter::SlotCounter;

/// The slots of one signal in one thread, without the type of the values.
pub(crate) trait AnySlots {
    /// Moves the slots to `to`, if that is an `Option<Rc<dyn Slots<T>>>`.
    fn downcast_into(self: Rc<Self>, to: &mut dyn Any);

    /// Removes the slot with this sequence number, without running user code.
    fn without(self: Rc<Self>, sequence: u64) -> Removal;

    /// Removes the disconnected slots, without running user code.
    fn without_ended(self: Rc<Self>, counter: &SlotCounter) -> Removal;

    /// Ends the connections of slots with dropped receivers.
    fn end_without_receiver(&self, counter: &SlotCounter);

    /// Returns whether the receiver of the slot with this sequence number exists.
    ///
    /// True if there is no such slot.
    fn is_live(&self, sequence: u64) -> bool;

    /// Gives its link to the slot with this sequence number.
    fn share(self: Rc<Self>, sequence: u64, link: AnyLink) -> Rc<dyn AnySlots>;

    /// Replaces the link of a slot by a state, unless an emission holds the slot.
    fn unshare(self: Rc<Self>, state: OwnState) -> Rc<dyn AnySlots>;
}

/// An `Arc<Link>`, whose type the tables of slots do not know.
pub(crate) type AnyLink = Arc<dyn Any + Send + Sync>;

/// The state of a slot that only its own thread refers to.
#[derive(Clone, Copy)]
pub(crate) struct OwnState {
    pub(crate) flags: u8,
    pub(crate) generation: u32,
    pub(crate) sequence: u64,
}

/// The result of a removal: the remaining list, and the removed slot.
pub(crate) struct Removal {
    pub(crate) left: Option<Rc<dyn AnySlots>>,
    pub(crate) removed: Option<Rc<dyn AnySlots>>,
}

impl Removal {
    /// Returns the removal from a list of one slot, which may stay.
    pub(crate) fn of_one(slot: Rc<dyn AnySlots>, is_removed: bool) -> Self {
        if is_removed {
            Self { left: None, removed: Some(slot) }
        } else {
            Self { left: Some(slot), removed: None }
        }
    }
}

/// The slot lists of a thread, by the indices in their handles.
pub(crate) struct SlotTable {
    lists: Vec<Option<Rc<dyn AnySlots>>>,
    free: Vec<u32>,
}

impl SlotTable {
    pub(crate) const fn new() -> Self {
        Self { lists: Vec::new(), free: Vec::new() }
    }

    /// Makes an empty place for a list and returns its index.
    pub(crate) fn insert(&mut self) -> Option<u32> {
        if let Some(index) = self.free.pop() {
            return Some(index);
        }
        let index = u32::try_from(self.lists.len()).ok()?;
        self.lists.push(None);
        Some(index)
    }

    pub(crate) fn remove(&mut self, index: u32) -> Option<Rc<dyn AnySlots>> {
        let list = self.lists.get_mut(index as usize)?;
        self.free.push(index);
        list.take()
    }

    pub(crate) fn remove_all(&mut self) -> Vec<Option<Rc<dyn AnySlots>>> {
        std::mem::take(&mut self.lists)
    }

    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut Option<Rc<dyn AnySlots>>> {
        self.lists.get_mut(index as usize)
    }

    #[inline]
    pub(crate) fn get(&self, index: u32) -> Option<Rc<dyn AnySlots>> {
        self.lists.get(index as usize)?.clone()
    }
}
