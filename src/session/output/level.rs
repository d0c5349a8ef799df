//! Watches how much output waits, for those who send more when there is room.

use std::mem;
use std::task::Waker;

/// Notices when the output rises over a mark, and when it has fallen far below it.
#[derive(Default)]
pub(crate) struct LevelMonitor {
    /// More than the mark has waited since it last fell.
    has_risen: bool,
    is_reported: bool,
    wakers: Vec<Waker>,
}

/// What there is to be told about the output, once nothing is locked.
#[derive(Default)]
pub(crate) struct LevelChange {
    pub(crate) has_risen: bool,
    pub(crate) has_fallen: bool,
    /// Those who waited for room.
    pub(crate) wakers: Vec<Waker>,
}

/// What has become of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputLevel {
    /// More waits than the mark, or has waited at one time.
    High,
    /// Half as much as the mark waits, or less.
    Drained,
}

impl LevelMonitor {
    /// Notes how much waits in the middle of a turn. Who saw that it is too much waits to be told
    /// that there is room, also when the kernel takes it all at the turn's end.
    pub(crate) fn note(&mut self, length: usize, mark: usize) {
        self.has_risen |= length > mark;
    }

    /// Looks at how many bytes wait at the end of a turn.
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

    /// Adds somebody, if given, to be woken when there is room, or the connection ends.
    pub(crate) fn add_waker(&mut self, waker: &mut Option<Waker>) -> bool {
        let added = waker.take();
        let is_added = added.is_some();
        self.wakers.extend(added);
        is_added
    }

    /// Returns whether this one is to be woken already.
    pub(crate) fn has_waker(&self, waker: &Waker) -> bool {
        self.wakers.iter().any(|known| known.will_wake(waker))
    }

    /// Takes those who wait, to be woken.
    pub(crate) fn take_wakers(&mut self) -> Vec<Waker> {
        mem::take(&mut self.wakers)
    }
}
