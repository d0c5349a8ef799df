//! How many slots are connected, and since when.

use crate::sync::{AtomicU64, Ordering};

/// Counts the connected slots, and tells those of earlier rounds that they are disconnected.
///
/// One atomic word: the count in the high half, the round in the low half. So all slots can be
/// disconnected from any thread in one step, and the count is right at every moment. Rounds are even:
/// an odd number is that of no round.
#[derive(Debug)]
pub(crate) struct Census(AtomicU64);

impl Census {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Counts one more slot and returns its round.
    pub(crate) fn join(&self) -> u32 {
        round_of(self.0.fetch_add(ONE, Ordering::AcqRel))
    }

    /// Counts one slot of `round` less, unless that round is over.
    pub(crate) fn leave(&self, round: u32) {
        let less = |word| (round_of(word) == round).then(|| word - ONE);
        // Nothing to do when the round is over: its slots are not counted any more.
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
    }

    /// Starts a new round: all slots counted so far are disconnected.
    pub(crate) fn clear(&self) {
        let next = |word| Some(u64::from(round_of(word).wrapping_add(2)));
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
    }

    pub(crate) fn count(&self) -> usize {
        (self.0.load(Ordering::Acquire) >> 32) as usize
    }

    #[inline]
    pub(crate) fn is_round(&self, round: u32) -> bool {
        round_of(self.0.load(Ordering::Relaxed)) == round
    }
}

#[inline]
fn round_of(word: u64) -> u32 {
    (word & ROUND) as u32
}

const ROUND: u64 = u32::MAX as u64;
/// One slot, in the high half of the word.
const ONE: u64 = 1 << 32;
