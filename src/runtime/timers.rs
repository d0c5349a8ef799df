//! The deadlines of one event loop, ordered by time: O(log n) to set and to clear.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::runtime::clock;
use crate::runtime::panics;

/// All deadlines of one thread.
#[derive(Default)]
pub(crate) struct Timers {
    deadlines: RefCell<BTreeMap<Key, Expiry>>,
    next_number: Cell<u64>,
    is_closed: Cell<bool>,
    /// The longest lag of a deadline; `None` while that is not measured.
    longest_lag: Cell<Option<Duration>>,
}

/// The instant of a deadline, and its number, which orders those of one instant.
pub(crate) type Key = (Instant, u64);

/// What happens when a deadline passes.
pub(crate) enum Expiry {
    /// A task is woken.
    Wake(Waker),
    /// A timer expires, if it still exists.
    Timer(Weak<dyn Expire>),
    /// A call is made.
    Call(Box<dyn FnOnce()>),
}

/// A timer that may expire again and again.
pub(crate) trait Expire {
    /// Called when the deadline passes; once for each time that it was set.
    fn expire(self: Rc<Self>);
}

impl Timers {
    /// Returns the deadlines of this thread.
    ///
    /// At the thread's end this is an empty set that never expires.
    pub(crate) fn current() -> Rc<Self> {
        TIMERS.try_with(Rc::clone).unwrap_or_default()
    }

    /// Returns the next deadline; `None` when there is none.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.deadlines.borrow().first_key_value().map(|(&(next, _), _)| next)
    }

    /// Returns the time until the next deadline; `None` when there is none.
    pub(crate) fn time_to_next(&self) -> Option<Duration> {
        self.next().map(|next| next.saturating_duration_since(clock::now()))
    }

    /// Expires the deadlines that have passed, in their order.
    ///
    /// Returns whether there were any. Deadlines that are set meanwhile wait for the next turn, even if they are due at once.
    pub(crate) fn fire(&self) -> bool {
        let mut has_expired = false;
        if self.deadlines.borrow().is_empty() {
            return has_expired;
        }
        let (now, end) = (clock::now(), self.next_number.get());
        if let Some(longest) = self.longest_lag.get() {
            self.longest_lag.set(Some(longest.max(self.lag(now))));
        }
        while let Some(expiry) = self.pop_expired(now, end) {
            has_expired = true;
            match expiry {
                Expiry::Wake(waker) => waker.wake(),
                Expiry::Timer(timer) => {
                    if let Some(timer) = timer.upgrade() {
                        panics::catch("a timer's slot", || timer.expire());
                    }
                }
                Expiry::Call(call) => _ = panics::catch("a timer's slot", call),
            }
        }
        has_expired
    }

    /// Returns the longest lag so far.
    ///
    /// `None` for the first call, which begins to measure.
    pub(crate) fn measure_lag(&self) -> Option<Duration> {
        let longest = self.longest_lag.get();
        self.longest_lag.set(longest.or(Some(Duration::ZERO)));
        longest
    }

    /// Begins to measure the longest lag anew.
    pub(crate) fn reset_lag(&self) {
        self.longest_lag.set(Some(Duration::ZERO));
    }

    /// Returns the time by which the next deadline is late.
    fn lag(&self, now: Instant) -> Duration {
        let deadlines = self.deadlines.borrow();
        let late = |(&(deadline, _), _): (&Key, _)| now.saturating_duration_since(deadline);
        deadlines.first_key_value().map(late).unwrap_or_default()
    }

    /// Adds a deadline and returns the key that removes it.
    pub(crate) fn insert(&self, deadline: Instant, expiry: Expiry) -> Key {
        let number = self.next_number.get();
        self.next_number.set(number + 1);
        if !self.is_closed.get() {
            self.deadlines.borrow_mut().insert((deadline, number), expiry);
        }
        (deadline, number)
    }

    /// Removes a deadline, unless it has passed.
    pub(crate) fn remove(&self, key: Key) {
        let expiry = self.deadlines.borrow_mut().remove(&key);
        drop(expiry);
    }

    /// Drops all deadlines and ignores new ones, at the thread's end.
    pub(crate) fn close(&self) {
        self.is_closed.set(true);
        for expiry in self.deadlines.take().into_values() {
            panics::catch_and_log("the end of a timer", || drop(expiry));
        }
    }

    fn pop_expired(&self, now: Instant, end: u64) -> Option<Expiry> {
        let mut deadlines = self.deadlines.borrow_mut();
        let entry = deadlines.first_entry()?;
        let &(deadline, number) = entry.key();
        (deadline <= now && number < end).then(|| entry.remove())
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.deadlines.borrow().len()
    }
}

