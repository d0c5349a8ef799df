//! The state of a timer, which its handles share.

use std::cell::Cell;
use std::fmt;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use slotwork_signals::Signal;

use crate::runtime::clock;
use crate::runtime::timers::{Expire, Expiry, Key, Timers, after};

/// The state of a timer: its interval, its next deadline, and its signal.
pub(super) struct State {
    timers: Rc<Timers>,
    this: Weak<Self>,
    pub(super) interval: Cell<Duration>,
    pub(super) is_single_shot: Cell<bool>,
    /// The next deadline, while the timer is active.
    next: Cell<Option<Instant>>,
    /// The key of its deadline: none while it is inactive or its slots run.
    key: Cell<Option<Key>>,
    pub(super) timeout: Signal<()>,
}

impl State {
    pub(super) fn new(timers: Rc<Timers>) -> Rc<Self> {
        Rc::new_cyclic(|this| Self {
            timers,
            this: Weak::clone(this),
            interval: Cell::default(),
            is_single_shot: Cell::default(),
            next: Cell::default(),
            key: Cell::default(),
            timeout: Signal::new(),
        })
    }

    /// Starts the timer, which expires after its interval, counted from now.
    pub(super) fn start(&self) {
        self.stop();
        self.next.set(Some(after(clock::now(), self.interval.get())));
        self.set_deadline();
    }

    pub(super) fn stop(&self) {
        self.next.set(None);
        if let Some(key) = self.key.take() {
            self.timers.remove(key);
        }
    }

    pub(super) fn is_active(&self) -> bool {
        self.next.get().is_some()
    }

    pub(super) fn remaining_time(&self) -> Option<Duration> {
        Some(self.next.get()?.saturating_duration_since(clock::now()))
    }

    /// Sets the deadline in the thread, unless it is set or the timer is inactive.
    fn set_deadline(&self) {
        if let (Some(next), None) = (self.next.get(), self.key.get()) {
            let expiry = Expiry::Timer(Weak::<Self>::clone(&self.this));
            self.key.set(Some(self.timers.insert(next, expiry)));
        }
    }
}

impl Expire for State {
    fn expire(self: Rc<Self>) {
        self.key.set(None);
        let Some(due) = self.next.get() else { return };
        let is_over = self.is_single_shot.get();
        self.next.set((!is_over).then(|| next_on_grid(due, self.interval.get(), clock::now())));
        // Set after the slots, even if one panics: in a loop inside a slot the timer is silent.
        let _deadline = SetDeadline(&self);
        self.timeout.emit(&());
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimerState").field("next", &self.next.get()).finish_non_exhaustive()
    }
}

/// Sets a timer's next deadline when it is dropped, after the slots.
struct SetDeadline<'a>(&'a State);

impl Drop for SetDeadline<'_> {
    fn drop(&mut self) {
        self.0.set_deadline();
    }
}

/// Returns the first instant after `now` at whole intervals after `due`.
///
/// A late timer returns to its steps, and skips those that it has missed.
fn next_on_grid(due: Instant, interval: Duration, now: Instant) -> Instant {
    let next = after(due, interval);
    if next > now || interval.is_zero() {
        return next.max(now);
    }
    let late = now.duration_since(due).as_nanos() % interval.as_nanos();
    let late = Duration::from_nanos(u64::try_from(late).unwrap_or_default());
    after(now, interval.saturating_sub(late))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::testing::stopped_clock::StoppedClock;

    /// Timers use the same clock as the deadlines of connections.
    #[test]
    fn timers_go_by_the_clock() {
        let mut clock = StoppedClock::new();
        let timer = State::new(Timers::current());
        let count = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&count);
        timer.timeout.direct().connect(move |()| _ = counter.fetch_add(1, Ordering::Relaxed));
        timer.interval.set(Duration::from_secs(3600));
        timer.start();

        clock.advance(Duration::from_secs(3599));
        assert_eq!(timer.remaining_time(), Some(Duration::from_secs(1)));
        assert_eq!(count.load(Ordering::Relaxed), 0);
        (0..3).for_each(|_| clock.advance(Duration::from_secs(3600)));

        assert_eq!(count.load(Ordering::Relaxed), 3);
    }

    /// The next deadline of a timer that is due every 10 ms and expires late.
    #[test]
    fn a_late_timer_stays_in_step() {
        let interval = Duration::from_millis(10);
        let due = Instant::now();

        for (late, next) in [(0, 10), (1, 10), (9, 10), (10, 20), (11, 20), (10_005, 10_010)] {
            let now = due + Duration::from_millis(late);
            let expected = due + Duration::from_millis(next);
            assert_eq!(next_on_grid(due, interval, now), expected, "{late} ms late");
        }
    }

    #[test]
    fn an_interval_of_zero_is_always_due() {
        let due = Instant::now();
        let now = due + Duration::from_millis(3);

        assert_eq!(next_on_grid(due, Duration::ZERO, now), now);
    }

    #[test]
    fn an_interval_without_end_does_not_overflow() {
        let due = Instant::now();

        assert!(next_on_grid(due, Duration::MAX, due + Duration::from_secs(1)) > due);
    }
}
