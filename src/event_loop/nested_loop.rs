//! A loop inside a slot, which ends by itself.

use std::fmt;
use std::rc::Rc;

use log::warn;

use crate::event_loop::EventLoop;
use crate::event_loop::exec::REFUSED;
use crate::event_loop::exits::Exit;

/// Runs the event loop of a thread inside a slot, until [`quit`](Self::quit).
///
/// All other objects of the thread continue meanwhile, but not the socket that emitted to the slot:
/// its messages, its pongs and its end are delivered when the slot has returned, in order. So such
/// a loop must not wait for its own socket, or it never ends; debug builds log a warning when the
/// socket receives something. A slot that is connected with
/// [`queued()`](slotwork_signals::SignalRef::queued) may wait for any socket, and so may an async
/// slot, which needs no loop. The same holds for all that runs a loop: [`EventLoop::exec`],
/// [`EventLoop::run_until`], [`EventLoop::process_events`], [`EventLoop::wait`],
/// [`EventLoop::wait_until`] and [`SignalSpy`](slotwork_signals::SignalSpy).
///
/// [`EventLoop::exit`] ends it too; its own [`exit`](Self::exit) ends nothing else. Where a future
/// holds the result, use [`EventLoop::run_until`]. Each loop takes stack until the loops inside it
/// have ended: see [`EventLoop::set_max_nesting`].
///
/// # Qt
///
/// A local `QEventLoop`.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
/// use std::time::Duration;
///
/// use slotwork::{NestedLoop, Timer};
///
/// let timer = Timer::new();
/// let nested = Rc::new(NestedLoop::new());
/// timer.timeout().connect_to(&nested, |nested, _timer, ()| nested.quit());
/// timer.start(Duration::from_millis(1));
///
/// assert_eq!(nested.exec(), 0);
/// ```
#[derive(Default)]
pub struct NestedLoop {
    exit: Rc<Exit>,
}

impl NestedLoop {
    /// Makes a loop that does not run yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs the thread's loop until [`exit`](Self::exit), and returns its code.
    ///
    /// Returns -1 at once when it runs already, when the thread's loop is ending, or when too many
    /// loops run inside each other ([`EventLoop::set_max_nesting`]).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    /// use std::time::Duration;
    ///
    /// use slotwork::{NestedLoop, Timer, WebSocket};
    ///
    /// /// Waits for the pong for 5 s at the most; not in a slot of this socket.
    /// fn is_alive(socket: &WebSocket) -> bool {
    ///     let nested = Rc::new(NestedLoop::new());
    ///     socket.pong().connect_to(&nested, |nested, _socket, _pong| nested.exit(1));
    ///     Timer::single_shot_to(Duration::from_secs(5), &nested, |nested| nested.exit(0));
    ///     socket.ping("");
    ///     nested.exec() == 1
    /// }
    /// ```
    #[expect(clippy::must_use_candidate, reason = "many programs have no use for the code")]
    pub fn exec(&self) -> i32 {
        if self.is_running() {
            warn!("a nested loop runs already");
            return REFUSED;
        }
        EventLoop::current().exec_nested(&self.exit)
    }

    /// Ends [`exec`](Self::exec) with `code`.
    ///
    /// It ends after the call that runs now and the loops inside it. When called several times
    /// before it ends, the last code counts. Does nothing when it does not run.
    pub fn exit(&self, code: i32) {
        if self.is_running() {
            EventLoop::current().exit_nested(&self.exit, code);
        }
    }

    /// Ends [`exec`](Self::exec) with code 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    /// use std::time::Duration;
    ///
    /// use slotwork::{NestedLoop, Timer};
    ///
    /// let nested = Rc::new(NestedLoop::new());
    /// Timer::single_shot_to(Duration::from_millis(1), &nested, |nested| nested.quit());
    ///
    /// assert_eq!(nested.exec(), 0);
    /// assert!(!nested.is_running());
    /// ```
    pub fn quit(&self) {
        self.exit(0);
    }

    /// Returns whether `exec` runs.
    #[doc(alias = "isRunning")]
    #[must_use]
    pub fn is_running(&self) -> bool {
        // `exec` holds the code too.
        Rc::strong_count(&self.exit) > 1
    }
}

impl fmt::Debug for NestedLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NestedLoop").field("is_running", &self.is_running()).finish()
    }
}
