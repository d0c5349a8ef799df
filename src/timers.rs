//! The deadlines of one event loop: ordered by time, O(log n) to set and to clear.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// All deadlines of one thread.
#[derive(Default)]
pub(crate) struct Timers {
    // The number keeps deadlines of the same instant apart, in the order in which they were set.
    deadlines: RefCell<BTreeMap<(Instant, u64), Waker>>,
    next_number: Cell<u64>,
}

impl Timers {
    /// Returns the deadlines of this thread.
    ///
    /// At the thread's end there are none any more: what is set then never expires.
    pub(crate) fn current() -> Rc<Self> {
        TIMERS.try_with(Rc::clone).unwrap_or_default()
    }

    /// Returns how long it is until the next deadline; `None` when there is none.
    pub(crate) fn time_to_next(&self) -> Option<Duration> {
        let deadlines = self.deadlines.borrow();
        let (&(next, _), _) = deadlines.first_key_value()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// Wakes everybody whose deadline has passed.
    pub(crate) fn fire(&self) {
        if self.deadlines.borrow().is_empty() {
            return;
        }
        let now = Instant::now();
        while let Some(waker) = self.pop_expired(now) {
            waker.wake();
        }
    }

    /// Drops all deadlines, at the thread's end.
    pub(crate) fn close(&self) {
        let deadlines = self.deadlines.take();
        drop(deadlines);
    }

    fn pop_expired(&self, now: Instant) -> Option<Waker> {
        let mut deadlines = self.deadlines.borrow_mut();
        let entry = deadlines.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(entry.remove())
    }

    fn insert(&self, deadline: Instant, waker: Waker) -> (Instant, u64) {
        let number = self.next_number.get();
        self.next_number.set(number + 1);
        self.deadlines.borrow_mut().insert((deadline, number), waker);
        (deadline, number)
    }

    fn remove(&self, key: (Instant, u64)) {
        let waker = self.deadlines.borrow_mut().remove(&key);
        drop(waker);
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.deadlines.borrow().len()
    }
}

/// One deadline of a task, which can be moved; dropping it clears it.
pub(crate) struct Deadline {
    timers: Rc<Timers>,
    key: Option<(Instant, u64)>,
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
        self.key = deadline.map(|deadline| self.timers.insert(deadline, waker.clone()));
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
    /// Waits for a duration, counted from now.
    pub(crate) fn new(duration: Duration) -> Self {
        // A duration that the clock cannot hold is as good as for ever.
        let now = Instant::now();
        let until = now.checked_add(duration).unwrap_or(now + FOR_EVER);
        Self { until, deadline: Deadline::new() }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.until {
            return Poll::Ready(());
        }
        let until = self.until;
        // Set anew at each poll: the task, and with it the waker, may be another one by now.
        self.deadline.clear();
        self.deadline.set(Some(until), cx.waker());
        Poll::Pending
    }
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
    fn a_sleep_without_end_does_not_overflow() {
        let _sleep = Sleep::new(Duration::MAX);
    }
}
