//! Measures how many messages and bytes of a client are read in a second.
//!
//! Apart from `rates`, because the state has a meter: it knows neither state nor session.

use std::mem;
use std::time::{Duration, Instant};

use crate::runtime::timers::after;
use crate::types::limit::Limit;

/// The maximum rates of what is read; `None` is no limit, and 0 counts as 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rates {
    /// Messages, pings and pongs in a second.
    pub(crate) messages: Option<u32>,
    /// Bytes of frames in a second, headers included.
    pub(crate) bytes: Option<u64>,
}

/// Measures what was read of one connection.
#[derive(Debug, Default)]
pub(super) struct RateMeter {
    messages: Meter,
    bytes: Meter,
    /// Each limit is reported once for a connection.
    has_reported_messages: bool,
    has_reported_bytes: bool,
}

/// One rate: a bucket with the units of one second, which is filled evenly.
#[derive(Debug, Default)]
struct Meter {
    /// The time at which the bucket is full; `None` if it was never used.
    full_at: Option<Instant>,
}

/// A connection over a rate.
pub(super) struct Exceeded {
    /// The time until it may read again.
    pub(super) wait: Duration,
    /// The limit, if it is to be reported.
    pub(super) limit: Option<Limit>,
}

impl Rates {
    pub(super) fn any(&self) -> bool {
        self.messages.is_some() || self.bytes.is_some()
    }
}

impl RateMeter {
    /// Returns how many messages are left at a rate.
    pub(super) fn messages_left(&self, rate: u32, now: Instant) -> u64 {
        self.messages.left(rate.into(), now)
    }

    /// Takes messages and bytes out; returns what follows if that is over a rate.
    pub(super) fn charge(
        &mut self,
        rates: Rates,
        messages: u64,
        bytes: u64,
        now: Instant,
    ) -> Option<Exceeded> {
        let wait = |meter: &mut Meter, rate: Option<u64>, count| {
            rate.map_or(Duration::ZERO, |rate| meter.charge(rate, count, now))
        };
        let for_messages = wait(&mut self.messages, rates.messages.map(u64::from), messages);
        let for_bytes = wait(&mut self.bytes, rates.bytes, bytes);
        let wait = for_messages.max(for_bytes);
        if wait.is_zero() {
            return None;
        }
        let (limit, has_reported) = if for_messages >= for_bytes {
            (Limit::MessagesPerSecond, &mut self.has_reported_messages)
        } else {
            (Limit::BytesPerSecond, &mut self.has_reported_bytes)
        };
        let is_new = !mem::replace(has_reported, true);
        Some(Exceeded { wait, limit: is_new.then_some(limit) })
    }
}

impl Meter {
    /// Takes units out, and returns the time until there is one again.
    fn charge(&mut self, rate: u64, count: u64, now: Instant) -> Duration {
        let full_at =
            after(self.full_at.map_or(now, |full_at| full_at.max(now)), time(count, rate));
        self.full_at = Some(full_at);
        let needed = full_at.saturating_duration_since(now) + time(1, rate);
        needed.saturating_sub(SECOND)
    }

    /// Returns how many units are left.
    fn left(&self, rate: u64, now: Instant) -> u64 {
        let missing = self.full_at.map_or(Duration::ZERO, |it| it.saturating_duration_since(now));
        if missing.saturating_add(time(1, rate)) > SECOND {
            return 0;
        }
        let left =
            SECOND.saturating_sub(missing).as_nanos() * u128::from(rate.max(1)) / SECOND.as_nanos();
        // The time of a unit is rounded down to nanoseconds.
        u64::try_from(left).unwrap_or(u64::MAX).max(1)
    }
}

/// Returns the time in which so many units are allowed.
fn time(count: u64, rate: u64) -> Duration {
    let nanoseconds = u128::from(count) * SECOND.as_nanos() / u128::from(rate.max(1));
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

const SECOND: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    /// A second's worth at once, then evenly; unused rate is not saved for longer than a second.
    #[test]
    fn a_meter_allows_the_units_of_a_second_at_once_and_then_one_after_the_other() {
        let begin = Instant::now();
        for rate in [1, 3, 10, 1000, 999_983] {
            let mut meter = Meter::default();
            assert_eq!(meter.left(rate, begin), rate);
            assert_eq!(meter.charge(rate, rate - 1, begin), Duration::ZERO);
            assert_eq!(meter.left(rate, begin), 1);

            let wait = meter.charge(rate, 1, begin);

            assert!(wait <= time(1, rate) && wait + Duration::from_nanos(2) > time(1, rate));
            assert_eq!(meter.left(rate, begin), 0);
            assert_eq!(meter.left(rate, begin + wait), 1);
            assert_eq!(meter.left(rate, begin + 5 * SECOND), rate);
        }
    }

    /// One read may bring more bytes than are allowed: they are a debt.
    #[test]
    fn a_debt_is_waited_for() {
        let mut meter = Meter::default();
        let begin = Instant::now();

        let wait = meter.charge(100, 1000, begin);

        assert_eq!(wait, Duration::from_millis(9010));
        assert_eq!(meter.left(100, begin + 9 * SECOND), 0);
        assert_eq!(meter.left(100, begin + wait), 1);
    }

    #[test]
    fn huge_counts_and_the_smallest_rate_do_not_overflow() {
        let mut meter = Meter::default();
        let now = Instant::now();
        for (rate, count) in [(0, u64::MAX), (u64::from(u32::MAX), u64::MAX), (1, u64::MAX)] {
            assert!(meter.charge(rate, count, now) > SECOND);
            assert_eq!(meter.left(rate, now), 0);
        }
    }
}