/// A deadline of a task, which can be moved; dropping it clears it.
pub(crate) struct Deadline {
    timers: Rc<Timers>,
    key: Option<Key>,
}

impl Deadline {
    /// Makes a deadline that is not set.
    pub(crate) fn new() -> Self {
        Self { timers: Timers::current(), key: None }
    }

    /// Sets, moves or clears the deadline; `waker` is woken once when it passes.
    pub(crate) fn set(&mut self, deadline: Option<Instant>, waker: &Waker) {
        if self.key.map(|(current, _)| current) == deadline {
            return;
        }
        self.clear();
        self.key =
            deadline.map(|deadline| self.timers.insert(deadline, Expiry::Wake(waker.clone())));
    }

    fn clear(&mut self) {
        if let Some(key) = self.key.take() {
            self.timers.remove(key);
        }
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Waits until an instant has passed.
pub(crate) struct Sleep {
    until: Instant,
    deadline: Deadline,
}

impl Sleep {
    /// Waits for a duration from now.
    pub(crate) fn new(duration: Duration) -> Self {
        Self { until: after(clock::now(), duration), deadline: Deadline::new() }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if clock::now() >= self.until {
            return Poll::Ready(());
        }
        let until = self.until;
        // Set again at each poll: the task, and with it the waker, may be a different one now.
        self.deadline.clear();
        self.deadline.set(Some(until), cx.waker());
        Poll::Pending
    }
}

/// Returns the instant that is `duration` after another one.
pub(crate) fn after(instant: Instant, duration: Duration) -> Instant {
    // A duration that the clock cannot hold never passes.
    instant.checked_add(duration).unwrap_or(instant + FOR_EVER)
}

thread_local! {
    static TIMERS: Rc<Timers> = Rc::default();
}

/// A century.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::testing::Count;
    use crate::testing::stopped_clock::StoppedClock;

    #[test]
    fn a_deadline_that_has_passed_wakes_once_and_a_later_one_waits() {
        let timers = Timers::current();
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let now = Instant::now();
        let (mut passed, mut later) = (Deadline::new(), Deadline::new());
        passed.set(Some(now), &waker);
        later.set(Some(now + Duration::from_secs(3600)), &waker);

        timers.fire();
        timers.fire();

        assert_eq!(count.get(), 1);
        assert!(timers.time_to_next() > Some(Duration::from_secs(3000)));
    }

    #[test]
    fn moved_cleared_and_dropped_deadlines_leave_nothing() {
        let timers = Timers::current();
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let later = Instant::now() + Duration::from_secs(3600);
        let mut deadline = Deadline::new();

        deadline.set(Some(later), &waker);
        deadline.set(Some(later + Duration::from_secs(1)), &waker);
        assert_eq!(timers.len(), 1);
        deadline.set(None, &waker);
        assert_eq!(timers.len(), 0);
        deadline.set(Some(later), &waker);
        drop(deadline);

        assert_eq!(timers.len(), 0);
        drop(waker);
        assert_eq!(Arc::strong_count(&count), 1);
    }

    #[test]
    fn deadlines_go_by_the_clock() {
        let mut clock = StoppedClock::new();
        let count = Arc::new(Count::default());
        let mut deadline = Deadline::new();
        deadline.set(Some(clock::now() + Duration::from_secs(10)), &Arc::clone(&count).into());

        clock.advance(Duration::from_millis(9_999));
        assert_eq!(count.get(), 0);
        clock.advance(Duration::from_millis(1));

        assert_eq!(count.get(), 1);
    }

    #[test]
    fn the_longest_lag_is_that_of_the_most_late_deadline() {
        let mut clock = StoppedClock::new();
        let timers = Timers::current();
        assert_eq!(timers.measure_lag(), None);
        let [one, two] = [1, 2].map(Duration::from_secs);
        let mut deadlines = [Deadline::new(), Deadline::new()];
        for (deadline, wait) in deadlines.iter_mut().zip([one, two]) {
            deadline.set(Some(clock::now() + wait), Waker::noop());
        }

        clock.advance(Duration::from_secs(5));

        assert_eq!(timers.measure_lag(), Some(Duration::from_secs(4)));
        timers.reset_lag();
        assert_eq!(timers.measure_lag(), Some(Duration::ZERO));
    }

    #[test]
    fn a_sleep_without_end_does_not_overflow() {
        let _sleep = Sleep::new(Duration::MAX);
    }
}
