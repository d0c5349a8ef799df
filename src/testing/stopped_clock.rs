//! A clock that stands still until a test moves it.
//!
//! A file of its own: it acts on the clock and on the deadlines, which know nothing of it.

use std::time::{Duration, Instant};

use crate::runtime::clock;
use crate::runtime::timers::Timers;

/// Stops the clock of this thread until it is dropped.
#[must_use = "the clock runs again when this is dropped"]
pub(crate) struct StoppedClock {
    now: Instant,
}

impl StoppedClock {
    pub(crate) fn new() -> Self {
        let clock = Self { now: clock::now() };
        clock::set_stopped_at(Some(clock.now));
        clock
    }

    /// Moves the clock; the deadlines that pass expire.
    pub(crate) fn advance(&mut self, duration: Duration) {
        self.now += duration;
        clock::set_stopped_at(Some(self.now));
        Timers::current().fire();
    }
}

impl Drop for StoppedClock {
    fn drop(&mut self) {
        clock::set_stopped_at(None);
    }
}
