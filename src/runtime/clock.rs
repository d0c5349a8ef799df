//! The clock that deadlines go by: the system's monotonic one, which tests can stop and move.

use std::time::Instant;

/// Returns the time.
pub(crate) fn now() -> Instant {
    #[cfg(any(test, fuzzing))]
    if let Some(stopped) = testing::stopped_at() {
        return stopped;
    }
    Instant::now()
}

/// What tests do to the clock of their thread.
#[cfg(any(test, fuzzing))]
pub(crate) mod testing {
    use std::cell::Cell;
    use std::time::{Duration, Instant};

    use super::now;
    use crate::runtime::timers::Timers;

    /// Stops the clock until this is dropped.
    #[must_use = "the clock goes on when this is dropped"]
    pub(crate) struct StoppedClock {
        now: Instant,
    }

    impl StoppedClock {
        pub(crate) fn new() -> Self {
            let clock = Self { now: now() };
            STOPPED_AT.set(Some(clock.now));
            clock
        }

        /// Moves the clock, and wakes everybody whose deadline passes.
        pub(crate) fn advance(&mut self, duration: Duration) {
            self.now += duration;
            STOPPED_AT.set(Some(self.now));
            Timers::current().fire();
        }
    }

    impl Drop for StoppedClock {
        fn drop(&mut self) {
            STOPPED_AT.set(None);
        }
    }

    pub(crate) fn stopped_at() -> Option<Instant> {
        STOPPED_AT.try_with(Cell::get).ok().flatten()
    }

    thread_local! {
        static STOPPED_AT: Cell<Option<Instant>> = const { Cell::new(None) };
    }
}
