//! What a slot's own thread knows of its connection.

use std::cell::Cell;
use std::sync::Arc;

use crate::connection::link::{Kind, Link};
use crate::connection::slot_counter::Census;

/// Whether a slot may still run, and how.
pub(crate) enum Standing {
    /// Somebody holds the connection: all threads share the link.
    Shared {
        /// That of nobody, so that one comparison tells that there is more to look at.
        round: Cell<u32>,
        link: Arc<Link>,
    },
    /// Nobody does, as with most connections: the slot knows it alone, in the bytes that it has room
    /// for.
    Own {
        flags: Cell<u8>,
        /// The round of the census in which the slot was connected; made odd, and so that of no
        /// round, when emissions are not to call the slot at once.
        round: Cell<u32>,
        /// The place in the order of all connections of the thread.
        sequence: u64,
    },
}

impl Standing {
    pub(crate) fn shared(link: Arc<Link>) -> Self {
        Self::Shared { round: Cell::new(ODD), link }
    }

    /// Returns the standing of a slot that was taken out and left its place.
    pub(crate) fn vacant(sequence: u64) -> Self {
        Self::Own { flags: Cell::new(ENDED | VACANT), round: Cell::new(ODD), sequence }
    }

    pub(crate) fn own(sequence: u64, round: u32, kind: Kind, is_ended: bool) -> Self {
        let kind = match kind {
            Kind::Auto => 0,
            Kind::Local => LOCAL,
            Kind::Queued => QUEUED,
        };
        let flags = if is_ended { kind | ENDED } else { kind };
        let round = if flags & (ENDED | QUEUED) == 0 { round } else { round | ODD };
        Self::Own { flags: Cell::new(flags), round: Cell::new(round), sequence }
    }

    /// Ends the connection, keeping the slot; tells whether this call did it.
    pub(crate) fn end(&self, census: &Census) -> bool {
        match self {
            Self::Shared { link, .. } => link.end(),
            Self::Own { flags, .. } if flags.get() & ENDED != 0 => false,
            Self::Own { flags, round, .. } => {
                census.leave(round.get() & !ODD);
                flags.set(flags.get() | ENDED);
                round.set(round.get() | ODD);
                true
            }
        }
    }

    #[inline]
    pub(crate) fn sequence(&self) -> u64 {
        match self {
            Self::Shared { link, .. } => link.sequence(),
            Self::Own { sequence, .. } => *sequence,
        }
    }

    #[inline]
    pub(crate) fn is_queued(&self) -> bool {
        match self {
            Self::Shared { link, .. } => link.is_queued(),
            Self::Own { flags, .. } => flags.get() & QUEUED != 0,
        }
    }

    #[inline]
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Self::Shared { link, .. } => link.is_local(),
            Self::Own { flags, .. } => flags.get() & LOCAL != 0,
        }
    }

    /// Tells whether the slot was disconnected.
    #[inline]
    pub(crate) fn is_ended(&self, census: &Census) -> bool {
        match self {
            Self::Shared { link, .. } => link.is_ended(),
            Self::Own { flags, round, .. } => {
                flags.get() & ENDED != 0 || !census.is_round(round.get() & !ODD)
            }
        }
    }

    /// Tells whether an emission on the slot's own thread calls it at once.
    #[inline]
    pub(crate) fn is_callable(&self, census: &Census) -> bool {
        let (Self::Shared { round, .. } | Self::Own { round, .. }) = self;
        census.is_round(round.get()) || self.link().is_some_and(|link| link.is_callable(census))
    }

    /// Tells whether it only keeps the place of a slot that was taken out.
    pub(crate) fn is_vacant(&self) -> bool {
        matches!(self, Self::Own { flags, .. } if flags.get() & VACANT != 0)
    }

    /// Tells whether a call that went through the queue may be made.
    #[inline]
    pub(crate) fn is_deliverable(&self, census: &Census) -> bool {
        match self {
            Self::Shared { link, .. } => link.is_deliverable(),
            Self::Own { .. } => !self.is_ended(census),
        }
    }

    fn link(&self) -> Option<&Link> {
        match self {
            Self::Shared { link, .. } => Some(link),
            Self::Own { .. } => None,
        }
    }
}

const ENDED: u8 = 1;
const QUEUED: u8 = 2;
const LOCAL: u8 = 4;
const VACANT: u8 = 8;

/// Makes a round that of nobody.
const ODD: u32 = 1;
