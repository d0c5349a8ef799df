//! Running the loop inside another one: an async executor, or a program's own.

use std::future::pending;
#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::EventLoop;
use super::inner::Run;

impl EventLoop {
    /// Runs what is ready now, without waiting, and returns.
    ///
    /// For programs with a loop of their own.
    ///
    /// # Qt
    ///
    /// `QCoreApplication::processEvents()`.
    #[doc(alias = "processEvents")]
    pub fn process_events(&self) {
        self.process_events_for(Duration::ZERO);
    }

    /// Runs what is ready, without waiting, until nothing is or `max_time` has passed.
    ///
    /// What becomes ready meanwhile is run too. A call that takes longer is not cut off.
    ///
    /// # Qt
    ///
    /// `QCoreApplication::processEvents()` with a maximum time.
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
        let mut run = Run::begin(&self.inner);
        run.wait(Some(Duration::ZERO));
        let _: Poll<()> = run.turn(pin!(pending()));
        while begin.elapsed() < max_time {
            run.wait(Some(Duration::ZERO));
            if !run.has_more() {
                return;
            }
            let _: Poll<()> = run.turn(pin!(pending()));
        }
    }

    /// Returns how long it is until a timer expires, 0 when one is late; `None` without timers.
    ///
    /// Another loop, which polls the descriptor of this one, must not sleep longer.
    #[doc(alias = "remainingTime")]
    #[must_use]
    pub fn time_to_next_timer(&self) -> Option<Duration> {
        self.inner.timers.time_to_next()
    }
}

/// The descriptor that can be read when there is something for
/// [`process_events`](EventLoop::process_events) to do.
///
/// For programs that poll other descriptors with a loop of their own: before each poll, call
/// `process_events`; then poll this descriptor too, and no longer than
/// [`time_to_next_timer`](EventLoop::time_to_next_timer) says. Nothing must be read from it. Unix
/// only.
#[cfg(unix)]
impl AsFd for EventLoop {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.reactor.registry().as_fd()
    }
}
