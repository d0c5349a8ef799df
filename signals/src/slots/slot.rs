//! Connected slots: the state and the call of a slot, in one allocation.

use std::any::Any;
use std::marker::PhantomData;
use std::rc::Rc;

use crate::connection::slot_counter::SlotCounter;
use crate::slots::call::Call;
use crate::slots::list::{List, Slot, Slots, downcast_into};
use crate::slots::list_handle::ListHandle;
use crate::slots::part::{Poster, Posting};
use crate::slots::slot_state::{SlotState, Target};
use crate::thread::slot_table::{AnyLink, AnySlots, OwnState, Removal};
use crate::thread::slow_slots::{Origin, watched};

/// A slot with its call; `P` makes queued calls.
pub(crate) struct ConnectedSlot<T: ?Sized, C, P> {
    state: SlotState,
    call: C,
    origin: Origin,
    value: PhantomData<fn(&T) -> P>,
}

impl<T: ?Sized, C, P> ConnectedSlot<T, C, P> {
    pub(crate) fn new(state: SlotState, call: C, origin: Origin) -> Self {
        Self { state, call, origin, value: PhantomData }
    }
}

impl<T: ?Sized + 'static, C: Call<T>, P> ConnectedSlot<T, C, P> {
    #[inline]
    fn run(&self, handle: &ListHandle, value: &T, sender: Option<&dyn Any>) {
        let disconnect = || handle.disconnect(&self.state);
        watched(self.origin, || self.call.call(value, sender, &disconnect));
    }
}

impl<T, C, P> Slot<T> for ConnectedSlot<T, C, P>
where
    T: ?Sized + 'static,
    C: Call<T> + 'static,
    P: Posting<T> + 'static,
{
    fn state(&self) -> &SlotState {
        &self.state
    }

    fn state_mut(&mut self) -> &mut SlotState {
        &mut self.state
    }

    fn has_receiver(&self) -> bool {
        self.call.is_live()
    }
}

impl<T, C, P> Slots<T> for ConnectedSlot<T, C, P>
where
    T: ?Sized + 'static,
    C: Call<T> + 'static,
    P: Posting<T> + 'static,
{
    fn call(&self, handle: &ListHandle, value: &T) {
        // Checked before each call: an earlier slot may have disconnected this one.
        if self.state.is_callable(handle.counter()) {
            self.run(handle, value, None);
        }
    }

    fn call_from(&self, handle: &ListHandle, value: &T, sender: &dyn Any) {
        if self.state.is_callable(handle.counter()) {
            self.run(handle, value, Some(sender));
        }
    }

    fn deliver(&self, handle: &ListHandle, target: &Target, value: &T) {
        if target.is_for(&self.state) && self.state.is_deliverable(handle.counter()) {
            self.run(handle, value, None);
        }
    }

    fn has_queued(&self) -> bool {
        self.state.is_queued()
    }

    fn queued_poster(&self) -> Option<Poster<T>> {
        if self.state.is_queued() { P::POSTER } else { None }
    }

    fn queued_sender(&self) -> Option<Box<dyn Any>> {
        if self.state.is_queued() { self.call.sender() } else { None }
    }

    fn into_list(self: Rc<Self>) -> List<T> {
        List::One(self)
    }
}

impl<T, C, P> AnySlots for ConnectedSlot<T, C, P>
where
    T: ?Sized + 'static,
    C: Call<T> + 'static,
    P: Posting<T> + 'static,
{
    fn downcast_into(self: Rc<Self>, to: &mut dyn Any) {
        downcast_into::<T, Self>(self, to);
    }

    fn without(self: Rc<Self>, sequence: u64) -> Removal {
        let is_removed = self.state.sequence() == sequence;
        Removal::of_one(self, is_removed)
    }

    fn without_ended(self: Rc<Self>, counter: &SlotCounter) -> Removal {
        let is_removed = self.state.is_ended(counter);
        Removal::of_one(self, is_removed)
    }

    fn end_without_receiver(&self, counter: &SlotCounter) {
        if !self.call.is_live() {
            self.state.end(counter);
        }
    }

    fn is_live(&self, sequence: u64) -> bool {
        self.state.sequence() != sequence || self.call.is_live()
    }

    fn share(mut self: Rc<Self>, sequence: u64, link: AnyLink) -> Rc<dyn AnySlots> {
        if let Some(slot) = Rc::get_mut(&mut self)
            && slot.state.sequence() == sequence
            && let Ok(link) = link.downcast()
        {
            slot.state = SlotState::shared(link);
        }
        self
    }

    fn unshare(mut self: Rc<Self>, state: OwnState) -> Rc<dyn AnySlots> {
        if let Some(slot) = Rc::get_mut(&mut self)
            && slot.state.sequence() == state.sequence
        {
            slot.state = SlotState::unshared(state);
        }
        self
    }
}
