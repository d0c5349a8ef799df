//! When a loop may sleep, and who has to wake it.
//!
//! A notification from the loop's own thread sets a flag. One from elsewhere has to end the sleep
//! too, which costs a system call: only while the loop sleeps and nobody has woken it yet. Both are
//! bits of one number, so that each side sees what the other did first; `tests/models` tries every
//! order of the steps that threads take here.

use crate::runtime::sync::{AtomicU8, Ordering};

/// Whether a loop has something to look at, and whether it sleeps.
pub(crate) struct Sleep(AtomicU8);

impl Sleep {
    /// A loop that does not run is asleep: whoever polls its descriptor is to be told.
    pub(crate) fn new() -> Self {
        Self(AtomicU8::new(ASLEEP))
    }

    /// Notes that there is something to look at; returns whether the caller has to end a sleep.
    pub(crate) fn notify(&self) -> bool {
        self.0.fetch_or(NOTIFIED, Ordering::AcqRel) == ASLEEP
    }

    /// Notes that everything is about to be looked at: what is notified from now on counts anew.
    pub(crate) fn clear_notified(&self) {
        self.0.fetch_and(!NOTIFIED, Ordering::AcqRel);
    }

    /// Announces a sleep and returns whether it may last, because nobody has notified the loop.
    pub(crate) fn fall_asleep(&self) -> bool {
        self.0.fetch_or(ASLEEP, Ordering::AcqRel) & NOTIFIED == 0
    }

    pub(crate) fn wake_up(&self) {
        self.0.fetch_and(!ASLEEP, Ordering::AcqRel);
    }

    pub(crate) fn is_notified(&self) -> bool {
        self.0.load(Ordering::Acquire) & NOTIFIED != 0
    }
}

const NOTIFIED: u8 = 1;
const ASLEEP: u8 = 2;
