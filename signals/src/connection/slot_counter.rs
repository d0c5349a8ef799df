//! How many slots are connected, and since when.

use crate::sync::{AtomicU64, Ordering};

/// Counts the connected slots, and tells those of earlier rounds that they are disconnected.
///
/// One atomic word: the count in the high half, the round in the low half. So all slots can be
/// disconnected from any thread in one step, and the count is right at every moment. Rounds are even:
/// an odd number is that of no round.
#[derive(Debug)]
pub(crate) struct SlotCounter(AtomicU64);

impl SlotCounter {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Counts one more slot and returns its round.
    pub(crate) fn add(&self) -> u32 {
        generation_of(self.0.fetch_add(ONE, Ordering::AcqRel))
    }

    /// Counts one slot of `round` less, unless that round is over.
    pub(crate) fn subtract(&self, generation: u32) {
        let less = |word| (generation_of(word) == generation).then(|| word - ONE);
        // Nothing to do when the round is over: its slots are not counted any more.
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
    }

    /// Starts a new round: all slots counted so far are disconnected.
    pub(crate) fn clear(&self) {
        let next = |word| Some(u64::from(generation_of(word).wrapping_add(2)));
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
    }

    pub(crate) fn count(&self) -> usize {
        (self.0.load(Ordering::Acquire) >> 32) as usize
    }

    #[inline]
    pub(crate) fn is_current(&self, generation: u32) -> bool {
        generation_of(self.0.load(Ordering::Relaxed)) == generation
    }
}

#[inline]
fn generation_of(word: u64) -> u32 {
    (word & GENERATION) as u32
}

const GENERATION: u64 = u32::MAX as u64;
/// One slot, in the high half of the word.
const ONE: u64 = 1 << 32;
