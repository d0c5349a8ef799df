//! Emission flags: the reasons why an emission leaves its fast path.

use crate::sync::{AtomicU32, Ordering};

/// The reasons why an emission cannot take the fast path, in one atomic word.
///
/// On the fast path it calls the slots of its own thread, and no others. The high bits count the
/// blockers.
#[derive(Debug)]
pub(crate) struct EmissionFlags(AtomicU32);

impl EmissionFlags {
    /// The list has slots with queued connections.
    pub(crate) const QUEUED: u32 = 1;
    /// The signal has slots in other threads.
    pub(crate) const OTHER_THREADS: u32 = 2;
    /// The signal has slots that run on any thread.
    pub(crate) const DIRECT: u32 = 4;

    /// The signal has rare parts; does not affect the fast path.
    pub(crate) const RARE_PARTS: u32 = 8;
    /// The rare parts have the signal's sender; does not affect the fast path.
    pub(crate) const SENDER: u32 = 16;

    /// Other threads may post to the slots; does not affect the fast path.
    const ACCEPTS_POSTS: u32 = 32;
    /// The signal is dropped.
    const SIGNAL_DROPPED: u32 = 64;
    const BLOCKER: u32 = 128;
    const BLOCKERS: u32 = !(Self::BLOCKER - 1);
    /// The flags that leave emissions on the fast path.
    const HARMLESS: u32 = Self::ACCEPTS_POSTS | Self::RARE_PARTS | Self::SENDER;

    /// Returns the flags of a signal without slots.
    #[inline]
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    #[inline]
    pub(crate) fn add(&self, flag: u32) {
        self.0.fetch_or(flag, Ordering::AcqRel);
    }

    pub(crate) fn remove(&self, flag: u32) {
        self.0.fetch_and(!flag, Ordering::AcqRel);
    }

    pub(crate) fn block(&self) {
        self.0.fetch_add(Self::BLOCKER, Ordering::AcqRel);
    }

    pub(crate) fn unblock(&self) {
        self.0.fetch_sub(Self::BLOCKER, Ordering::AcqRel);
    }

    /// Allows other threads to post to the slots.
    #[inline]
    pub(crate) fn accept_posts(&self) {
        self.add(Self::ACCEPTS_POSTS);
    }

    /// Marks the signal as dropped.
    #[inline]
    pub(crate) fn set_signal_dropped(&self) {
        self.add(Self::SIGNAL_DROPPED);
    }

    #[inline]
    pub(crate) fn has(&self, flag: u32) -> bool {
        self.0.load(Ordering::Acquire) & flag != 0
    }

    /// Returns whether emissions take the fast path.
    #[inline]
    pub(crate) fn are_clear(&self) -> bool {
        self.0.load(Ordering::Relaxed) & !Self::HARMLESS == 0
    }

    #[inline]
    pub(crate) fn accepts_posts(&self) -> bool {
        self.0.load(Ordering::Acquire) & Self::ACCEPTS_POSTS != 0
    }

    pub(crate) fn is_signal_dropped(&self) -> bool {
        self.0.load(Ordering::Acquire) & Self::SIGNAL_DROPPED != 0
    }

    #[inline]
    pub(crate) fn is_blocked(&self) -> bool {
        self.0.load(Ordering::Acquire) & Self::BLOCKERS != 0
    }
}
