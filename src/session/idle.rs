//! Counters of the keepalive: how long a peer was idle, and its unread output.
//!
//! Apart from `keepalive`, because the state has both: they know neither state nor session.

use std::time::Duration;

/// Counts the checks of a peer since its last sign of life.
///
/// One byte and no clock: noting a sign of life costs next to nothing.
#[derive(Default)]
pub(super) struct IdleChecks(u8);

/// The action that an idle peer requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeepaliveAction {
    /// The peer is pinged.
    Ping,
    /// The connection ends.
    End,
}

impl IdleChecks {
    /// Notes a sign of life.
    pub(super) fn reset(&mut self) {
        self.0 = 0;
    }

    /// Counts another check, and returns the action that is required now.
    ///
    /// `grace` returns how many more checks the pong may take, because of the output in front of the
    /// ping.
    pub(super) fn count(&mut self, grace: impl FnOnce() -> u8) -> Option<KeepaliveAction> {
        // The first check after a sign of life begins the count: the time of the sign is not known.
        self.0 = self.0.saturating_add(1);
        match self.0.checked_sub(1)? {
            PING_AFTER => Some(KeepaliveAction::Ping),
            checks if checks >= GIVE_UP_AFTER && checks - GIVE_UP_AFTER >= grace() => {
                Some(KeepaliveAction::End)
            }
            _ => None,
        }
    }
}

/// Counts the output that a peer may not have read yet.
///
/// The kernel has taken it, and the kernel of the peer or a proxy may have acknowledged it; only the
/// pong of a later ping confirms that the peer itself has read it. It is counted in units of 64 bytes,
/// up to 4 MiB: two bytes each are enough then, and idle connections are many.
#[derive(Default)]
pub(super) struct Unconfirmed {
    /// Written since the latest keepalive ping that was answered.
    units: u16,
    /// Written since the latest keepalive ping.
    since_ping: u16,
}

impl Unconfirmed {
    #[inline]
    pub(super) fn add(&mut self, count: usize) {
        let units = u16::try_from(count.div_ceil(UNIT)).unwrap_or(u16::MAX);
        self.units = self.units.saturating_add(units);
        self.since_ping = self.since_ping.saturating_add(units);
    }

    /// Returns the maximum of written bytes that are not acknowledged.
    pub(super) fn bytes(&self) -> usize {
        match self.units {
            u16::MAX => usize::MAX,
            units => usize::from(units) * UNIT,
        }
    }

    /// Notes that a keepalive ping was sent.
    pub(super) fn ping(&mut self) {
        self.since_ping = 0;
    }

    /// Notes that the ping was answered.
    pub(super) fn confirm(&mut self) {
        self.units = self.since_ping;
    }

    /// Returns how many checks, `interval` apart, a slow reader may take for it.
    pub(super) fn grace(&self, interval: Duration) -> u8 {
        let bytes = u128::from(self.units) * UNIT as u128;
        let checks = bytes * 1000 / SLOWEST_READER / interval.as_millis().max(1);
        u8::try_from(checks).unwrap_or(u8::MAX).min(MAX_GRACE)
    }
}

/// A ping is sent after so many checks without a sign of life.
pub(crate) const PING_AFTER: u8 = 4;
/// After as many more the peer counts as dead.
const GIVE_UP_AFTER: u8 = 2 * PING_AFTER;
/// The minimum rate at which a peer reads output in front of a ping, in bytes/s.
const SLOWEST_READER: u128 = 16 * 1024;
/// The unit in which output is counted, in bytes.
const UNIT: usize = 64;
/// As many checks as can be counted.
const MAX_GRACE: u8 = u8::MAX - 1 - GIVE_UP_AFTER;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_peer_is_pinged_once_and_then_dead() {
        let mut checks = IdleChecks::default();

        let actions: Vec<_> = (0..10).map(|_| checks.count(|| 0)).collect();

        let mut expected = [None; 10];
        expected[4] = Some(KeepaliveAction::Ping);
        (expected[8], expected[9]) = (Some(KeepaliveAction::End), Some(KeepaliveAction::End));
        assert_eq!(actions, expected);
    }

    #[test]
    fn a_sign_of_life_begins_the_count_anew() {
        let mut checks = IdleChecks::default();
        for _ in 0..100 {
            assert_eq!((0..4).find_map(|_| checks.count(|| 0)), None);
            checks.reset();
        }
    }

    /// A proxy may hold some MiB in front of the ping that a slow client has not read.
    #[test]
    fn what_is_in_front_of_the_ping_prolongs_the_time_for_the_pong() {
        let mut unconfirmed = Unconfirmed::default();
        assert_eq!(unconfirmed.grace(Duration::from_secs(5)), 0);

        unconfirmed.add(1024 * 1024);
        unconfirmed.ping();
        unconfirmed.add(160 * 1024);
        assert_eq!(unconfirmed.grace(Duration::from_secs(5)), 14);
        unconfirmed.confirm();
        assert_eq!(unconfirmed.grace(Duration::from_secs(5)), 2);
        assert_eq!(unconfirmed.bytes(), 160 * 1024);
        unconfirmed.add(usize::MAX);
        assert_eq!(unconfirmed.grace(Duration::ZERO), MAX_GRACE);
        assert_eq!(unconfirmed.bytes(), usize::MAX);

        let mut checks = IdleChecks::default();
        let actions = (0..1000).filter_map(|_| checks.count(|| MAX_GRACE)).nth(1);
        assert_eq!(actions, Some(KeepaliveAction::End), "it is found in the end");
    }
}
