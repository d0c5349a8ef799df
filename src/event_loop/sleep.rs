//! When a loop may sleep, and who has to wake it.
//!
//! A notification from the loop's own thread sets a flag. One from elsewhere has to end the sleep
//! too, which costs a system call: only while the loop sleeps and nobody has woken it yet.
//! `tests/models` tries every order of the steps that two threads take here.

use crate::sync::{AtomicBool, Ordering};

/// Whether a loop has something to look at, and whether it sleeps.
pub(crate) struct Sleep {
    is_notified: AtomicBool,
    is_asleep: AtomicBool,
}

impl Sleep {
    /// A loop that does not run is asleep: whoever polls its descriptor is to be told.
    pub(crate) fn new() -> Self {
        Self { is_notified: AtomicBool::new(false), is_asleep: AtomicBool::new(true) }
    }

    /// Notes that there is something to look at; returns whether the caller has to end a sleep.
    pub(crate) fn notify(&self) -> bool {
        let is_first = !self.is_notified.swap(true, Ordering::SeqCst);
        is_first && self.is_asleep.load(Ordering::SeqCst)
    }

    /// Notes that everything is about to be looked at: what is notified from now on counts anew.
    pub(crate) fn clear_notified(&self) {
        self.is_notified.store(false, Ordering::SeqCst);
    }

    /// Announces a sleep and returns whether it may last, because nobody has notified the loop.
    pub(crate) fn fall_asleep(&self) -> bool {
        self.is_asleep.store(true, Ordering::SeqCst);
        !self.is_notified()
    }

    pub(crate) fn wake_up(&self) {
        self.is_asleep.store(false, Ordering::SeqCst);
    }

    pub(crate) fn is_notified(&self) -> bool {
        self.is_notified.load(Ordering::SeqCst)
    }
}
