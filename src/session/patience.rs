//! How long a connection waits for its peer.

use std::task::Waker;
use std::time::{Duration, Instant};

use crate::timers::{Deadline, clock};

/// The times at which a peer is given up. An idle connection waits for nothing and has none.
pub(super) struct Patience {
    /// For the peer's part of the closing handshake, and then for its end.
    ends_at: Option<Instant>,
    /// For a peer that takes none of the output.
    stalls_at: Option<Instant>,
    deadline: Deadline,
}

/// What was waited for in vain.
#[derive(Clone, Copy)]
pub(super) enum Lost {
    /// That the peer takes output.
    Output,
    /// That the peer ends.
    End,
}

impl Default for Patience {
    fn default() -> Self {
        Self { ends_at: None, stalls_at: None, deadline: Deadline::new() }
    }
}

impl Patience {
    /// Gives the peer so long to end, unless that has begun already.
    pub(super) fn end_within(&mut self, patience: Duration) {
        self.ends_at.get_or_insert_with(|| clock::now() + patience);
    }

    /// Gives the peer so long to end from now on.
    pub(super) fn drain_within(&mut self, patience: Duration) {
        self.ends_at = Some(clock::now() + patience);
    }

    /// Gives the peer so long to take output, counted anew whenever it takes some.
    pub(super) fn write_within(&mut self, patience: Duration, has_progressed: bool) {
        if has_progressed || self.stalls_at.is_none() {
            self.stalls_at = Some(clock::now() + patience);
        }
    }

    /// Notes that no output waits for the peer.
    pub(super) fn everything_is_written(&mut self) {
        self.stalls_at = None;
    }

    /// Has the task woken when the next of the times passes; returns whether there is one.
    pub(super) fn wait(&mut self, waker: &Waker) -> bool {
        let next = [self.ends_at, self.stalls_at].into_iter().flatten().min();
        self.deadline.set(next, waker);
        next.is_some()
    }

    /// Returns what was waited for in vain, if anything was.
    pub(super) fn lost(&self) -> Option<Lost> {
        let now = clock::now();
        let has_passed = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if has_passed(self.stalls_at) {
            Some(Lost::Output)
        } else if has_passed(self.ends_at) {
            Some(Lost::End)
        } else {
            None
        }
    }
}
