//! Connected slots: the state and the call of a slot, in one allocation.

use std::any::Any;
use std::marker::PhantomData;
use std::rc::Rc;

use crate::slots::call::Call;
use crate::slots::list::{List, Slot, Slots, downcast_into};
use crate::slots::list_handle::ListHandle;
use crate::slots::slot_state::{SlotState, Target};
use crate::thread::slot_table::{AnySlots, OwnState, Removal};
use crate::thread::slow_slots::{Origin, watched};

/// A slot with its call.
pub(crate) struct ConnectedSlot<T: ?Sized, C> {
    state: SlotState,
    call: C,
    origin: Origin,
    value: PhantomData<fn(&T)>,
}

impl<T: ?Sized, C> ConnectedSlot<T, C> {
    pub(crate) fn new(state: SlotState, call: C, origin: Origin) -> Self {
        Self { state, call, origin, value: PhantomData }
    }
}

impl<T: ?Sized + 'static, C: Call<T>> ConnectedSlot<T, C> {
    #[inline]
    fn run(&self, handle: &ListHandle, value: &T) {
        watched(self.origin, || self.call.call(value, &|| handle.disconnect(&self.state)));
    }
}

impl<T: ?Sized + 'static, C: Call<T> + 'static> Slot<T> for ConnectedSlot<T, C> {
    fn state(&self) -> &SlotState {
        &self.state
    }

    fn state_mut(&mut self) -> &mut SlotState {
        &mut self.state
    }

    fn is_live(&self) -> bool {
        self.call.is_live()
    }
}

impl<T: ?Sized + 'static, C: Call<T> + 'static> Slots<T> for ConnectedSlot<T, C> {
    fn call(&self, handle: &ListHandle, value: &T) {
        // Checked before each call: an earlier slot may have disconnected this one.
        if self.state.is_callable(handle.counter()) {
            self.run(handle, value);
        }
    }

    fn deliver(&self, handle: &ListHandle, target: &Target, value: &T) {
        if target.is_for(&self.state) && self.state.is_deliverable(handle.counter()) {
            self.run(handle, value);
        }
    }

    fn has_queued(&self) -> bool {
        self.state.is_queued()
    }

    fn queued_sender(&self) -> Option<Box<dyn Any>> {
        if self.state.is_queued() { self.call.sender() } else { None }
    }

    fn into_list(self: Rc<Self>) -> List<T> {
        List::One(self)
    }
}

impl<T: ?Sized + 'static, C: Call<T> + 'static> AnySlots for ConnectedSlot<T, C> {
    fn downcast_into(self: Rc<Self>, to: &mut dyn Any) {
        downcast_into::<T, Self>(self, to);
    }

    fn without(self: Rc<Self>, sequence: u64) -> Removal {
        if self.state.sequence() == sequence {
            Removal { left: None, removed: Some(self) }
        } else {
            Removal { left: Some(self), removed: None }
        }
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
