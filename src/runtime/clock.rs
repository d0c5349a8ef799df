//! The clock of all deadlines, which is monotonic, and which tests stop and move.
//!
//! A file of its own, because every floor reads the time here.

#[cfg(any(test, fuzzing))]
use std::cell::Cell;
use std::time::Instant;

/// Returns the current time.
pub(crate) fn now() -> Instant {
    #[cfg(any(test, fuzzing))]
    if let Some(stopped) = STOPPED_AT.try_with(Cell::get).ok().flatten() {
        return stopped;
    }
    Instant::now()
}

/// Stops this thread's clock at an instant; `None` lets it run.
#[cfg(any(test, fuzzing))]
pub(crate) fn set_stopped_at(instant: Option<Instant>) {
    STOPPED_AT.set(instant);
}

#[cfg(any(test, fuzzing))]
thread_local! {
    static STOPPED_AT: Cell<Option<Instant>> = const { Cell::new(None) };
}
