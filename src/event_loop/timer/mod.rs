//! Timers, as objects with a signal.

use std::fmt;
use std::rc::{Rc, Weak};
use std::time::Duration;

use slotwork_signals::host::{Origin, watched_call};
use slotwork_signals::{Handle, Receiver, SignalRef, WeakReceiver};

use crate::event_loop::EventLoop;
use crate::event_loop::timer::state::State;
use crate::runtime::clock;
use crate::runtime::timers::{Expiry, after};

mod state;

/// Emits a signal again and again, or once, when an interval has passed.
///
/// A cheap handle: clones are the same timer. It belongs to the thread that made it, and expires
/// while that thread's [`EventLoop`] runs; dropping the last handle stops it. It never expires
/// early. A timer that is late, because the loop was busy, expires once and stays in step with its
/// start, so that it does not drift.
///
/// # Qt
///
/// `QTimer` with `Qt::PreciseTimer`; there are no coarse timers.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use slotwork::{EventLoop, Timer};
///
/// let timer = Timer::new();
/// timer.timeout().connect(|timer, ()| {
///     timer.stop();
///     EventLoop::current().quit();
/// });
/// timer.start(Duration::from_millis(1));
/// EventLoop::current().exec();
///
/// assert!(!timer.is_active());
/// ```
#[derive(Clone)]
pub struct Timer {
    state: Rc<State>,
}

