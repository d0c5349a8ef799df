//! The clock of all deadlines, which is monotonic, and which tests stop and move.
//!
//! A file of its own, because every floor reads the time here.

#[cfg(any(test, fuzzing, feature = "testing"))]
use std::cell::Cell;
use std::time::{Duration, Instant};

/// Returns the current time.
#[inline]
pub(crate) fn now() -> Instant {
    #[cfg(any(test, fuzzing, feature = "testing"))]
    if let Some(stopped) = stopped_at() {
        return stopped;
    }
    Instant::now()
}

/// Returns the time since an instant of this clock.
#[inline]
pub(crate) fn since(instant: Instant) -> Duration {
    now().saturating_duration_since(instant)
}

/// Returns whether this thread's clock stands.
#[inline]
pub(crate) fn is_stopped() -> bool {
    #[cfg(any(test, fuzzing, feature = "testing"))]
    return stopped_at().is_some();
    #[cfg(not(any(test, fuzzing, feature = "testing")))]
    false
}

/// Stops this thread's clock at an instant; `None` lets it run.
#[cfg(any(test, fuzzing, feature = "testing"))]
pub(crate) fn set_stopped_at(instant: Option<Instant>) {
    STOPPED_AT.set(instant);
}

/// Returns the instant at which this thread's clock stands; `None` while it runs.
#[cfg(any(test, fuzzing, feature = "testing"))]
pub(crate) fn stopped_at() -> Option<Instant> {
    STOPPED_AT.try_with(Cell::get).ok().flatten()
}

#[cfg(any(test, fuzzing, feature = "testing"))]
thread_local! {
    static STOPPED_AT: Cell<Option<Instant>> = const { Cell::new(None) };
}
