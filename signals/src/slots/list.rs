//! The slots of one signal in one thread, in the order of their connection.

use std::rc::Rc;

use crate::connection::link::Link;
use crate::connection::slot_counter::Census;
use crate::slots::any_slots::Stored;
use crate::slots::several_slots::Several;
use crate::slots::slot::Slot;

/// A list of slots that can be edited.
///
/// An emission holds the slots that it has found, and they stay as they are: when somebody edits
/// their list meanwhile, the thread has another one from then on.
pub(crate) enum List<T: ?Sized> {
    Empty,
    /// Most signals have one slot.
    One(Rc<dyn Slot<T>>),
    Several(Rc<Several<T>>),
}

impl<T: ?Sized + 'static> List<T> {
    /// Ends the connections of the slots whose receivers are gone.
    pub(crate) fn end_without_receiver(&self, census: &Census) {
        for slot in self.slots().iter().filter(|slot| !slot.is_live()) {
            slot.standing().end(census);
        }
    }

    /// Tells whether the receiver of the slot with this place in the order of connections exists.
    pub(crate) fn is_live(&self, sequence: u64) -> bool {
        let slots = self.slots();
        let place = slots.binary_search_by_key(&sequence, |slot| slot.standing().sequence());
        place.ok().and_then(|place| slots.get(place)).is_none_or(|slot| slot.is_live())
    }

    /// Adds a slot; tells whether looking for dead slots is worth while.
    pub(crate) fn push(&mut self, slot: Rc<dyn Slot<T>>) -> bool {
        match self {
            Self::Empty => *self = Self::One(slot),
            Self::One(first) => {
                *self = Self::Several(Rc::new(Several::new(Rc::clone(first), slot)));
            }
            Self::Several(several) => return Rc::make_mut(several).push(slot),
        }
        false
    }

    /// Takes out the slot with this place in the order of connections.
    pub(crate) fn remove(&mut self, sequence: u64) -> Option<Rc<dyn Slot<T>>> {
        match self {
            Self::One(slot) if slot.standing().sequence() == sequence => {
                let removed = Rc::clone(slot);
                *self = Self::Empty;
                Some(removed)
            }
            Self::Several(several) => {
                let removed = Rc::make_mut(several).remove(sequence);
                if several.slots().is_empty() {
                    *self = Self::Empty;
                }
                removed
            }
            _ => None,
        }
    }

    /// Takes out all slots that are disconnected.
    pub(crate) fn remove_ended(&mut self, census: &Census) -> Vec<Rc<dyn Slot<T>>> {
        if self.slots().iter().all(|slot| slot.standing().is_ended(census)) {
            let removed = self.slots().to_vec();
            *self = Self::Empty;
            return removed;
        }
        match self {
            Self::Several(several) => Rc::make_mut(several).remove_ended(census),
            _ => Vec::new(),
        }
    }

    /// Has a slot part with its link, unless an emission holds it.
    pub(crate) fn unshare(&mut self, link: &Link) {
        let slot = match self {
            Self::Empty => None,
            Self::One(slot) => Some(slot),
            Self::Several(several) => {
                Rc::get_mut(several).and_then(|several| several.find(link.sequence()))
            }
        };
        if let Some(slot) = slot.and_then(Rc::get_mut)
            && slot.standing().sequence() == link.sequence()
        {
            *slot.standing_mut() = link.own();
        }
    }

    /// Returns the list as a thread stores it.
    pub(crate) fn into_stored(self) -> Option<Rc<dyn Stored>> {
        match self {
            Self::Empty => None,
            Self::One(slot) => Some(slot),
            Self::Several(several) => Some(several),
        }
    }

    fn slots(&self) -> &[Rc<dyn Slot<T>>] {
        match self {
            Self::Empty => &[],
            Self::One(slot) => std::slice::from_ref(slot),
            Self::Several(several) => several.slots(),
        }
    }
}
