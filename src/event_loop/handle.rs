//! The handle of an event loop for all threads.

use std::fmt;
use std::sync::{Arc, Weak};
use std::thread::{self, ThreadId};

use log::warn;
use slotwork_signals::host::{Origin, watched_call};

use crate::event_loop::EventLoop;
use crate::event_loop::shared::Shared;

/// A handle of an event loop for all threads.
///
/// Cheap to clone, `Send` and `Sync`. It does not keep the loop's thread alive; when that thread
/// has ended, posted calls are dropped.
///
/// # Qt
///
/// What `QMetaObject::invokeMethod()` with `Qt::QueuedConnection` is used for.
///
/// # Examples
///
/// ```
/// use slotwork::EventLoop;
///
/// let handle = EventLoop::current().handle();
/// let worker = std::thread::spawn(move || handle.post(|| EventLoop::current().exit(3)));
///
/// assert_eq!(EventLoop::current().exec(), 3);
/// worker.join().unwrap();
/// ```
#[derive(Clone)]
pub struct LoopHandle {
    shared: Arc<Shared>,
}

/// A handle of a loop that keeps nothing of it.
///
/// One in each socket would keep the descriptor of the waker after the end of the thread.
#[derive(Clone, Debug)]
pub(crate) struct WeakLoopHandle {
    shared: Weak<Shared>,
    thread: ThreadId,
}

impl LoopHandle {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Runs `call` on the loop's thread, in one of the loop's next turns.
    ///
    /// Calls run in the order in which they were posted, and so do the slots of signals that the
    /// same thread emits before and after. A call posted from inside a posted call runs in a later
    /// turn. A call that panics ends alone and is logged. When the thread has ended, the call is
    /// dropped, and a warning logged.
    ///
    /// # Examples
    ///
    /// The result of a thread, processed by the loop:
    ///
    /// ```
    /// use std::thread;
    ///
    /// use slotwork::EventLoop;
    ///
    /// let handle = EventLoop::current().handle();
    /// thread::spawn(move || {
    ///     let sum: i32 = (1..=10).sum();
    ///     handle.post(move || EventLoop::current().exit(sum));
    /// });
    ///
    /// assert_eq!(EventLoop::current().exec(), 55);
    /// ```
    #[doc(alias = "invokeMethod")]
    #[doc(alias = "postEvent")]
    #[doc(alias = "event")]
    #[doc(alias = "customEvent")]
    #[doc(alias = "QEvent")]
    #[doc(alias = "wakeUp")]
    #[track_caller]
    pub fn post(&self, call: impl FnOnce() + Send + 'static) {
        if !self.post_if_running(call) {
            warn!("a call was posted to an event loop whose thread has ended");
        }
    }

    /// Posts a call; returns false, and drops it, when the loop's thread has ended.
    #[track_caller]
    pub(crate) fn post_if_running(&self, call: impl FnOnce() + Send + 'static) -> bool {
        let origin = Origin::here();
        self.shared.post(move || watched_call("call posted", origin, call))
    }

    /// Ends the loop's innermost `exec` with code 0: a posted [`EventLoop::quit`].
    ///
    /// When the loop does not run yet, its next `exec` ends at once.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::{io, thread};
    ///
    /// use slotwork::EventLoop;
    ///
    /// let handle = EventLoop::current().handle();
    /// thread::spawn(move || {
    ///     // Until Enter is pressed.
    ///     _ = io::stdin().read_line(&mut String::new());
    ///     handle.quit();
    /// });
    /// EventLoop::current().exec();
    /// ```
    pub fn quit(&self) {
        // A loop that has ended needs no call.
        self.post_if_running(|| EventLoop::current().quit());
    }

    /// Returns whether the caller is on the loop's own thread.
    #[doc(alias = "isCurrentThread")]
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.shared.is_current()
    }

    /// Requests that long work in the loop's thread ends early.
    ///
    /// The work asks [`EventLoop::is_interruption_requested`] between its steps, or this handle from
    /// any thread, such as one of `smol::unblock`. A request is not taken back.
    ///
    /// # Qt
    ///
    /// `QThread::requestInterruption()`.
    #[doc(alias = "requestInterruption")]
    pub fn request_interruption(&self) {
        self.shared.request_interruption();
    }

    /// Returns whether [`request_interruption`](Self::request_interruption) was called.
    ///
    /// # Qt
    ///
    /// `QThread::isInterruptionRequested()`.
    #[doc(alias = "isInterruptionRequested")]
    #[must_use]
    pub fn is_interruption_requested(&self) -> bool {
        self.shared.is_interruption_requested()
    }

    /// Returns a handle that keeps nothing of the loop.
    pub(crate) fn downgrade(&self) -> WeakLoopHandle {
        WeakLoopHandle { shared: Arc::downgrade(&self.shared), thread: self.shared.thread() }
    }

    /// Returns whether the loop has ended: it runs no more calls or tasks.
    pub(crate) fn has_ended(&self) -> bool {
        self.shared.has_ended()
    }

    /// Runs `call` on the loop's thread: at once on that thread, else as a posted call.
    ///
    /// Returns false, and drops the call, when that thread has ended.
    pub(crate) fn run(&self, call: impl FnOnce() + Send + 'static) -> bool {
        if !self.is_current() {
            return self.post_if_running(call);
        }
        call();
        true
    }
}

impl WeakLoopHandle {
    /// Returns whether the caller is on the loop's own thread.
    pub(crate) fn is_current(&self) -> bool {
        thread::current().id() == self.thread
    }

    /// Returns whether something of the loop is left.
    #[cfg(windows)]
    pub(crate) fn is_alive(&self) -> bool {
        self.shared.strong_count() > 0
    }

    /// Returns whether both are handles of the same loop.
    pub(crate) fn is_of_same_loop(&self, other: &Self) -> bool {
        Weak::ptr_eq(&self.shared, &other.shared)
    }

    /// Posts a call; returns false, and drops it, when the loop's thread has ended.
    #[track_caller]
    pub(crate) fn post_if_running(&self, call: impl FnOnce() + Send + 'static) -> bool {
        let shared = self.shared.upgrade();
        shared.is_some_and(|shared| LoopHandle { shared }.post_if_running(call))
    }
}

impl fmt::Debug for LoopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopHandle").field("thread", &self.shared.thread()).finish_non_exhaustive()
    }
}
