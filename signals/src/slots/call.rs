//! The call of a slot: the user's function and its receiver.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::Location;

use crate::receiver::Receiver;
use crate::receiver::weak::WeakReceiver;

/// A slot's function with its receiver.
pub(crate) trait Call<T: ?Sized> {
    /// Calls the function, or `disconnect` if the receiver is dropped.
    ///
    /// A `sender` is the strong handle with which a host emits: a slot that takes the sender needs no
    /// handle of its own then.
    fn call(&self, value: &T, sender: Option<&dyn Any>, disconnect: &dyn Fn());

    /// Returns whether the receiver still exists.
    fn is_live(&self) -> bool;

    /// Returns a strong handle to the sender, if the slot takes it.
    fn sender(&self) -> Option<Box<dyn Any>>;
}

/// A function that is called at each emission.
pub(crate) struct Repeated<W, F> {
    receiver: W,
    slot: F,
}

/// A function that is called at the first emission only.
pub(crate) struct Once<W, F> {
    receiver: W,
    slot: Cell<Option<F>>,
}

impl<W, F> Repeated<W, F> {
    pub(crate) fn new<R: Receiver<Weak = W>>(receiver: R, slot: F) -> Self {
        Self { receiver: receiver.downgrade(), slot }
    }
}

impl<W, F> Once<W, F> {
    pub(crate) fn new<R: Receiver<Weak = W>>(receiver: R, slot: F) -> Self {
        Self { receiver: receiver.downgrade(), slot: Cell::new(Some(slot)) }
    }
}

impl<T, W, F> Call<T> for Repeated<W, F>
where
    T: ?Sized,
    W: WeakReceiver,
    F: Fn(&W::Strong, &T),
{
    #[inline]
    fn call(&self, value: &T, sender: Option<&dyn Any>, disconnect: &dyn Fn()) {
        if let Some(receiver) = self.receiver.strong_of(sender) {
            return (self.slot)(receiver, value);
        }
        match self.receiver.upgrade() {
            Some(receiver) => (self.slot)(&receiver, value),
            None => disconnect(),
        }
    }

    fn is_live(&self) -> bool {
        self.receiver.upgrade().is_some()
    }

    fn sender(&self) -> Option<Box<dyn Any>> {
        self.receiver.sender()
    }
}

impl<T, W, F> Call<T> for Once<W, F>
where
    T: ?Sized,
    W: WeakReceiver,
    F: FnOnce(&W::Strong, &T),
{
    fn call(&self, value: &T, _sender: Option<&dyn Any>, disconnect: &dyn Fn()) {
        // Disconnected before it runs, for the case of a recursive emission.
        disconnect();
        if let (Some(receiver), Some(slot)) = (self.receiver.upgrade(), self.slot.take()) {
            slot(&receiver, value);
        }
    }

    fn is_live(&self) -> bool {
        self.receiver.upgrade().is_some()
    }

    fn sender(&self) -> Option<Box<dyn Any>> {
        self.receiver.sender()
    }
}

/// Makes an `Fn` slot of an `FnMut` one; a recursive call panics.
#[track_caller]
pub(crate) fn exclusive<S, T: ?Sized>(slot: impl FnMut(&S, &T)) -> impl Fn(&S, &T) {
    let location = Location::caller();
    let slot = RefCell::new(slot);
    move |receiver, value| match slot.try_borrow_mut() {
        // Borrowed while the slot runs: exclusive access is what `FnMut` requires.
        Ok(mut slot) => slot(receiver, value),
        Err(_) => refuse_recursion(location),
    }
}

#[cold]
#[expect(clippy::panic, reason = "documented: an emission cannot return an error")]
fn refuse_recursion(location: &Location<'_>) -> ! {
    panic!(
        "the slot connected with connect_mut at {location} was called again while it was running; \
         use connect with a Cell or RefCell, or queued()"
    )
}
