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

    /// Pauses reading behind the current message, or resumes it, for the program.
    pub(crate) fn pause_reading(&self, is_paused: bool) {
        if is_paused {
            self.pauses.fetch_or(PAUSED, Ordering::AcqRel);
        } else {
            self.pauses.fetch_and(!PAUSED, Ordering::AcqRel);
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
    pub(in crate::session) fn is_paused(&self) -> bool {
        self.pauses.load(Ordering::Acquire) != 0
    }
}

/// The program has paused reading.
const PAUSED: u32 = 1;
/// One hold of a full queue; holds are counted in the bits above [`PAUSED`].
const HELD: u32 = 2;
