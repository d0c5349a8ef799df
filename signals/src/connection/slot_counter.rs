//! The number of connected slots, and the generation they belong to.

use crate::sync::{AtomicU64, Ordering};

/// Counts the connected slots of the current generation.
///
/// Slots of earlier generations are disconnected. One atomic word: the count in the high half, the
/// generation in the low half. So any thread can disconnect all slots in one step, and the count is
/// always exact. Generations are even numbers: an odd one never matches.
#[derive(Debug)]
pub(crate) struct SlotCounter(AtomicU64);

impl SlotCounter {
    #[inline]
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds a slot and returns its generation.
    #[inline]
    pub(crate) fn add(&self) -> u32 {
        generation_of(self.0.fetch_add(ONE, Ordering::AcqRel))
    }

    /// Subtracts a slot of `generation`; returns false if that generation has ended.
    #[inline]
    pub(crate) fn subtract(&self, generation: u32) -> bool {
        let less = |word| (generation_of(word) == generation).then(|| word - ONE);
        // Slots of an earlier generation are not counted any more.
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, less).is_ok()
    }

    /// Starts a new generation: all slots counted so far are disconnected.
    pub(crate) fn clear(&self) {
        let next = |word| Some(u64::from(generation_of(word).wrapping_add(2)));
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
    }

    #[inline]
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
