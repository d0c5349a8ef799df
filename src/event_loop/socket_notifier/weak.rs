//! The weak handle of a socket notifier.

use std::fmt;
use std::os::fd::AsFd;
use std::rc::Weak;

use crate::event_loop::socket_notifier::SocketNotifier;
use crate::event_loop::socket_notifier::state::State;

/// A handle that does not keep its [`SocketNotifier`] alive.
pub struct WeakSocketNotifier<D: AsFd> {
    state: Weak<State<D>>,
}

impl<D: AsFd> WeakSocketNotifier<D> {
    pub(super) fn new(state: Weak<State<D>>) -> Self {
        Self { state }
    }

    /// Returns the notifier, unless it is gone.
    #[must_use]
    pub fn upgrade(&self) -> Option<SocketNotifier<D>> {
        Some(SocketNotifier { state: self.state.upgrade()? })
    }
}

impl<D: AsFd> Clone for WeakSocketNotifier<D> {
    fn clone(&self) -> Self {
        Self { state: Weak::clone(&self.state) }
    }
}

impl<D: AsFd> fmt::Debug for WeakSocketNotifier<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakSocketNotifier").finish_non_exhaustive()
    }
}
