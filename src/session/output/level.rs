//! Watches how much output waits, for those who send more when there is room.

use std::mem;
use std::task::Waker;

/// Notices when the output rises over a mark, and when it has fallen far below it.
#[derive(Default)]
pub(crate) struct Gauge {
    /// More than the mark has waited since it last fell.
    has_risen: bool,
    is_told: bool,
    waiting: Vec<Waker>,
}

/// What there is to be told about the output, once nothing is locked.
#[derive(Default)]
pub(crate) struct Reading {
    pub(crate) has_risen: bool,
    pub(crate) has_fallen: bool,
    /// Those who waited for room.
    pub(crate) waiting: Vec<Waker>,
}

/// What has become of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputLevel {
    /// More waits than the mark, or has waited at one time.
    High,
    /// Half as much as the mark waits, or less.
    Drained,
}

impl Gauge {
    /// Notes how much waits in the middle of a turn. Who saw that it is too much waits to be told
    /// that there is room, also when the kernel takes it all at the turn's end.
    pub(crate) fn note(&mut self, length: usize, mark: usize) {
        self.has_risen |= length > mark;
    }

    /// Looks at how many bytes wait at the end of a turn.
    pub(crate) fn read(&mut self, length: usize, mark: usize) -> Reading {
        self.note(length, mark);
        let has_risen = self.has_risen && !mem::replace(&mut self.is_told, self.has_risen);
        let is_low = length <= mark / 2;
        let has_fallen = self.has_risen && is_low;
        if has_fallen {
            (self.has_risen, self.is_told) = (false, false);
        }
        let waiting = if is_low { self.take_waiting() } else { Vec::new() };
        Reading { has_risen, has_fallen, waiting }
    }

    /// Adds somebody, if given, to be woken when there is room, or the connection ends.
    pub(crate) fn wait(&mut self, waker: &mut Option<Waker>) -> bool {
        let added = waker.take();
        let is_added = added.is_some();
        self.waiting.extend(added);
        is_added
    }

    /// Returns whether this one is to be woken already.
    pub(crate) fn is_awaited_by(&self, waker: &Waker) -> bool {
        self.waiting.iter().any(|waiting| waiting.will_wake(waker))
    }

    /// Takes those who wait, to be woken.
    pub(crate) fn take_waiting(&mut self) -> Vec<Waker> {
        mem::take(&mut self.waiting)
    }
}
