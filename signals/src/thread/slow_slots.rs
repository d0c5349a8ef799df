//! Warnings of slow slots, which block their thread.

use std::time::Duration;

pub use watch::Origin;

/// Logs a warning for each slot of this thread that runs for longer than `limit`.
///
/// Works in debug builds only, but for WebAssembly, and costs nothing in others. The default is
/// `None`: no warnings. A warning has the line in which the slot was connected. Each poll of an async
/// slot is measured separately. An event loop calls this function for its thread, and again when a
/// nested loop ends: a call inside a slot restarts the measurement of that slot.
///
/// # Qt
///
/// Qt has no counterpart.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use slotwork_signals::warn_of_slow_slots;
///
/// warn_of_slow_slots(Some(Duration::from_millis(50)));
/// ```
pub fn warn_of_slow_slots(limit: Option<Duration>) {
    watch::set_limit(limit);
}

/// Calls the slot that was connected at `origin`; warns if it is slow.
#[inline]
pub(crate) fn watched<T>(origin: Origin, call: impl FnOnce() -> T) -> T {
    watch::call("slot connected", origin, call)
}

/// Makes another call, such as a "call posted" at `origin`; warns if it is slow.
#[inline]
pub fn watched_call<T>(what: &'static str, origin: Origin, call: impl FnOnce() -> T) -> T {
    watch::call(what, origin, call)
}

#[cfg(all(debug_assertions, not(target_family = "wasm")))]
mod watch {
    use std::cell::Cell;
    use std::panic::Location;
    use std::time::{Duration, Instant};

    /// The line in which a slot was connected or a call was posted.
    #[derive(Clone, Copy, Debug)]
    pub struct Origin(&'static Location<'static>);

    impl Origin {
        pub(crate) fn new(location: &'static Location<'static>) -> Self {
            Self(location)
        }

        /// Returns the line of the caller.
        #[must_use]
        #[track_caller]
        pub fn here() -> Self {
            Self(Location::caller())
        }
    }

    pub(super) fn set_limit(limit: Option<Duration>) {
        LIMIT.set(limit);
        BEGIN.set(Some(Instant::now()));
    }

    pub(super) fn call<T>(what: &str, Origin(location): Origin, call: impl FnOnce() -> T) -> T {
        let Some(limit) = LIMIT.get() else { return call() };
        let outer = Outer(BEGIN.replace(Some(Instant::now())));
        let result = call();
        let time = BEGIN.get().map(|begin| begin.elapsed()).unwrap_or_default();
        if time > limit {
            let time = time.as_millis();
            log::warn!("the {what} at {location} blocked its thread for {time} ms");
            // The time does not count for an enclosing slot.
            drop(outer);
            BEGIN.set(Some(Instant::now()));
        }
        result
    }

    /// The begin of the enclosing slot; restored when the inner slot has ended.
    struct Outer(Option<Instant>);

    impl Drop for Outer {
        fn drop(&mut self) {
            BEGIN.set(self.0);
        }
    }

    std::thread_local! {
        static LIMIT: Cell<Option<Duration>> = const { Cell::new(None) };
        static BEGIN: Cell<Option<Instant>> = const { Cell::new(None) };
    }
}

#[cfg(any(not(debug_assertions), target_family = "wasm"))]
mod watch {
    use std::panic::Location;
    use std::time::Duration;

    /// Empty, because these builds have no warnings.
    #[derive(Clone, Copy, Debug)]
    pub struct Origin;

    impl Origin {
        #[inline]
        pub(crate) fn new(_location: &'static Location<'static>) -> Self {
            Self
        }

        /// Returns the empty origin.
        #[inline]
        #[must_use]
        pub fn here() -> Self {
            Self
        }
    }

    pub(super) fn set_limit(_limit: Option<Duration>) {}

    #[inline]
    pub(super) fn call<T>(_what: &str, _origin: Origin, call: impl FnOnce() -> T) -> T {
        call()
    }
}
