//! The slots of signals as a thread stores them, whatever the types of the values.

use std::any::Any;
use std::mem::ManuallyDrop;
use std::rc::Rc;

use crate::signal::slot_group::SlotGroup;
use crate::signal::target::Target;
use crate::slots::list::List;

/// The slots of one signal in one thread, in a form that tells nothing of its values.
pub(crate) trait AnySlots {
    /// Puts the slots into `to`, if that is an `Option<Rc<dyn Slots<T>>>` of the same `T`.
    fn downcast_into(self: Rc<Self>, to: &mut dyn Any);
}

/// The slots of one signal in one thread.
pub(crate) trait Slots<T: ?Sized>: AnySlots {
    /// Calls the slots as an emission on their own thread does.
    fn call(&self, group: &SlotGroup<T>, value: &T);

    /// Calls the slots that a queued call is meant for.
    fn deliver(&self, target: &Target<T>, value: &T);

    /// Tells whether there are slots that always run from the queue.
    fn has_queued(&self) -> bool;

    /// Returns a strong handle to the sender, if a slot that runs from the queue gets it.
    fn queued_sender(&self) -> Option<Box<dyn Any>>;

    /// Returns the slots as a list, which can be edited.
    fn into_list(self: Rc<Self>) -> List<T>;
}

/// What [`AnySlots::give`] does for slots of a certain type.
#[inline]
pub(crate) fn downcast_into<T: ?Sized + 'static, S: Slots<T> + 'static>(
    slots: Rc<S>,
    to: &mut dyn Any,
) {
    // The compiler is not to provide for a panic here: there is none, and emissions come this way.
    let slots = ManuallyDrop::new(slots);
    let to = to.downcast_mut::<Option<Rc<dyn Slots<T>>>>();
    let slots = ManuallyDrop::into_inner(slots);
    if let Some(to) = to {
        *to = Some(slots);
    }
}
