//! The sleep of a loop, and the notifications that end it.
//!
//! A notification from the loop's own thread sets a flag. One from another thread also ends the
//! sleep, which costs a system call, but only the first one while the loop sleeps. Both are bits of
//! one number, so that each side sees what the other did first. A file of its own: `tests/models`
//! compiles it and tries every order of the threads' steps.

use crate::runtime::sync::{AtomicU8, Ordering};

/// Two flags of a loop: it is notified, and it is asleep.
pub(crate) struct Sleep(AtomicU8);

impl Sleep {
    /// A loop that does not run is asleep: its descriptor is polled by another loop.
    pub(crate) fn new() -> Self {
        Self(AtomicU8::new(ASLEEP))
    }

    /// Notifies the loop; returns whether the caller has to end its sleep.
    pub(crate) fn notify(&self) -> bool {
        self.0.fetch_or(NOTIFIED, Ordering::AcqRel) == ASLEEP
    }

    /// Clears the notification before a turn, which runs all that is ready.
    ///
    /// Returns whether there was one.
    pub(crate) fn clear_notified(&self) -> bool {
        self.is_notified() && self.0.fetch_and(!NOTIFIED, Ordering::AcqRel) & NOTIFIED != 0
    }

    /// Begins a sleep; returns whether it may last, because there is no notification.
    pub(crate) fn fall_asleep(&self) -> bool {
        self.0.fetch_or(ASLEEP, Ordering::AcqRel) & NOTIFIED == 0
    }

    pub(crate) fn wake_up(&self) {
        self.0.fetch_and(!ASLEEP, Ordering::AcqRel);
    }

    /// Returns whether the loop sleeps, or does not run; on its own thread.
    pub(crate) fn is_asleep(&self) -> bool {
        self.0.load(Ordering::Acquire) & ASLEEP != 0
    }

    pub(crate) fn is_notified(&self) -> bool {
        self.0.load(Ordering::Acquire) & NOTIFIED != 0
    }
}

const NOTIFIED: u8 = 1;
const ASLEEP: u8 = 2;
