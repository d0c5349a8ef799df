//! The slots that a queued call is meant for.

use std::sync::Arc;

use crate::signal::slot_group::SlotGroup;
use crate::slots::slot_state::SlotState;

/// Which slots a queued call is meant for.
pub(crate) struct Target<T: ?Sized> {
    pub(crate) group: Arc<SlotGroup<T>>,
    /// The last connection of the thread when the signal was emitted.
    pub(crate) last: u64,
    /// Whether the emission has called the others itself.
    pub(crate) only_queued: bool,
}

impl<T: ?Sized> Target<T> {
    pub(crate) fn is_for(&self, slot: &SlotState) -> bool {
        let is_kind = if self.only_queued { slot.is_queued() } else { !slot.is_local() };
        is_kind && slot.sequence() <= self.last
    }
}
