//! The weak handle of a socket notifier.

use std::fmt;
use std::os::fd::AsFd;
use std::rc::Weak;

use crate::event_loop::socket_notifier::SocketNotifier;
use crate::event_loop::socket_notifier::state::Inner;

/// A handle that does not keep its [`SocketNotifier`] alive.
pub struct WeakSocketNotifier<D: AsFd> {
    inner: Weak<Inner<D>>,
}

impl<D: AsFd> WeakSocketNotifier<D> {
    pub(super) fn new(inner: Weak<Inner<D>>) -> Self {
        Self { inner }
    }

    /// Returns the notifier, unless it is gone.
    #[must_use]
    pub fn upgrade(&self) -> Option<SocketNotifier<D>> {
        Some(SocketNotifier { inner: self.inner.upgrade()? })
    }
}

impl<D: AsFd> Clone for WeakSocketNotifier<D> {
    fn clone(&self) -> Self {
        Self { inner: Weak::clone(&self.inner) }
    }
}

impl<D: AsFd> fmt::Debug for WeakSocketNotifier<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakSocketNotifier").finish_non_exhaustive()
    }
}
