//! Blocking a signal for a while.

use crate::slots::emission_flags::EmissionFlags;

/// Makes the emissions of a signal do nothing, until it is dropped.
///
/// Made by [`Signal::block`](crate::Signal::block). Blockers nest: the signal is emitted again when
/// the last one is gone. Calls that were queued before are still delivered.
///
/// # Qt
///
/// `QSignalBlocker`, for one signal instead of all signals of an object.
///
/// # Examples
///
/// ```
/// use slotwork_signals::Signal;
///
/// let changed = Signal::<i32>::new();
/// let (outer, inner) = (changed.block(), changed.block());
/// drop(inner);
/// assert!(changed.is_blocked());
/// drop(outer);
/// assert!(!changed.is_blocked());
/// ```
#[derive(Debug)]
pub struct SignalBlocker<'a> {
    flags: Option<&'a EmissionFlags>,
}

impl<'a> SignalBlocker<'a> {
    pub(crate) fn new(flags: Option<&'a EmissionFlags>) -> Self {
        if let Some(flags) = flags {
            flags.block();
        }
        Self { flags }
    }
}

impl Drop for SignalBlocker<'_> {
    fn drop(&mut self) {
        if let Some(flags) = self.flags {
            flags.unblock();
        }
    }
}