impl Timer {
    /// Makes a timer that is not active, repeats, and has an interval of 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use slotwork::{Timer, WebSocketServer};
    ///
    /// fn tick(server: &WebSocketServer) -> Timer {
    ///     let timer = Timer::new();
    ///     timer.timeout().connect_to(server, |server, _timer, ()| {
    ///         server.broadcast_text("tick");
    ///     });
    ///     timer.start(Duration::from_millis(500));
    ///     timer
    /// }
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self { state: State::new(EventLoop::current().timers()) }
    }

    /// Calls `slot` once, after `duration`, from the event loop.
    ///
    /// With a duration of 0 it is a call like that of [`EventLoop::defer_to`], and keeps its place
    /// among those and the queued slots.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use slotwork::{EventLoop, Timer};
    ///
    /// Timer::single_shot(Duration::from_millis(1), || EventLoop::current().exit(3));
    ///
    /// assert_eq!(EventLoop::current().exec(), 3);
    /// ```
    #[doc(alias = "singleShot")]
    #[track_caller]
    pub fn single_shot(duration: Duration, slot: impl FnOnce() + 'static) {
        Self::single_shot_to(duration, (), |()| slot());
    }

    /// Calls `slot` once, after `duration`, unless `receiver` is gone by then.
    ///
    /// The receiver is held weakly and lent to the slot, as with
    /// [`connect_to`](slotwork_signals::Signal::connect_to).
    ///
    /// # Qt
    ///
    /// `QTimer::singleShot()` with a context object, or a receiver and its member.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use slotwork::{Timer, WebSocket};
    ///
    /// /// Disconnects a client that has not logged in within 10 s.
    /// fn expect_login(socket: &WebSocket) {
    ///     # struct Login;
    ///     Timer::single_shot_to(Duration::from_secs(10), socket, |socket| {
    ///         if socket.data::<Login>().is_none() {
    ///             socket.close(1008, "no login");
    ///         }
    ///     });
    /// }
    /// ```
    #[doc(alias = "singleShot")]
    #[track_caller]
    pub fn single_shot_to<R: Receiver>(
        duration: Duration,
        receiver: R,
        slot: impl FnOnce(&R::Strong) + 'static,
    ) {
        let event_loop = EventLoop::current();
        if duration.is_zero() {
            return event_loop.defer_to(receiver, slot);
        }
        let (receiver, origin) = (receiver.downgrade(), Origin::here());
        let call = move || {
            if let Some(receiver) = receiver.upgrade() {
                watched_call("single shot started", origin, || slot(&receiver));
            }
        };
        let deadline = after(clock::now(), duration);
        event_loop.timers().insert(deadline, Expiry::Call(Box::new(call)));
    }

    /// Emitted when the timer expires.
    ///
    /// A slot may stop, restart or drop the timer. While a slot runs a loop of its own, its timer
    /// does not expire again, unless the slot has started it again.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    /// use std::time::Duration;
    ///
    /// use slotwork::{Timer, WebSocketServer};
    ///
    /// struct Feed {
    ///     server: WebSocketServer,
    /// }
    ///
    /// impl Feed {
    ///     fn on_timeout(self: &Rc<Self>, _timer: &Timer, (): &()) {
    ///         self.server.broadcast_text("tick");
    ///     }
    /// }
    ///
    /// fn start(feed: &Rc<Feed>, timer: &Timer) {
    ///     timer.timeout().connect_to(feed, Feed::on_timeout);
    ///     timer.start(Duration::from_millis(500));
    /// }
    /// ```
    #[doc(alias = "callOnTimeout")]
    #[must_use]
    pub fn timeout(&self) -> SignalRef<'_, Self, ()> {
        SignalRef::new(self, &self.state.timeout)
    }

    /// Sets the interval and starts; an active timer starts again.
    ///
    /// With 0 it expires in each turn of the loop, after all that was ready has run.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::time::Duration;
    ///
    /// use slotwork::{EventLoop, Timer};
    ///
    /// let (timer, count) = (Timer::new(), Cell::new(0));
    /// timer.timeout().connect(move |timer, ()| {
    ///     count.set(count.get() + 1);
    ///     if count.get() == 3 {
    ///         timer.stop();
    ///         EventLoop::current().quit();
    ///     }
    /// });
    /// timer.start(Duration::from_millis(1));
    /// EventLoop::current().exec();
    /// ```
    #[doc(alias = "startTimer")]
    pub fn start(&self, interval: Duration) {
        self.state.interval.set(interval);
        self.state.start();
    }

    /// Starts with the current interval; an active timer starts again.
    ///
    /// # Qt
    ///
    /// `QTimer::start()` without an argument.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use slotwork::{Timer, WebSocket};
    ///
    /// /// Disconnects a client that sends nothing for a minute.
    /// fn watch(socket: &WebSocket) {
    ///     let idle = Timer::new();
    ///     idle.set_single_shot(true);
    ///     idle.timeout().connect_to(socket, |socket, _timer, ()| {
    ///         socket.close(1000, "idle");
    ///     });
    ///     idle.start(Duration::from_secs(60));
    ///     socket.text_message_received().connect(move |_socket, _text| idle.restart());
    /// }
    /// ```
    pub fn restart(&self) {
        self.state.start();
    }

    /// Stops the timer, if it is active.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use slotwork::Timer;
    ///
    /// let timer = Timer::new();
    /// timer.start(Duration::from_secs(1));
    /// timer.stop();
    /// assert!(!timer.is_active() && timer.remaining_time().is_none());
    /// ```
    #[doc(alias = "killTimer")]
    pub fn stop(&self) {
        self.state.stop();
    }

    /// Sets the interval; an active timer starts again with it.
    #[doc(alias = "setInterval")]
    pub fn set_interval(&self, interval: Duration) {
        self.state.interval.set(interval);
        if self.is_active() {
            self.state.start();
        }
    }

    /// Sets whether the timer stops by itself, just before it emits `timeout`.
    ///
    /// The default is that it does not: it repeats.
    #[doc(alias = "setSingleShot")]
    pub fn set_single_shot(&self, is_single_shot: bool) {
        self.state.is_single_shot.set(is_single_shot);
    }

    /// Returns the interval; 0 by default.
    #[doc(alias = "intervalAsDuration")]
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.state.interval.get()
    }

    /// Returns the time until the timer expires; `None` when it is not active.
    ///
    /// 0 when it is late.
    #[doc(alias = "remainingTime")]
    #[doc(alias = "remainingTimeAsDuration")]
    #[must_use]
    pub fn remaining_time(&self) -> Option<Duration> {
        self.state.remaining_time()
    }

    /// Returns whether the timer is active.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use slotwork::Timer;
    ///
    /// /// Saves half a minute after the first change, however many follow.
    /// fn on_changed(save: &Timer) {
    ///     if !save.is_active() {
    ///         save.start(Duration::from_secs(30));
    ///     }
    /// }
    /// ```
    #[doc(alias = "isActive")]
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.state.is_active()
    }

    /// Returns whether the timer stops by itself when it expires.
    #[doc(alias = "isSingleShot")]
    #[must_use]
    pub fn is_single_shot(&self) -> bool {
        self.state.is_single_shot.get()
    }
}

impl Default for Timer {
    fn default() -> Self {
        Self::new()
    }
}

impl Handle for Timer {
    type Weak = WeakTimer;

    fn downgrade(&self) -> WeakTimer {
        WeakTimer { state: Rc::downgrade(&self.state) }
    }

    fn upgrade(weak: &WeakTimer) -> Option<Self> {
        weak.upgrade()
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let remaining = self.remaining_time();
        f.debug_struct("Timer")
            .field("interval", &self.interval())
            .field("remaining_time", &remaining)
            .finish_non_exhaustive()
    }
}

/// A handle that does not keep its [`Timer`] alive.
#[derive(Clone, Debug)]
pub struct WeakTimer {
    state: Weak<State>,
}

impl WeakTimer {
    /// Returns the timer, unless it is gone.
    #[must_use]
    pub fn upgrade(&self) -> Option<Timer> {
        Some(Timer { state: self.state.upgrade()? })
    }
}
