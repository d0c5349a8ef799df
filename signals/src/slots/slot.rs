//! One slot of a thread: its standing and its function, in one piece.

use std::any::Any;
use std::marker::PhantomData;
use std::rc::Rc;

use crate::signal::slot_group::Group;
use crate::signal::target::Order;
use crate::slots::any_slots::{Slots, Stored, give};
use crate::slots::call::Call;
use crate::slots::list::List;
use crate::slots::slot_state::Standing;
use crate::thread::slow_slots::{Origin, watched};

/// A slot, as its list sees it.
pub(crate) trait Slot<T: ?Sized>: Slots<T> {
    fn standing(&self) -> &Standing;

    fn standing_mut(&mut self) -> &mut Standing;

    /// Tells whether the receiver still exists.
    fn is_live(&self) -> bool;
}

/// A slot whose function is of the type `C`.
pub(crate) struct Bound<T: ?Sized, C> {
    standing: Standing,
    call: C,
    origin: Origin,
    value: PhantomData<fn(&T)>,
}

impl<T: ?Sized, C> Bound<T, C> {
    pub(crate) fn new(standing: Standing, call: C, origin: Origin) -> Self {
        Self { standing, call, origin, value: PhantomData }
    }
}

impl<T: ?Sized + 'static, C: Call<T>> Bound<T, C> {
    #[inline]
    fn run(&self, group: &Group<T>, value: &T) {
        watched(self.origin, || self.call.call(value, &|| group.disconnect(&self.standing)));
    }
}

impl<T: ?Sized + 'static, C: Call<T> + 'static> Slot<T> for Bound<T, C> {
    fn standing(&self) -> &Standing {
        &self.standing
    }

    fn standing_mut(&mut self) -> &mut Standing {
        &mut self.standing
    }

    fn is_live(&self) -> bool {
        self.call.is_live()
    }
}

impl<T: ?Sized + 'static, C: Call<T> + 'static> Slots<T> for Bound<T, C> {
    fn call(&self, group: &Group<T>, value: &T) {
        // Asked anew before each call: the slots before it may have disconnected it.
        if self.standing.is_callable(group.census()) {
            self.run(group, value);
        }
    }

    fn deliver(&self, order: &Order<T>, value: &T) {
        let group = &order.group;
        if order.is_for(&self.standing) && self.standing.is_deliverable(group.census()) {
            self.run(group, value);
        }
    }

    fn has_queued(&self) -> bool {
        self.standing.is_queued()
    }

    fn queued_sender(&self) -> Option<Box<dyn Any>> {
        if self.standing.is_queued() { self.call.sender() } else { None }
    }

    fn into_list(self: Rc<Self>) -> List<T> {
        List::One(self)
    }
}

impl<T: ?Sized + 'static, C: Call<T> + 'static> Stored for Bound<T, C> {
    fn give(self: Rc<Self>, to: &mut dyn Any) {
        give::<T, Self>(self, to);
    }
}
