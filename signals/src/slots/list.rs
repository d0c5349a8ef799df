//! Lists of slots: none, one or many, in the order of their connection.

use std::any::Any;
use std::mem::{self, ManuallyDrop};
use std::rc::Rc;

use crate::connection::slot_counter::SlotCounter;
use crate::slots::list_handle::ListHandle;
use crate::slots::part::Poster;
use crate::slots::slot_state::{SlotState, Target};
use crate::thread::slot_table::{AnyLink, AnySlots, OwnState, Removal};
use crate::thread::thread_state;
use crate::unwind::drop_each;

/// The slots of one signal in one thread.
pub(crate) trait Slots<T: ?Sized>: AnySlots {
    /// Calls the slots, for an emission on their own thread.
    fn call(&self, handle: &ListHandle, value: &T);

    /// Calls the slots, and lends the sender to them.
    ///
    /// Apart, so that other emissions do not pay for it.
    fn call_from(&self, handle: &ListHandle, value: &T, sender: &dyn Any);

    /// Calls the slots that a queued call is for.
    fn deliver(&self, handle: &ListHandle, target: &Target, value: &T);

    /// Returns whether there are slots with queued connections.
    fn has_queued(&self) -> bool;

    /// Returns the poster of queued calls, if there are queued slots.
    fn queued_poster(&self) -> Option<Poster<T>>;

    /// Returns a strong handle to the sender, if a queued slot takes it.
    fn queued_sender(&self) -> Option<Box<dyn Any>>;

    /// Returns the slots as a list, which can be edited.
    fn into_list(self: Rc<Self>) -> List<T>;
}

/// One slot, of which a list is made.
pub(crate) trait Slot<T: ?Sized>: Slots<T> {
    fn state(&self) -> &SlotState;

    fn state_mut(&mut self) -> &mut SlotState;

    /// Returns whether the receiver still exists.
    fn has_receiver(&self) -> bool;
}

/// A list of slots that can be edited.
///
/// Copy on write: an emission in progress keeps the list that it began with, and an edit of that
/// list makes another one for later emissions.
pub(crate) enum List<T: ?Sized> {
    Empty,
    /// Most signals have one slot.
    One(Rc<dyn Slot<T>>),
    Many(Rc<SlotVec<T>>),
}

/// The slots of a list that has, or had, more than one.
pub(crate) struct SlotVec<T: ?Sized> {
    slots: Vec<Rc<dyn Slot<T>>>,
    /// The number of vacancies: removing a slot does not move the others.
    vacant: usize,
    queued: usize,
    sweep_at: usize,
}

/// The place of a removed slot; never called.
struct Vacancy(SlotState);

impl ListHandle {
    /// Returns the slots of the calling thread as they are now.
    #[expect(clippy::inline_always, reason = "emissions take ten instructions more without it")]
    #[inline(always)]
    pub(crate) fn slots<T: ?Sized + 'static>(&self) -> Option<Rc<dyn Slots<T>>> {
        let list = thread_state::list(self.index())?;
        let mut slots = None;
        list.downcast_into(&mut slots);
        slots
    }
}

/// Edits a list of the calling thread; `edit` must not run user code.
///
/// Returns `None` when the signal is dropped or the thread is ending.
pub(crate) fn edit_list<T: ?Sized + 'static, R>(
    index: u32,
    edit: impl FnOnce(&mut List<T>) -> R,
) -> Option<R> {
    thread_state::edit(index, |list| {
        let mut slots: Option<Rc<dyn Slots<T>>> = None;
        if let Some(list) = list {
            Rc::clone(list).downcast_into(&mut slots);
            // None if a later signal has this index, with values of another type.
            slots.as_ref()?;
        }
        // Without an emission in progress this is the only handle, and no copy is made.
        *list = None;
        let mut edited = slots.map_or(List::Empty, Slots::into_list);
        let result = edit(&mut edited);
        *list = edited.into_any();
        Some(result)
    })
}

impl<T: ?Sized + 'static> List<T> {
    /// Adds a slot; returns whether the list should be swept.
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

    /// Removes the slot with this sequence number.
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

    /// Removes all disconnected slots, and returns them.
    pub(crate) fn remove_ended(&mut self, counter: &SlotCounter) -> Self {
        if self.slots().iter().all(|slot| slot.state().is_ended(counter)) {
            return mem::replace(self, Self::Empty);
        }
        match self {
            Self::Many(slots) => Self::Many(Rc::new(Rc::make_mut(slots).remove_ended(counter))),
            _ => Self::Empty,
        }
    }

    /// Returns the list without its type, as the slot table stores it.
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

impl<T: ?Sized + 'static> SlotVec<T> {
    pub(crate) fn new(first: Rc<dyn Slot<T>>, second: Rc<dyn Slot<T>>) -> Self {
        let mut slots = Self { slots: Vec::new(), vacant: 0, queued: 0, sweep_at: SMALL };
        slots.push(first);
        slots.push(second);
        slots
    }

    /// Adds a slot; returns whether the list should be swept.
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
            let removed = mem::replace(slot, Rc::new(Vacancy(SlotState::vacant(sequence))));
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

    /// Removes the disconnected slots, and returns them.
    pub(crate) fn remove_ended(&mut self, counter: &SlotCounter) -> Self {
        let removed = self.slots.extract_if(.., |slot| slot.state().is_ended(counter)).collect();
        self.vacant = 0;
        self.queued = self.slots.iter().filter(|slot| slot.state().is_queued()).count();
        self.sweep_at = SMALL.max(2 * self.slots.len());
        Self { slots: removed, vacant: 0, queued: 0, sweep_at: SMALL }
    }

    pub(crate) fn find(&mut self, sequence: u64) -> Option<&mut Rc<dyn Slot<T>>> {
        let place = self.place(sequence)?;
        self.slots.get_mut(place).filter(|slot| is_at(slot, sequence))
    }

    /// Returns the place of the slot with this sequence number, which may be vacant.
    fn place(&self, sequence: u64) -> Option<usize> {
        self.slots.binary_search_by_key(&sequence, |slot| slot.state().sequence()).ok()
    }

    pub(crate) fn slots(&self) -> &[Rc<dyn Slot<T>>] {
        &self.slots
    }
}

