//! Reaches an event loop from any thread: posted calls and wake-ups.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;
use std::thread::{self, ThreadId};

use log::warn;

use super::EventLoop;

/// Reaches an event loop from any thread.
///
/// A cheap handle, `Clone + Send + Sync`. It does not keep the loop's thread alive; when that
/// thread is gone, what is posted is dropped.
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

impl LoopHandle {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Runs `call` on the loop's thread, in one of the loop's next turns.
    ///
    /// Calls run in the order in which they were posted. A call posted from inside a posted call
    /// runs in a later turn. A call that panics ends alone and is logged.
    #[doc(alias = "invokeMethod")]
    pub fn post(&self, call: impl FnOnce() + Send + 'static) {
        let mut posted = self.shared.posted();
        if posted.is_closed {
            drop(posted);
            warn!("a call was posted to an event loop whose thread has ended");
            return;
        }
        posted.calls.push_back(Box::new(call));
        drop(posted);
        self.shared.notify();
    }

    /// Ends the loop's innermost `exec` with code 0: a posted [`EventLoop::quit`].
    ///
    /// When the loop does not run yet, its next `exec` ends at once.
    pub fn quit(&self) {
        self.post(|| EventLoop::current().quit());
    }

    /// Returns whether the caller is on the loop's own thread.
    #[must_use]
    pub fn is_current(&self) -> bool {
        thread::current().id() == self.shared.thread
    }

    /// Runs `call` on the loop's thread: at once when that is this thread, else as a posted call.
    pub(crate) fn run(&self, call: impl FnOnce() + Send + 'static) {
        if self.is_current() { call() } else { self.post(call) }
    }
}

impl fmt::Debug for LoopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopHandle").field("thread", &self.shared.thread).finish_non_exhaustive()
    }
}

/// The part of a loop that all threads reach. As a waker it ends the loop's sleep.
///
/// A wake-up from the loop's own thread sets a flag; one from elsewhere costs a system call, and
/// only when the loop sleeps and nobody has woken it yet.
pub(super) struct Shared {
    thread: ThreadId,
    posted: Mutex<Posted>,
    is_notified: AtomicBool,
    is_asleep: AtomicBool,
    waker: Arc<mio::Waker>,
}

#[derive(Default)]
struct Posted {
    calls: VecDeque<Call>,
    is_closed: bool,
}

pub(super) type Call = Box<dyn FnOnce() + Send>;

impl Shared {
    pub(super) fn new(waker: Arc<mio::Waker>) -> Self {
        Self {
            thread: thread::current().id(),
            posted: Mutex::default(),
            is_notified: AtomicBool::new(false),
            is_asleep: AtomicBool::new(false),
            waker,
        }
    }

    fn posted(&self) -> MutexGuard<'_, Posted> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many posted calls wait.
    pub(super) fn posted_count(&self) -> usize {
        self.posted().calls.len()
    }

    /// Takes the posted call that waits longest.
    pub(super) fn next_posted(&self) -> Option<Call> {
        self.posted().calls.pop_front()
    }

    /// Drops the posted calls and takes no more.
    pub(super) fn close(&self) {
        let mut posted = self.posted();
        posted.is_closed = true;
        let calls = std::mem::take(&mut posted.calls);
        drop(posted);
        drop(calls);
    }

    /// Makes the loop's next, or current, sleep end at once.
    pub(super) fn notify(&self) {
        let is_first = !self.is_notified.swap(true, Ordering::SeqCst);
        if is_first
            && self.is_asleep.load(Ordering::SeqCst)
            && let Err(error) = self.waker.wake()
        {
            warn!("cannot wake the event loop: {error}");
        }
    }

    /// Notes that everything is about to be looked at: what is notified from now on counts anew.
    pub(super) fn clear_notified(&self) {
        self.is_notified.store(false, Ordering::SeqCst);
    }

    /// Announces a sleep and returns whether it may last, because nobody has notified the loop.
    pub(super) fn fall_asleep(&self) -> bool {
        self.is_asleep.store(true, Ordering::SeqCst);
        !self.is_notified.load(Ordering::SeqCst)
    }

    pub(super) fn wake_up(&self) {
        self.is_asleep.store(false, Ordering::SeqCst);
    }
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.notify();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.notify();
    }
}
