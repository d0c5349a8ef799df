//! The output level: whether more output waits than the high-water mark.

use std::mem;
use std::task::Waker;

/// Detects when the output is over the high-water mark, and at half of it.
#[derive(Default)]
pub(crate) struct LevelMonitor {
    /// More than the mark has waited since the output was last low.
    has_risen: bool,
    is_reported: bool,
    wakers: Vec<Waker>,
}

/// The changes of the output level in a turn, to be reported outside the lock.
#[derive(Default)]
pub(crate) struct LevelChange {
    pub(crate) has_risen: bool,
    pub(crate) has_fallen: bool,
    /// Wakers of the tasks that waited for room.
    pub(crate) wakers: Vec<Waker>,
}

/// The output level that is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputLevel {
    /// More output than the mark waits, or has waited since the last report.
    High,
    /// Half as much as the mark waits, or less.
    Drained,
}

impl LevelMonitor {
    /// Notes how many bytes wait in the middle of a turn.
    ///
    /// A sender that found too much waits for [`OutputLevel::Drained`], also when the kernel takes it
    /// all at the turn's end.
    pub(crate) fn note(&mut self, length: usize, mark: usize) {
        self.has_risen |= length > mark;
    }

    /// Returns the changes at the end of a turn that leaves `length` bytes.
    pub(crate) fn check(&mut self, length: usize, mark: usize) -> LevelChange {
        self.note(length, mark);
        let has_risen = self.has_risen && !mem::replace(&mut self.is_reported, self.has_risen);
        let is_low = length <= mark / 2;
        let has_fallen = self.has_risen && is_low;
        if has_fallen {
            (self.has_risen, self.is_reported) = (false, false);
        }
        let wakers = if is_low { self.take_wakers() } else { Vec::new() };
        LevelChange { has_risen, has_fallen, wakers }
    }

    /// Adds the waker, if given; it is woken by room, or the end of the connection.
    pub(crate) fn add_waker(&mut self, waker: &mut Option<Waker>) -> bool {
        let added = waker.take();
        let is_added = added.is_some();
        self.wakers.extend(added);
        is_added
    }

    /// Returns whether this waker was added already.
    pub(crate) fn has_waker(&self, waker: &Waker) -> bool {
        self.wakers.iter().any(|known| known.will_wake(waker))
    }

    /// Takes the wakers of the tasks that wait.
    pub(crate) fn take_wakers(&mut self) -> Vec<Waker> {
        mem::take(&mut self.wakers)
    }
}
