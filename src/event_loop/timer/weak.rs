//! The weak handle of a timer.

use std::rc::Weak;

use crate::event_loop::timer::Timer;
use crate::event_loop::timer::state::Inner;

/// A handle that does not keep its [`Timer`] alive.
#[derive(Clone, Debug)]
pub struct WeakTimer {
    inner: Weak<Inner>,
}

impl WeakTimer {
    pub(super) fn new(inner: Weak<Inner>) -> Self {
        Self { inner }
    }

    /// Returns the timer, unless it is gone.
    #[must_use]
    pub fn upgrade(&self) -> Option<Timer> {
        Some(Timer { inner: self.inner.upgrade()? })
    }
}
