//! The virtual clock of a thread.

use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::event_loop::EventLoop;
use crate::runtime::clock;
use crate::runtime::timers::after;

/// The clock of this thread's event loop, which stands still until it is moved.
///
/// All that waits for a time uses it: [`Timer`](crate::Timer), the timeouts of handshakes, of
/// closing and writing, keepalive, the delays of a [`Link`](crate::testing::Link), and the timeouts of
/// [`SignalSpy::wait_for`](crate::signals::SignalSpy::wait_for) and
/// [`EventLoop::wait_until`]. It moves in two ways:
///
/// * by [`advance`](Self::advance);
/// * by itself, in a loop that runs until something happens ([`EventLoop::run_until`],
///   [`EventLoop::exec`], [`EventLoop::wait`], a spy that waits): when nothing is ready, it jumps to
///   the next deadline instead of waiting for it.
///
/// It knows its own thread alone. A loop of another thread, the kernel and `smol::Timer` use the time
/// of the system, and a clock that jumps does not wait for them: use it with sockets in memory, and
/// not with real ones. Without a deadline the loop waits for other threads as usual.
///
/// When it is dropped, the thread's clock is the system's again. What was set to wait until a virtual
/// instant then waits for that instant in real time.
///
/// # Qt
///
/// Qt has no counterpart. tokio's is `tokio::time::pause`.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
/// use std::rc::Rc;
/// use std::time::Duration;
///
/// use slotwork::Timer;
/// use slotwork::testing::VirtualClock;
///
/// let clock = VirtualClock::install();
/// let count = Rc::new(Cell::new(0));
/// let timer = Timer::new();
/// timer.timeout().connect_to(&count, |count, _timer, ()| count.set(count.get() + 1));
/// timer.start(Duration::from_secs(3600));
///
/// clock.advance(Duration::from_secs(24 * 3600));
/// assert_eq!(count.get(), 24);
/// ```
#[must_use = "the thread's clock is the system's again when this is dropped"]
pub struct VirtualClock {
    start: Instant,
    /// It is the clock of one thread.
    thread: PhantomData<Rc<()>>,
}

impl VirtualClock {
    /// Stops the clock of this thread at the current time.
    ///
    /// # Panics
    ///
    /// If this thread has a virtual clock already.
    pub fn install() -> Self {
        assert!(clock::stopped_at().is_none(), "this thread has a virtual clock already");
        let start = clock::now();
        clock::set_stopped_at(Some(start));
        Self { start, thread: PhantomData }
    }

    /// Moves the clock forward, and runs the loop at each instant with something due.
    ///
    /// The loop is that of this thread. Deadlines pass in their order, each at its own instant, and
    /// what they cause runs before the next one. With [`Duration::ZERO`] it only runs what is ready
    /// now. Panics of slots are those of [`EventLoop::exec`]: it panics with them.
    ///
    /// While the loop is never idle, as with a timer of interval 0, each instant ends after 10 000
    /// turns, and the next one is up to 10 ms later.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use slotwork::signals::SignalSpy;
    /// use slotwork::testing::{Host, VirtualClock};
    /// use slotwork::{Error, WebSocket};
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// let clock = VirtualClock::install();
    /// // It accepts connections, and never answers.
    /// let _host = Host::scripted("silent.test");
    /// let socket = WebSocket::new();
    /// let errors = SignalSpy::new(&socket.error_occurred());
    /// socket.open("ws://silent.test/")?;
    ///
    /// clock.advance(Duration::from_millis(9_999));
    /// assert_eq!(errors.count(), 0);
    /// clock.advance(Duration::from_millis(1));
    /// assert!(matches!(*errors.values(), [Error::ConnectTimeout(_)]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn advance(&self, duration: Duration) {
        let event_loop = EventLoop::current();
        let end = after(clock::now(), duration);
        loop {
            event_loop.settle(TURNS);
            let left = end.saturating_duration_since(clock::now());
            let next = match event_loop.time_to_next_timer() {
                Some(next) if next.is_zero() => left.min(STEP),
                Some(next) => next,
                None => left,
            };
            if next > left || left.is_zero() {
                break;
            }
            clock::set_stopped_at(Some(after(clock::now(), next)));
        }
        clock::set_stopped_at(Some(end.max(clock::now())));
    }

    /// Returns how far the clock has moved since it was installed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use slotwork::EventLoop;
    /// use slotwork::testing::VirtualClock;
    ///
    /// let clock = VirtualClock::install();
    /// EventLoop::current().wait(Duration::from_secs(60));
    /// assert_eq!(clock.elapsed(), Duration::from_secs(60));
    /// ```
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        clock::since(self.start)
    }
}

impl Drop for VirtualClock {
    fn drop(&mut self) {
        clock::set_stopped_at(None);
    }
}

impl fmt::Debug for VirtualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualClock").field("elapsed", &self.elapsed()).finish()
    }
}

/// The maximum number of turns at one instant.
const TURNS: usize = 10_000;
/// How far the clock moves when the loop is not idle after them.
const STEP: Duration = Duration::from_millis(10);
