//! Property updates, without I/O: what clients are to be sent, and when.
//!
//! Time is counted in epochs: one ends when its changes are first sent. A change is noted once in
//! an epoch, whatever number of clients and emissions there are, and each client keeps the epoch up
//! to which it has been sent all changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::mem;
use std::ops::Bound;
use std::time::{Duration, Instant};

/// The changes of properties `K`, and the time of their next round.
#[derive(Debug)]
pub(crate) struct Updates<K> {
    interval: Duration,
    is_blocked: bool,
    epoch: u64,
    /// The last epoch in which a property has changed.
    changed_at: HashMap<K, u64>,
    /// The same, sorted by the epoch.
    changes: BTreeMap<u64, BTreeSet<K>>,
    /// When all idle clients are served.
    round: Option<Instant>,
    /// When those are served that have become idle too late for the last round.
    late_round: Option<Instant>,
}

/// What a client has been sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    sent_up_to: u64,
    /// Whether it waits for an update; flow control.
    is_idle: bool,
    /// Whether a round had something for it when it could not be served.
    has_missed: bool,
}

/// The clients of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    All,
    /// Those that missed the last one, and have become idle since.
    Late,
}

/// The changes that a client is to be sent, as a range of epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Span {
    behind: u64,
    up_to: u64,
}

impl<K: Copy + Ord + Hash> Updates<K> {
    pub(crate) fn new(interval: Duration) -> Self {
        Self {
            interval,
            is_blocked: false,
            epoch: 1,
            changed_at: HashMap::new(),
            changes: BTreeMap::new(),
            round: None,
            late_round: None,
        }
    }

    /// Notes that a property has changed.
    pub(crate) fn change(&mut self, now: Instant, property: K) {
        match self.changed_at.insert(property, self.epoch) {
            Some(epoch) if epoch == self.epoch => {}
            former => {
                self.remove(former, property);
                self.changes.entry(self.epoch).or_default().insert(property);
            }
        }
        self.request_round(now);
    }

    /// Has the next round begin after the interval, unless one is due earlier.
    pub(crate) fn request_round(&mut self, now: Instant) {
        self.round.get_or_insert_with(|| now + self.interval);
    }

    /// Forgets a property, whose object is gone.
    pub(crate) fn forget(&mut self, property: K) {
        let former = self.changed_at.remove(&property);
        self.remove(former, property);
    }

    fn remove(&mut self, epoch: Option<u64>, property: K) {
        if let Some(epoch) = epoch
            && let Some(properties) = self.changes.get_mut(&epoch)
        {
            properties.remove(&property);
            if properties.is_empty() {
                self.changes.remove(&epoch);
            }
        }
    }

    /// Returns the progress of a client that is being sent all values; it is not idle.
    pub(crate) fn join(&mut self) -> Progress {
        Progress { sent_up_to: self.seal(), is_idle: false, has_missed: false }
    }

    /// Notes that a client waits; returns whether it has missed a round.
    ///
    /// Then it is one of the clients of the next late round.
    pub(crate) fn set_idle(&mut self, now: Instant, client: &mut Progress) -> bool {
        let was_idle = mem::replace(&mut client.is_idle, true);
        let is_late = client.has_missed && !was_idle;
        if is_late {
            self.request_late_round(now);
        }
        is_late
    }

    /// Has clients that have missed a round and are idle served soon.
    pub(crate) fn request_late_round(&mut self, now: Instant) {
        self.late_round.get_or_insert(now);
    }

    /// Returns when [`begin_round`](Self::begin_round) is to be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let earliest = self.round.into_iter().chain(self.late_round).min();
        earliest.filter(|_| !self.is_blocked)
    }

    /// Begins the round that is due.
    pub(crate) fn begin_round(&mut self, now: Instant) -> Option<Round> {
        let is_due = |round: Option<Instant>| round.is_some_and(|time| time <= now);
        if self.is_blocked {
            None
        } else if is_due(self.round) {
            (self.round, self.late_round) = (None, None);
            Some(Round::All)
        } else if is_due(self.late_round) {
            self.late_round = None;
            Some(Round::Late)
        } else {
            None
        }
    }

    /// Returns what a client is to be sent in a round; `None` for nothing, or not now.
    ///
    /// `owes` is whether there is something for it beside the changes.
    pub(crate) fn due(&mut self, round: Round, client: &mut Progress, owes: bool) -> Option<Span> {
        let behind = client.sent_up_to;
        let has_changes = self.changes.range(behind + 1..).next().is_some();
        if !(has_changes || owes) || (round == Round::Late && !client.has_missed) {
            return None;
        }
        if !client.is_idle {
            client.has_missed = true;
            return None;
        }
        Some(Span { behind, up_to: self.seal() })
    }

    /// Returns the properties that have changed in a span, sorted.
    pub(crate) fn properties(&self, span: Span) -> Vec<K> {
        let epochs =
            self.changes.range((Bound::Excluded(span.behind), Bound::Included(span.up_to)));
        let mut properties: Vec<_> =
            epochs.flat_map(|(_, properties)| properties).copied().collect();
        properties.sort_unstable();
        properties
    }

    /// Sets whether rounds are held back; one that is due then begins at once.
    pub(crate) fn set_blocked(&mut self, now: Instant, is_blocked: bool) {
        if self.is_blocked && !is_blocked && self.round.is_some() {
            self.round = Some(now);
        }
        self.is_blocked = is_blocked;
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    pub(crate) fn set_interval(&mut self, interval: Duration) {
        self.interval = interval;
    }

    pub(crate) fn interval(&self) -> Duration {
        self.interval
    }

    /// Ends the epoch if anything changed in it; returns the last one that ended.
    fn seal(&mut self) -> u64 {
        if self.changes.contains_key(&self.epoch) {
            self.epoch += 1;
        }
        self.epoch - 1
    }
}

impl Progress {
    /// Notes that the client is sent a span, and is busy until it reports to be idle.
    pub(crate) fn sent(&mut self, span: Span) {
        *self = Self { sent_up_to: span.up_to, is_idle: false, has_missed: false };
    }

    /// Notes that none of the changes of a span are for the client.
    pub(crate) fn skip(&mut self, span: Span) {
        (self.sent_up_to, self.has_missed) = (span.up_to, false);
    }

    /// Notes that the client cannot be served in this round.
    pub(crate) fn postpone(&mut self) {
        self.has_missed = true;
    }
}

#[cfg(test)]
mod tests;