impl<T: ?Sized + 'static> Slots<T> for SlotVec<T> {
    fn call(&self, handle: &ListHandle, value: &T) {
        self.slots.iter().for_each(|slot| slot.call(handle, value));
    }

    fn call_from(&self, handle: &ListHandle, value: &T, sender: &dyn Any) {
        self.slots.iter().for_each(|slot| slot.call_from(handle, value, sender));
    }

    fn deliver(&self, handle: &ListHandle, target: &Target, value: &T) {
        self.slots.iter().for_each(|slot| slot.deliver(handle, target, value));
    }

    fn has_queued(&self) -> bool {
        self.queued > 0
    }

    fn queued_poster(&self) -> Option<Poster<T>> {
        self.slots.iter().find_map(|slot| slot.queued_poster())
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

    fn without(self: Rc<Self>, sequence: u64) -> Removal {
        let mut list = List::Many(self);
        let removed = list.remove(sequence).map(|slot| -> Rc<dyn AnySlots> { slot });
        Removal { left: list.into_any(), removed }
    }

    fn without_ended(self: Rc<Self>, counter: &SlotCounter) -> Removal {
        let mut list = List::Many(self);
        let removed = list.remove_ended(counter);
        Removal { left: list.into_any(), removed: removed.into_any() }
    }

    fn end_without_receiver(&self, counter: &SlotCounter) {
        for slot in self.slots.iter().filter(|slot| !slot.has_receiver()) {
            slot.state().end(counter);
        }
    }

    fn is_live(&self, sequence: u64) -> bool {
        let slot = self.place(sequence).and_then(|place| self.slots.get(place));
        slot.is_none_or(|slot| slot.has_receiver())
    }

    fn share(mut self: Rc<Self>, sequence: u64, link: AnyLink) -> Rc<dyn AnySlots> {
        if let Some(slots) = Rc::get_mut(&mut self)
            && let Some(slot) = slots.find(sequence).and_then(Rc::get_mut)
            && let Ok(link) = link.downcast()
        {
            *slot.state_mut() = SlotState::shared(link);
        }
        self
    }

    fn unshare(mut self: Rc<Self>, state: OwnState) -> Rc<dyn AnySlots> {
        if let Some(slots) = Rc::get_mut(&mut self)
            && let Some(slot) = slots.find(state.sequence).and_then(Rc::get_mut)
        {
            *slot.state_mut() = SlotState::unshared(state);
        }
        self
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

impl<T: ?Sized + 'static> Slot<T> for Vacancy {
    fn state(&self) -> &SlotState {
        &self.0
    }

    fn state_mut(&mut self) -> &mut SlotState {
        &mut self.0
    }

    fn has_receiver(&self) -> bool {
        true
    }
}

impl<T: ?Sized + 'static> Slots<T> for Vacancy {
    fn call(&self, _: &ListHandle, _: &T) {}

    fn call_from(&self, _: &ListHandle, _: &T, _: &dyn Any) {}

    fn deliver(&self, _: &ListHandle, _: &Target, _: &T) {}

    fn has_queued(&self) -> bool {
        false
    }

    fn queued_poster(&self) -> Option<Poster<T>> {
        None
    }

    fn queued_sender(&self) -> Option<Box<dyn Any>> {
        None
    }

    fn into_list(self: Rc<Self>) -> List<T> {
        List::Empty
    }
}

impl AnySlots for Vacancy {
    fn downcast_into(self: Rc<Self>, _: &mut dyn Any) {}

    fn without(self: Rc<Self>, _: u64) -> Removal {
        Removal { left: None, removed: None }
    }

    fn without_ended(self: Rc<Self>, _: &SlotCounter) -> Removal {
        Removal { left: None, removed: None }
    }

    fn end_without_receiver(&self, _: &SlotCounter) {}

    fn is_live(&self, _: u64) -> bool {
        true
    }

    fn share(self: Rc<Self>, _: u64, _: AnyLink) -> Rc<dyn AnySlots> {
        self
    }

    fn unshare(self: Rc<Self>, _: OwnState) -> Rc<dyn AnySlots> {
        self
    }
}

/// Implements [`AnySlots::downcast_into`].
#[inline]
pub(crate) fn downcast_into<T: ?Sized + 'static, S: Slots<T> + 'static>(
    slots: Rc<S>,
    to: &mut dyn Any,
) {
    // No drop glue for unwinding on the path of emissions: the downcast does not panic.
    let slots = ManuallyDrop::new(slots);
    let to = to.downcast_mut::<Option<Rc<dyn Slots<T>>>>();
    let slots = ManuallyDrop::into_inner(slots);
    if let Some(to) = to {
        *to = Some(slots);
    }
}

fn is_at<T: ?Sized>(slot: &Rc<dyn Slot<T>>, sequence: u64) -> bool {
    slot.state().sequence() == sequence && !slot.state().is_vacant()
}

/// Shorter lists are not swept.
const SMALL: usize = 16;
