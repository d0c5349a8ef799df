//! Reading: starts, pauses and resumes it, for the program and for full queues.

use std::sync::atomic::Ordering;

use crate::session::Session;

impl Session {
    /// Starts reading, from the loop's next turn on.
    pub(crate) fn start_reading(&self) {
        let state = self.lock();
        self.is_reading_started.store(true, Ordering::Relaxed);
        // A driver in the middle of a turn needs another one: it checks this at the beginning.
        if let Some(stream) = &state.stream {
            stream.source().wake();
        }
    }

    /// Resets reading for another connection.
    ///
    /// A pause of the program and full queues remain.
    pub(super) fn reset_reading(&self) {
        self.is_reading_started.store(false, Ordering::Relaxed);
        self.pauses.fetch_and(!OVER_RATE, Ordering::AcqRel);
    }

    /// Pauses reading behind the current message, or resumes it, for the program.
    pub(crate) fn pause_reading(&self, is_paused: bool) {
        self.set_pause(PAUSED, is_paused);
    }

    /// Holds reading while the connection is over its rate, or releases it.
    pub(super) fn set_over_rate(&self, is_over_rate: bool) {
        self.set_pause(OVER_RATE, is_over_rate);
    }

    fn set_pause(&self, reason: u32, is_set: bool) {
        if is_set {
            self.pauses.fetch_or(reason, Ordering::AcqRel);
        } else {
            self.pauses.fetch_and(!reason, Ordering::AcqRel);
            self.wake_driver();
        }
    }

    /// Holds reading behind the current message, for a full queue.
    ///
    /// It ends with as many calls of [`release_reading`](Self::release_reading).
    pub(crate) fn hold_reading(&self) {
        self.pauses.fetch_add(HELD, Ordering::AcqRel);
    }

    pub(crate) fn release_reading(&self) {
        self.pauses.fetch_sub(HELD, Ordering::AcqRel);
        self.wake_driver();
    }

    /// Returns whether the program has paused reading.
    pub(crate) fn is_paused_by_program(&self) -> bool {
        self.pauses.load(Ordering::Acquire) & PAUSED != 0
    }

    /// Returns whether reading is paused or held.
    pub(super) fn is_paused(&self) -> bool {
        self.pauses.load(Ordering::Acquire) != 0
    }
}

/// The program has paused reading.
const PAUSED: u32 = 1;
/// The connection is over its rate.
const OVER_RATE: u32 = 2;
/// One hold of a full queue; holds are counted in the bits above the others.
const HELD: u32 = 4;
