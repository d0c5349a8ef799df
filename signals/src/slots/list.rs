//! The slots of one signal in one thread, in the order of their connection.

use std::rc::Rc;

use crate::connection::link::Link;
use crate::connection::slot_counter::SlotCounter;
use crate::slots::any_slots::AnySlots;
use crate::slots::several_slots::SlotVec;
use crate::slots::slot::Slot;
use crate::slots::slot_state::SlotState;

/// A list of slots that can be edited.
///
/// An emission holds the slots that it has found, and they stay as they are: when somebody edits
/// their list meanwhile, the thread has another one from then on.
pub(crate) enum List<T: ?Sized> {
    Empty,
    /// Most signals have one slot.
    One(Rc<dyn Slot<T>>),
    Many(Rc<SlotVec<T>>),
}

impl<T: ?Sized + 'static> List<T> {
    /// Ends the connections of the slots whose receivers are gone.
    pub(crate) fn end_without_receiver(&self, counter: &SlotCounter) {
        for slot in self.slots().iter().filter(|slot| !slot.is_live()) {
            slot.state().end(counter);
        }
    }

    /// Tells whether the receiver of the slot with this place in the order of connections exists.
    pub(crate) fn is_live(&self, sequence: u64) -> bool {
        let slots = self.slots();
        let place = slots.binary_search_by_key(&sequence, |slot| slot.state().sequence());
        place.ok().and_then(|place| slots.get(place)).is_none_or(|slot| slot.is_live())
    }

    /// Adds a slot; tells whether looking for dead slots is worth while.
    pub(crate) fn push(&mut self, slot: Rc<dyn Slot<T>>) -> bool {
        match self {
            Self::Empty => *self = Self::One(slot),
            Self::One(first) => {
                *self = Self::Many(Rc::new(SlotVec::new(Rc::clone(first), slot)));
            }
            Self::Many(slots) => return Rc::make_mut(slots).push(slot),
        }
        false
    }

    /// Takes out the slot with this place in the order of connections.
    pub(crate) fn remove(&mut self, sequence: u64) -> Option<Rc<dyn Slot<T>>> {
        match self {
            Self::One(slot) if slot.state().sequence() == sequence => {
                let removed = Rc::clone(slot);
                *self = Self::Empty;
                Some(removed)
            }
            Self::Many(slots) => {
                let removed = Rc::make_mut(slots).remove(sequence);
                if slots.slots().is_empty() {
                    *self = Self::Empty;
                }
                removed
            }
            _ => None,
        }
    }

    /// Takes out all slots that are disconnected.
    pub(crate) fn remove_ended(&mut self, counter: &SlotCounter) -> Vec<Rc<dyn Slot<T>>> {
        if self.slots().iter().all(|slot| slot.state().is_ended(counter)) {
            let removed = self.slots().to_vec();
            *self = Self::Empty;
            return removed;
        }
        match self {
            Self::Many(slots) => Rc::make_mut(slots).remove_ended(counter),
            _ => Vec::new(),
        }
    }

    /// Has a slot part with its link, unless an emission holds it.
    pub(crate) fn unshare(&mut self, link: &Link) {
        let slot = match self {
            Self::Empty => None,
            Self::One(slot) => Some(slot),
            Self::Many(slots) => Rc::get_mut(slots).and_then(|slots| slots.find(link.sequence())),
        };
        if let Some(slot) = slot.and_then(Rc::get_mut)
            && slot.state().sequence() == link.sequence()
        {
            *slot.state_mut() = SlotState::unshared(link);
        }
    }

    /// Returns the list as a thread stores it.
    pub(crate) fn into_any(self) -> Option<Rc<dyn AnySlots>> {
        match self {
            Self::Empty => None,
            Self::One(slot) => Some(slot),
            Self::Many(slots) => Some(slots),
        }
    }

    fn slots(&self) -> &[Rc<dyn Slot<T>>] {
        match self {
            Self::Empty => &[],
            Self::One(slot) => std::slice::from_ref(slot),
            Self::Many(slots) => slots.slots(),
        }
    }
}
