//! The slots that a queued call is meant for.

use crate::link::Link;

/// Which slots of a list a queued call is meant for.
#[derive(Clone, Copy)]
pub(crate) struct Order {
    /// Where the thread keeps the slots.
    pub(crate) index: u32,
    /// The last connection of the thread when the signal was emitted.
    pub(crate) last: u64,
    /// Whether the emission has called the others itself.
    pub(crate) only_queued: bool,
}

impl Order {
    pub(crate) fn is_for(&self, link: &Link) -> bool {
        let is_kind = if self.only_queued { link.is_queued() } else { !link.is_local() };
        is_kind && link.sequence() <= self.last
    }
}
