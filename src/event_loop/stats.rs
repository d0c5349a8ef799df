//! Statistics of a loop: how long its turns take, and how late its deadlines are.

use crate::event_loop::EventLoop;
use crate::types::stats::LoopStats;

/// Statistics.
impl EventLoop {
    /// Returns the statistics of this loop since the first call.
    ///
    /// The first call begins the measurement, and returns zeros. From then on each turn reads the
    /// clock twice, some 50 ns. A loop that runs inside a slot ends the turn around it whenever it
    /// polls, so its sleep is not busy time. Loops of other threads are asked through
    /// [`LoopHandle::post`](crate::LoopHandle::post).
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use slotwork::{EventLoop, Timer};
    ///
    /// let event_loop = EventLoop::current();
    /// event_loop.stats();
    ///
    /// event_loop.wait(Duration::from_millis(5));
    ///
    /// let stats = event_loop.stats();
    /// let load = stats.busy.as_secs_f64() / stats.elapsed.as_secs_f64();
    /// println!("{:.1} % busy, longest turn {:?}", 100.0 * load, stats.longest_turn);
    /// # assert!(stats.turns > 0 && stats.busy <= stats.elapsed);
    /// ```
    #[doc(alias = "lag")]
    #[expect(clippy::must_use_candidate, reason = "the first call begins the measurement")]
    pub fn stats(&self) -> LoopStats {
        let longest_lag = self.state.timers.measure_lag().unwrap_or_default();
        self.state.turn_clock.stats(longest_lag)
    }

    /// Begins the measurement of [`stats`](Self::stats) anew.
    ///
    /// So the longest turn and the longest lag are those of an interval, such as the time between two
    /// reports.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use slotwork::{EventLoop, Timer};
    ///
    /// EventLoop::current().reset_stats();
    /// let timer = Timer::new();
    /// timer.timeout().connect(|_timer, ()| {
    ///     let stats = EventLoop::current().stats();
    ///     println!("the longest turn of the last minute took {:?}", stats.longest_turn);
    ///     EventLoop::current().reset_stats();
    /// });
    /// timer.start(Duration::from_secs(60));
    /// ```
    pub fn reset_stats(&self) {
        self.state.timers.reset_lag();
        self.state.turn_clock.restart();
    }
}
