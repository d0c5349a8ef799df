//! Slot states in the slots' own thread, and the targets of queued calls.

use std::cell::Cell;
use std::sync::Arc;

use crate::connection::link::{ConnectionType, Link};
use crate::connection::slot_counter::SlotCounter;
use crate::thread::slot_table::OwnState;

/// Whether a slot may still run, and how.
pub(crate) enum SlotState {
    /// There are handles to the connection: the link is shared with them.
    Shared {
        /// Never current, so that one comparison leads to the check of the link.
        generation: Cell<u32>,
        link: Arc<Link>,
    },
    /// There are none, as for most connections: the state takes the place of the link.
    Unshared {
        flags: Cell<u8>,
        /// The generation in which the slot was connected.
        ///
        /// Odd, and so never current, if emissions do not call the slot directly.
        generation: Cell<u32>,
        /// The sequence number among all connections of the thread.
        sequence: u64,
    },
}

/// The slots that a queued call is for.
pub(crate) struct Target {
    /// The sequence number of the thread's last connection before the emission.
    pub(crate) last: u64,
    /// Whether only slots with queued connections get the call.
    pub(crate) only_queued: bool,
}

impl SlotState {
    #[inline]
    pub(crate) fn shared(link: Arc<Link>) -> Self {
        Self::Shared { generation: Cell::new(NO_GENERATION), link }
    }

    /// Returns the state of a vacancy: the place of a removed slot.
    pub(crate) fn vacant(sequence: u64) -> Self {
        Self::Unshared {
            flags: Cell::new(ENDED | VACANT),
            generation: Cell::new(NO_GENERATION),
            sequence,
        }
    }

    /// Returns the state that replaces a link.
    #[inline]
    pub(crate) fn unshared(state: OwnState) -> Self {
        let OwnState { flags, generation, sequence } = state;
        Self::Unshared { flags: Cell::new(flags), generation: Cell::new(generation), sequence }
    }

    /// Ends the connection, but keeps the slot; returns whether it was still connected.
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

    /// Returns whether the slot was disconnected.
    #[inline]
    pub(crate) fn is_ended(&self, counter: &SlotCounter) -> bool {
        match self {
            Self::Shared { link, .. } => link.is_ended(),
            Self::Unshared { flags, generation, .. } => {
                flags.get() & ENDED != 0 || !counter.is_current(generation.get() & !NO_GENERATION)
            }
        }
    }

    /// Returns whether an emission on the slot's own thread calls it directly.
    #[inline]
    pub(crate) fn is_callable(&self, counter: &SlotCounter) -> bool {
        let (Self::Shared { generation, .. } | Self::Unshared { generation, .. }) = self;
        counter.is_current(generation.get())
            || self.link().is_some_and(|link| link.is_callable(counter))
    }

    /// Returns whether this is the place of a removed slot.
    #[inline]
    pub(crate) fn is_vacant(&self) -> bool {
        matches!(self, Self::Unshared { flags, .. } if flags.get() & VACANT != 0)
    }

    /// Returns whether a queued call may be delivered.
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

impl OwnState {
    #[inline]
    pub(crate) fn of(link: &Link) -> Self {
        let new = Self::new(link.kind(), link.generation(), link.sequence());
        if !link.is_ended() {
            return new;
        }
        Self { flags: new.flags | ENDED, generation: new.generation | NO_GENERATION, ..new }
    }

    /// Returns the state of a slot that is being connected.
    #[inline]
    pub(crate) fn new(kind: ConnectionType, generation: u32, sequence: u64) -> Self {
        let (flags, generation) = match kind {
            ConnectionType::Auto => (0, generation),
            ConnectionType::Local => (LOCAL, generation),
            ConnectionType::Queued => (QUEUED, generation | NO_GENERATION),
        };
        Self { flags, generation, sequence }
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

/// Makes a generation odd: it is never current.
const NO_GENERATION: u32 = 1;
