//! The weak handle of a timer.

use std::rc::Weak;

use crate::event_loop::timer::Timer;
use crate::event_loop::timer::state::State;

/// A handle that does not keep its [`Timer`] alive.
#[derive(Clone, Debug)]
pub struct WeakTimer {
    state: Weak<State>,
}

impl WeakTimer {
    pub(super) fn new(state: Weak<State>) -> Self {
        Self { state }
    }

    /// Returns the timer, unless it is gone.
    #[must_use]
    pub fn upgrade(&self) -> Option<Timer> {
        Some(Timer { state: self.state.upgrade()? })
    }
}
