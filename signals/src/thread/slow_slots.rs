//! Warns of slots that keep their thread from everything else.

use std::time::Duration;

pub use watch::Origin;

/// Logs a warning for each slot of this thread that runs for longer than `limit`.
///
/// In debug builds only: in others it does nothing and costs nothing. The default is `None`, no
/// warnings. The warning names the line in which the slot was connected. Each poll of an async slot
/// counts by itself. An event loop calls it for
/// its thread, and again when a loop inside a slot has ended: inside a slot, the time that the slot
/// takes counts anew from the call on.
///
/// # Qt
///
/// There is none.
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

/// Calls the slot that was connected at `origin`, and warns if that takes too long.
#[inline]
pub(crate) fn watched<T>(origin: Origin, call: impl FnOnce() -> T) -> T {
    watch::call("slot connected", origin, call)
}

/// Makes another call, such as a "call posted" at `origin`, and warns if that takes too long.
#[inline]
pub fn watched_call<T>(what: &'static str, origin: Origin, call: impl FnOnce() -> T) -> T {
    watch::call(what, origin, call)
}

#[cfg(debug_assertions)]
mod watch {
    use std::cell::Cell;
    use std::panic::Location;
    use std::time::{Duration, Instant};

    /// Where a slot was connected, or a call asked for.
    #[derive(Clone, Copy, Debug)]
    pub struct Origin(&'static Location<'static>);

    impl Origin {
        pub(crate) fn new(location: &'static Location<'static>) -> Self {
            Self(location)
        }

        /// Remembers the line of the caller.
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
            log::warn!("the {what} at {location} held its thread for {time} ms");
            // The slot around this one, if any, is not to blame for it.
            drop(outer);
            BEGIN.set(Some(Instant::now()));
        }
        result
    }

    /// When the slot around the one that runs has begun; set again when that one has ended.
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

#[cfg(not(debug_assertions))]
mod watch {
    use std::panic::Location;
    use std::time::Duration;

    /// Nothing, as nobody asks.
    #[derive(Clone, Copy, Debug)]
    pub struct Origin;

    impl Origin {
        #[inline]
        pub(crate) fn new(_location: &'static Location<'static>) -> Self {
            Self
        }

        /// Remembers nothing.
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
