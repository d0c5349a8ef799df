//! Running the loop for a limited time, or inside a program's own loop.

use std::future::pending;
#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::event_loop::EventLoop;
use crate::event_loop::thread_loop::{Run, run_while};
use crate::runtime::timers::after;

impl EventLoop {
    /// Runs what is ready now, without waiting, and returns.
    ///
    /// For programs with a loop of their own. In a slot inside too many loops it does nothing
    /// ([`set_max_nesting`](Self::set_max_nesting)).
    ///
    /// # Qt
    ///
    /// `QCoreApplication::processEvents()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::EventLoop;
    ///
    /// # let is_running = || false;
    /// # let draw = || ();
    /// // A program with a loop of its own, such as a game.
    /// while is_running() {
    ///     EventLoop::current().process_events();
    ///     draw();
    /// }
    /// ```
    #[doc(alias = "processEvents")]
    pub fn process_events(&self) {
        self.process_events_for(Duration::ZERO);
    }

    /// Runs what is ready, without waiting, until nothing is or `max_time` has passed.
    ///
    /// What becomes ready meanwhile is run too. A call that takes longer is not cut off. When
    /// nothing is ready it returns at once, long before `max_time`: [`wait`](Self::wait) waits.
    ///
    /// # Qt
    ///
    /// `QCoreApplication::processEvents()` with a maximum time, which does not wait either.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use slotwork::EventLoop;
    ///
    /// let event_loop = EventLoop::current();
    /// # let frames = 3;
    /// for _frame in 0..frames {
    ///     // ... draw ...
    ///     event_loop.process_events_for(Duration::from_millis(5));
    /// }
    /// ```
    #[doc(alias = "processEvents")]
    pub fn process_events_for(&self, max_time: Duration) {
        let begin = Instant::now();
        let Some(mut run) = Run::begin(&self.state) else { return };
        run.wait(Some(Duration::ZERO));
        let _: Poll<()> = run.turn_with(u64::MAX, pin!(pending()));
        while begin.elapsed() < max_time {
            run.wait(Some(Duration::ZERO));
            if !run.has_more() {
                return;
            }
            let _: Poll<()> = run.turn(pin!(pending()));
        }
    }

    /// Runs the loop for `time`, and sleeps while nothing is ready.
    ///
    /// Nothing ends it earlier, not even [`exit`](Self::exit). In a slot it holds up the slot's own
    /// socket, as [`NestedLoop`](crate::NestedLoop) does; inside too many loops it returns at
    /// once ([`set_max_nesting`](Self::set_max_nesting)).
    ///
    /// # Qt
    ///
    /// `QTest::qWait()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::rc::Rc;
    /// use std::time::Duration;
    ///
    /// use slotwork::{EventLoop, Timer};
    ///
    /// let count = Rc::new(Cell::new(0));
    /// Timer::single_shot_to(Duration::from_millis(1), &count, |count| count.set(1));
    ///
    /// EventLoop::current().wait(Duration::from_millis(5));
    /// assert_eq!(count.get(), 1);
    /// ```
    #[doc(alias = "qWait")]
    #[doc(alias = "QTest::qWait")]
    pub fn wait(&self, time: Duration) {
        run_while(&self.state, after(Instant::now(), time), &|| false);
    }

    /// Returns the time until the next timer expires; `None` without timers.
    ///
    /// 0 when one is late. Another loop, which polls the descriptor of this one, must not sleep
    /// longer.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use slotwork::{EventLoop, Timer};
    ///
    /// let timer = Timer::new();
    /// timer.start(Duration::from_millis(20));
    ///
    /// let longest_sleep = EventLoop::current().time_to_next_timer();
    /// assert!(longest_sleep.is_some_and(|time| time <= Duration::from_millis(20)));
    /// ```
    #[doc(alias = "remainingTime")]
    #[must_use]
    pub fn time_to_next_timer(&self) -> Option<Duration> {
        self.state.timers.time_to_next()
    }
}

/// The descriptor that is readable when `process_events` has something to run.
///
/// For programs that poll other descriptors with a loop of their own: before each poll, call
/// `process_events`; then poll this descriptor too, and no longer than
/// [`time_to_next_timer`](EventLoop::time_to_next_timer) says. Nothing must be read from it. Unix
/// only.
#[cfg(unix)]
impl AsFd for EventLoop {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.state.reactor.registry().as_fd()
    }
}
