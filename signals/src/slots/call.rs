//! What is behind a slot: the user's function and the receiver it works on.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::Location;

use crate::receiver::Receiver;
use crate::receiver::weak::WeakReceiver;

/// A slot's function, as the emission sees it.
pub(crate) trait Call<T: ?Sized> {
    /// Calls the function, or `disconnect` when the receiver is gone.
    fn call(&self, value: &T, disconnect: &dyn Fn());

    /// Tells whether the receiver still exists.
    fn is_live(&self) -> bool;

    /// Returns a strong handle to the sender, if the slot gets it.
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
    fn call(&self, value: &T, disconnect: &dyn Fn()) {
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
    fn call(&self, value: &T, disconnect: &dyn Fn()) {
        // Disconnected before it runs: a recursive emission must not come here again.
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

/// Makes a slot that changes its captures from one that must not be entered twice.
#[track_caller]
pub(crate) fn exclusive<S, T: ?Sized>(slot: impl FnMut(&S, &T)) -> impl Fn(&S, &T) {
    let location = Location::caller();
    let slot = RefCell::new(slot);
    move |receiver, value| match slot.try_borrow_mut() {
        // The borrow lasts while the slot runs: that nobody else enters it is its promise.
        Ok(mut slot) => slot(receiver, value),
        Err(_) => entered_twice(location),
    }
}

#[cold]
#[expect(clippy::panic, reason = "documented: there is no other way out of the emission")]
fn entered_twice(location: &Location<'_>) -> ! {
    panic!(
        "the slot connected with connect_mut at {location} was called again while it was running; \
         use connect with a Cell or RefCell, or connect_queued"
    )
}
