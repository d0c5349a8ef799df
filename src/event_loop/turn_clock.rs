//! The clock of a loop's turns.
//!
//! Reading the time twice in each turn costs more than short turns do, so nothing is measured before
//! the first request.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::runtime::clock;
use crate::types::stats::LoopStats;

/// Measures the turns of a loop, once it was started.
#[derive(Debug, Default)]
pub(super) struct TurnClock {
    /// The begin of the measurement; `None` before it.
    since: Cell<Option<Instant>>,
    /// The begin of the turn under way.
    begin: Cell<Option<Instant>>,
    turns: Cell<u64>,
    busy: Cell<Duration>,
    longest: Cell<Duration>,
}

impl TurnClock {
    /// Notes the begin of a turn: the loop has polled.
    #[inline]
    pub(super) fn begin_turn(&self) {
        if self.is_running() {
            self.begin.set(Some(clock::now()));
        }
    }

    /// Notes the end of the turn, if one is under way: the loop is about to poll.
    #[inline]
    pub(super) fn end_turn(&self) {
        if self.is_running() {
            self.note_turn();
        }
    }

    #[cold]
    fn note_turn(&self) {
        let Some(begin) = self.begin.take() else { return };
        let length = clock::since(begin);
        self.turns.set(self.turns.get() + 1);
        self.busy.set(self.busy.get() + length);
        self.longest.set(self.longest.get().max(length));
    }

    /// Begins the measurement anew; a turn under way counts from now on.
    pub(super) fn restart(&self) {
        let now = clock::now();
        self.since.set(Some(now));
        self.begin.set(Some(now));
        self.turns.set(0);
        self.busy.set(Duration::ZERO);
        self.longest.set(Duration::ZERO);
    }

    /// Returns the statistics, and begins the measurement if that has not begun.
    pub(super) fn stats(&self, longest_lag: Duration) -> LoopStats {
        let Some(since) = self.since.get() else {
            self.restart();
            return LoopStats::default();
        };
        LoopStats {
            turns: self.turns.get(),
            busy: self.busy.get(),
            longest_turn: self.longest.get(),
            longest_lag,
            elapsed: clock::since(since),
        }
    }

    fn is_running(&self) -> bool {
        self.since.get().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stopped_clock::StoppedClock;

    const SECOND: Duration = Duration::from_secs(1);

    /// The time between two polls is a turn, that of the poll itself is not.
    #[test]
    fn measures_the_time_between_polls() {
        let mut clock = StoppedClock::new();
        let turns = TurnClock::default();
        assert_eq!(turns.stats(Duration::ZERO), LoopStats::default());
        turns.end_turn();

        for length in [1, 3, 2] {
            clock.advance(10 * SECOND);
            turns.begin_turn();
            clock.advance(length * SECOND);
            turns.end_turn();
        }

        let stats = turns.stats(SECOND);
        assert_eq!((stats.turns, stats.busy, stats.elapsed), (4, 6 * SECOND, 36 * SECOND));
        assert_eq!((stats.longest_turn, stats.longest_lag), (3 * SECOND, SECOND));
        turns.restart();
        assert_eq!(turns.stats(Duration::ZERO), LoopStats::default());
    }

    #[test]
    fn nothing_is_measured_before_the_first_request() {
        let mut clock = StoppedClock::new();
        let turns = TurnClock::default();

        turns.begin_turn();
        clock.advance(SECOND);
        turns.end_turn();

        assert_eq!((turns.turns.get(), turns.begin.get()), (0, None));
    }
}
