//! What connections hold of their receivers.

use std::fmt;

use crate::handle::Handle;

/// What a connection holds of its [`Receiver`](crate::Receiver).
pub trait WeakReceiver: 'static {
    /// What the slot is lent.
    type Strong: 'static;

    /// Returns what the slot is lent, or `None` when the receiver is gone.
    fn upgrade(&self) -> Option<Self::Strong>;
}

/// What a connection holds of a receiver that is a [`Handle`].
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
