//! Running the loop for a limited time, or inside a program's own loop.

use std::future::pending;
#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::event_loop::EventLoop;
use crate::event_loop::thread_loop::{Run, run_while};
use crate::runtime::clock;
use crate::runtime::timers::after;

impl EventLoop {
    /// Runs what is ready now, without waiting, and returns whether anything was.
    ///
    /// That is a queued slot or call, a timer that expired, an event, such as that of a socket that
    /// received something, or a task. For programs with a loop of their own. In a slot inside too
    /// many loops it does nothing ([`set_max_nesting`](Self::set_max_nesting)).
    ///
    /// # Qt
    ///
    /// `QEventLoop::processEvents()`, and `QCoreApplication::processEvents()`, which returns
    /// nothing.
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
    #[expect(clippy::must_use_candidate, reason = "many programs have no use for it")]
    pub fn process_events(&self) -> bool {
        self.run_ready(Duration::ZERO)
    }

    /// Runs what is ready, without waiting, until nothing is or `max_time` has passed.
    ///
    /// What becomes ready meanwhile is run too. A call that takes longer is not cut off. When
    /// nothing is ready it returns at once, long before `max_time`: [`wait`](Self::wait) waits.
    ///
    /// # Qt
    ///
    /// `QCoreApplication::processEvents()` with a maximum time, which does not wait either. It
    /// returns nothing, as that does.
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
        self.run_ready(max_time);
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
        run_while(&self.state, after(clock::now(), time), Duration::MAX, &|| false);
    }

    /// Runs the loop until `condition` holds, for `timeout` at most.
    ///
    /// Returns whether it holds. The condition is checked in each turn of the loop, and 10 ms after the last check at the
    /// latest, so it may depend on other threads or the time. With a timeout of 0 the loop runs
    /// once. Nothing else ends it earlier, not even [`exit`](Self::exit). In a slot it holds up the
    /// slot's own socket, as [`NestedLoop`](crate::NestedLoop) does; inside too many loops it returns
    /// at once ([`set_max_nesting`](Self::set_max_nesting)).
    ///
    /// # Qt
    ///
    /// `QTest::qWaitFor()`, and `QTRY_VERIFY` with `assert!`. For the emissions of a signal there is
    /// [`SignalSpy::wait_for`](slotwork_signals::SignalSpy::wait_for).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use slotwork::{EventLoop, HostAddress, SslMode, WebSocket, WebSocketServer};
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// let server = WebSocketServer::new("Server", SslMode::NonSecure);
    /// server.listen(HostAddress::LocalHost, 0)?;
    /// let socket = WebSocket::new();
    /// socket.open(server.server_url())?;
    ///
    /// let timeout = Duration::from_secs(5);
    /// assert!(EventLoop::current().wait_until(|| socket.is_valid(), timeout));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "qWaitFor")]
    #[doc(alias = "QTest::qWaitFor")]
    #[doc(alias = "QTRY_VERIFY")]
    #[doc(alias = "QTRY_VERIFY_WITH_TIMEOUT")]
    #[doc(alias = "QTRY_COMPARE")]
    #[must_use]
    pub fn wait_until(&self, condition: impl Fn() -> bool, timeout: Duration) -> bool {
        let deadline = after(clock::now(), timeout);
        run_while(&self.state, deadline, CHECK_INTERVAL, &condition);
        condition()
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

    /// Runs what is ready, without waiting, until nothing is; for some turns at most.
    #[cfg(any(test, fuzzing, feature = "testing"))]
    pub(crate) fn settle(&self, turns: usize) {
        let Some(mut run) = Run::begin(&self.state) else { return };
        for _ in 0..turns {
            run.look();
            let _: Poll<()> = run.turn(pin!(pending()));
            run.look();
            if !run.has_more() {
                return;
            }
        }
    }

    /// Runs what is ready, for some time; returns whether anything was.
    fn run_ready(&self, max_time: Duration) -> bool {
        let begin = Instant::now();
        let Some(mut run) = Run::begin(&self.state) else { return false };
        run.look();
        let _: Poll<()> = run.turn_with(u64::MAX, pin!(pending()));
        while begin.elapsed() < max_time {
            run.look();
            if !run.has_more() {
                break;
            }
            let _: Poll<()> = run.turn(pin!(pending()));
        }
        run.made_progress()
    }
}

/// The descriptor that is readable when `process_events` has something to run.
///
/// For programs that poll other descriptors with a loop of their own: before each poll, call
/// `process_events`; then poll this descriptor too, and no longer than
/// [`time_to_next_timer`](EventLoop::time_to_next_timer) says. Nothing must be read from it. Unix
/// only; elsewhere a loop of this kind calls `process_events_for` at an interval, or leaves the
/// network to an [`EventThread`](crate::EventThread).
#[cfg(unix)]
impl AsFd for EventLoop {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.state.reactor.registry().as_fd()
    }
}

/// The longest time between two checks of a condition; that of `QTest::qWaitFor()`.
const CHECK_INTERVAL: Duration = Duration::from_millis(10);
