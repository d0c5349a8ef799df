//! Weak receivers: the weak handles that connections hold.

use std::any::Any;
use std::fmt;
use std::rc::Rc;

use crate::receiver::handle::Handle;

/// The weak form of a [`Receiver`](crate::Receiver), which its connection holds.
///
/// # Qt
///
/// `QPointer` to the receiver.
pub trait WeakReceiver: 'static {
    /// The argument of the slot.
    ///
    /// # Qt
    ///
    /// The `this` pointer of a slot.
    type Strong: 'static;

    /// Returns the argument of the slot, or `None` if the receiver is dropped.
    ///
    /// # Qt
    ///
    /// `QPointer::data()`; but the receiver is kept alive meanwhile.
    fn upgrade(&self) -> Option<Self::Strong>;

    /// Returns the argument of the slot, if it is the sender of the emission.
    #[doc(hidden)]
    #[inline]
    fn strong_of<'a>(&self, _sender: Option<&'a dyn Any>) -> Option<&'a Self::Strong> {
        None
    }

    /// Returns a strong handle to the sender, if the slot takes it.
    #[doc(hidden)]
    fn sender(&self) -> Option<Box<dyn Any>> {
        None
    }
}

/// The weak form of a receiver that is a [`Handle`].
///
/// # Qt
///
/// `QPointer`.
pub struct WeakHandle<H: Handle>(H::Weak);

impl<H: Handle> WeakHandle<H> {
    pub(crate) fn new(handle: &H) -> Self {
        Self(handle.downgrade())
    }
}

impl<H: Handle> WeakReceiver for WeakHandle<H> {
    type Strong = H;

    #[inline]
    fn upgrade(&self) -> Option<H> {
        H::upgrade(&self.0)
    }
}

/// The weak form of a sender.
pub(crate) struct WeakSender<S: Handle>(S::Weak);

impl<S: Handle> WeakSender<S> {
    pub(crate) fn new(sender: &S) -> Self {
        Self(sender.downgrade())
    }
}

impl<S: Handle> WeakReceiver for WeakSender<S> {
    type Strong = S;

    #[inline]
    fn upgrade(&self) -> Option<S> {
        S::upgrade(&self.0)
    }

    /// Slots of a group that take the sender all have the same one.
    #[inline]
    fn strong_of<'a>(&self, sender: Option<&'a dyn Any>) -> Option<&'a S> {
        sender?.downcast_ref()
    }

    fn sender(&self) -> Option<Box<dyn Any>> {
        Some(Box::new(self.upgrade()?))
    }
}

/// The weak form of the receiver of an async slot, which its runs share.
pub(crate) struct DeferredWeak<W>(Rc<W>);

impl<W> DeferredWeak<W> {
    pub(crate) fn new(weak: W) -> Self {
        Self(Rc::new(weak))
    }
}

impl<W: WeakReceiver> WeakReceiver for DeferredWeak<W> {
    type Strong = Rc<W>;

    fn upgrade(&self) -> Option<Rc<W>> {
        self.0.upgrade().map(|_strong| Rc::clone(&self.0))
    }

    fn sender(&self) -> Option<Box<dyn Any>> {
        self.0.sender()
    }
}

impl<H: Handle> fmt::Debug for WeakHandle<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakHandle").finish_non_exhaustive()
    }
}

impl WeakReceiver for () {
    type Strong = ();

    #[inline]
    fn upgrade(&self) -> Option<()> {
        Some(())
    }
}
