//! What a slot's own thread knows of its connection.

use std::cell::Cell;
use std::sync::Arc;

use crate::connection::link::{ConnectionType, Link};
use crate::connection::slot_counter::SlotCounter;

/// Whether a slot may still run, and how.
pub(crate) enum SlotState {
    /// Somebody holds the connection: all threads share the link.
    Shared {
        /// That of nobody, so that one comparison tells that there is more to look at.
        generation: Cell<u32>,
        link: Arc<Link>,
    },
    /// Nobody does, as with most connections: the slot knows it alone, in the bytes that it has room
    /// for.
    Unshared {
        flags: Cell<u8>,
        /// The generation in which the slot was connected; made odd, and so that of no
        /// round, when emissions are not to call the slot at once.
        generation: Cell<u32>,
        /// The place in the order of all connections of the thread.
        sequence: u64,
    },
}

/// Which slots a queued call is meant for.
pub(crate) struct Target {
    /// The last connection of the thread when the signal was emitted.
    pub(crate) last: u64,
    /// Whether the emission has called the others itself.
    pub(crate) only_queued: bool,
}

impl SlotState {
    pub(crate) fn shared(link: Arc<Link>) -> Self {
        Self::Shared { generation: Cell::new(NO_GENERATION), link }
    }

    /// Returns the standing of a slot that was taken out and left its place.
    pub(crate) fn vacant(sequence: u64) -> Self {
        Self::Unshared {
            flags: Cell::new(ENDED | VACANT),
            generation: Cell::new(NO_GENERATION),
            sequence,
        }
    }

    /// Returns the state of a slot that parts with its link.
    pub(crate) fn unshared(link: &Link) -> Self {
        let is_ended = link.is_ended();
        let kind = match link.kind() {
            ConnectionType::Auto => 0,
            ConnectionType::Local => LOCAL,
            ConnectionType::Queued => QUEUED,
        };
        let flags = if is_ended { kind | ENDED } else { kind };
        let is_callable = flags & (ENDED | QUEUED) == 0;
        let generation = link.generation() | if is_callable { 0 } else { NO_GENERATION };
        Self::Unshared {
            flags: Cell::new(flags),
            generation: Cell::new(generation),
            sequence: link.sequence(),
        }
    }

    /// Ends the connection, keeping the slot; tells whether this call did it.
    pub(crate) fn end(&self, counter: &SlotCounter) -> bool {
        match self {
            Self::Shared { link, .. } => link.end(),
            Self::Unshared { flags, .. } if flags.get() & ENDED != 0 => false,
            Self::Unshared { flags, generation, .. } => {
                counter.subtract(generation.get() & !NO_GENERATION);
                flags.set(flags.get() | ENDED);
                generation.set(generation.get() | NO_GENERATION);
                true
            }
        }
    }

    #[inline]
    pub(crate) fn sequence(&self) -> u64 {
        match self {
            Self::Shared { link, .. } => link.sequence(),
            Self::Unshared { sequence, .. } => *sequence,
        }
    }

    #[inline]
    pub(crate) fn is_queued(&self) -> bool {
        match self {
            Self::Shared { link, .. } => link.is_queued(),
            Self::Unshared { flags, .. } => flags.get() & QUEUED != 0,
        }
    }

    #[inline]
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Self::Shared { link, .. } => link.is_local(),
            Self::Unshared { flags, .. } => flags.get() & LOCAL != 0,
        }
    }

    /// Tells whether the slot was disconnected.
    #[inline]
    pub(crate) fn is_ended(&self, counter: &SlotCounter) -> bool {
        match self {
            Self::Shared { link, .. } => link.is_ended(),
            Self::Unshared { flags, generation, .. } => {
                flags.get() & ENDED != 0 || !counter.is_current(generation.get() & !NO_GENERATION)
            }
        }
    }

    /// Tells whether an emission on the slot's own thread calls it at once.
    #[inline]
    pub(crate) fn is_callable(&self, counter: &SlotCounter) -> bool {
        let (Self::Shared { generation, .. } | Self::Unshared { generation, .. }) = self;
        counter.is_current(generation.get())
            || self.link().is_some_and(|link| link.is_callable(counter))
    }

    /// Tells whether it only keeps the place of a slot that was taken out.
    pub(crate) fn is_vacant(&self) -> bool {
        matches!(self, Self::Unshared { flags, .. } if flags.get() & VACANT != 0)
    }

    /// Tells whether a call that went through the queue may be made.
    #[inline]
    pub(crate) fn is_deliverable(&self, counter: &SlotCounter) -> bool {
        match self {
            Self::Shared { link, .. } => link.is_deliverable(),
            Self::Unshared { .. } => !self.is_ended(counter),
        }
    }

    fn link(&self) -> Option<&Link> {
        match self {
            Self::Shared { link, .. } => Some(link),
            Self::Unshared { .. } => None,
        }
    }
}

impl Target {
    #[inline]
    pub(crate) fn is_for(&self, slot: &SlotState) -> bool {
        let is_kind = if self.only_queued { slot.is_queued() } else { !slot.is_local() };
        is_kind && slot.sequence() <= self.last
    }
}

const ENDED: u8 = 1;
const QUEUED: u8 = 2;
const LOCAL: u8 = 4;
const VACANT: u8 = 8;

/// Makes a round that of nobody.
const NO_GENERATION: u32 = 1;
