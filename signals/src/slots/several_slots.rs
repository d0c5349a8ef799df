//! More slots than one, of one signal in one thread.

use std::any::Any;
use std::panic::Location;
use std::rc::Rc;

use crate::connection::slot_counter::SlotCounter;
use crate::signal::slot_group::SlotGroup;
use crate::signal::target::Target;
use crate::slots::any_slots::{AnySlots, Slots, downcast_into};
use crate::slots::list::List;
use crate::slots::slot::{ConnectedSlot, Slot};
use crate::slots::slot_state::SlotState;
use crate::thread::slow_slots::Origin;
use crate::unwind::drop_each;

/// More slots than one, or what is left of them, in the order of their connection.
pub(crate) struct SlotVec<T: ?Sized> {
    slots: Vec<Rc<dyn Slot<T>>>,
    /// How many of these only keep the place of a slot that was taken out, so that taking out many
    /// does not move the others each time.
    vacant: usize,
    queued: usize,
    sweep_at: usize,
}

impl<T: ?Sized + 'static> SlotVec<T> {
    pub(crate) fn new(first: Rc<dyn Slot<T>>, second: Rc<dyn Slot<T>>) -> Self {
        let mut slots = Self { slots: Vec::new(), vacant: 0, queued: 0, sweep_at: SMALL };
        slots.push(first);
        slots.push(second);
        slots
    }

    /// Adds a slot; tells whether looking for dead slots is worth while.
    pub(crate) fn push(&mut self, slot: Rc<dyn Slot<T>>) -> bool {
        self.queued += usize::from(slot.state().is_queued());
        self.slots.push(slot);
        self.slots.len() - self.vacant >= self.sweep_at
    }

    pub(crate) fn remove(&mut self, sequence: u64) -> Option<Rc<dyn Slot<T>>> {
        let removed = if let Some(last) = self.slots.pop_if(|last| is_at(last, sequence)) {
            last
        } else {
            let slot = self.find(sequence)?;
            let vacancy = Rc::new(ConnectedSlot::new(
                SlotState::vacant(sequence),
                (),
                Origin::new(Location::caller()),
            ));
            let removed = std::mem::replace(slot, vacancy);
            self.vacant += 1;
            removed
        };
        self.queued -= usize::from(removed.state().is_queued());
        if 2 * self.vacant >= self.slots.len() {
            self.slots.retain(|slot| !slot.state().is_vacant());
            self.vacant = 0;
        }
        Some(removed)
    }

    pub(crate) fn remove_ended(&mut self, counter: &SlotCounter) -> Vec<Rc<dyn Slot<T>>> {
        let removed = self.slots.extract_if(.., |slot| slot.state().is_ended(counter)).collect();
        self.vacant = 0;
        self.queued = self.slots.iter().filter(|slot| slot.state().is_queued()).count();
        self.sweep_at = SMALL.max(2 * self.slots.len());
        removed
    }

    pub(crate) fn find(&mut self, sequence: u64) -> Option<&mut Rc<dyn Slot<T>>> {
        let key = |slot: &Rc<dyn Slot<T>>| slot.state().sequence();
        let place = self.slots.binary_search_by_key(&sequence, key).ok()?;
        self.slots.get_mut(place).filter(|slot| is_at(slot, sequence))
    }

    pub(crate) fn slots(&self) -> &[Rc<dyn Slot<T>>] {
        &self.slots
    }
}

impl<T: ?Sized + 'static> Slots<T> for SlotVec<T> {
    fn call(&self, group: &SlotGroup<T>, value: &T) {
        self.slots.iter().for_each(|slot| slot.call(group, value));
    }

    fn deliver(&self, target: &Target<T>, value: &T) {
        self.slots.iter().for_each(|slot| slot.deliver(target, value));
    }

    fn has_queued(&self) -> bool {
        self.queued > 0
    }

    fn queued_sender(&self) -> Option<Box<dyn Any>> {
        self.slots.iter().find_map(|slot| slot.queued_sender())
    }

    fn into_list(self: Rc<Self>) -> List<T> {
        List::Many(self)
    }
}

impl<T: ?Sized + 'static> AnySlots for SlotVec<T> {
    fn downcast_into(self: Rc<Self>, to: &mut dyn Any) {
        downcast_into::<T, Self>(self, to);
    }
}

impl<T: ?Sized> Clone for SlotVec<T> {
    fn clone(&self) -> Self {
        let &Self { ref slots, vacant, queued, sweep_at } = self;
        Self { slots: slots.clone(), vacant, queued, sweep_at }
    }
}

impl<T: ?Sized> Drop for SlotVec<T> {
    fn drop(&mut self) {
        drop_each(self.slots.drain(..));
    }
}

fn is_at<T: ?Sized>(slot: &Rc<dyn Slot<T>>, sequence: u64) -> bool {
    slot.state().sequence() == sequence && !slot.state().is_vacant()
}

/// Fewer slots are not swept.
const SMALL: usize = 16;
