//! Whether a connection reads, and who keeps it from that.

use std::sync::atomic::Ordering;

use crate::session::Session;

impl Session {
    /// Allows the driver to read, from the loop's next turn on.
    pub(crate) fn start_reading(&self) {
        let mut state = self.lock();
        state.is_reading_started = true;
        // Also a driver that is in a turn has to look again: it asks for this at the beginning.
        if let Some(stream) = &state.stream {
            stream.source().wake();
        }
    }

    /// Stops reading after the message that is being delivered, or goes on, as the program wishes.
    pub(crate) fn pause_reading(&self, is_paused: bool) {
        if is_paused {
            self.pauses.fetch_or(PAUSED, Ordering::AcqRel);
        } else {
            self.pauses.fetch_and(!PAUSED, Ordering::AcqRel);
            self.wake_driver();
        }
    }

    /// Stops reading after the message that is being delivered, until as many have called
    /// [`release_reading`](Self::release_reading).
    pub(crate) fn hold_reading(&self) {
        self.pauses.fetch_add(HELD, Ordering::AcqRel);
    }

    pub(crate) fn release_reading(&self) {
        self.pauses.fetch_sub(HELD, Ordering::AcqRel);
        self.wake_driver();
    }

    /// Returns whether the program has stopped reading.
    pub(crate) fn is_paused_by_program(&self) -> bool {
        self.pauses.load(Ordering::Acquire) & PAUSED != 0
    }

    /// Returns whether the connection is driven by the calling thread, or has ended.
    pub(crate) fn is_of_this_thread(&self) -> bool {
        self.lock().stream.as_ref().is_none_or(|stream| stream.source().is_of_this_thread())
    }

    pub(super) fn is_paused(&self) -> bool {
        self.pauses.load(Ordering::Acquire) != 0
    }

    pub(super) fn wake_driver(&self) {
        if let Some(stream) = &self.lock().stream {
            stream.source().wake();
        }
    }
}

/// The program has stopped reading.
const PAUSED: u32 = 1;
/// Somebody holds it back for whom enough has come.
const HELD: u32 = 2;
