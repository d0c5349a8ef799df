//! The part of a loop that other threads use: posted calls and wake-ups.

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
use std::thread::{self, ThreadId};

use log::warn;
use slotwork_signals::ThreadQueue;

use crate::runtime::panics;

use crate::event_loop::sleep::Sleep;

/// The part of a loop that other threads use. As a waker it ends the loop's sleep.
pub(super) struct Shared {
    thread: ThreadId,
    /// Holds posted calls among the queued slots, in each thread's order.
    queue: ThreadQueue,
    has_ended: AtomicBool,
    is_interruption_requested: AtomicBool,
    pub(super) sleep: Sleep,
    waker: Arc<mio::Waker>,
    /// Whether tasks may be ready; of the loop's thread alone.
    may_have_tasks: AtomicBool,
    /// The address of [`MARK`] in the loop's thread, which takes less time than its id.
    mark: usize,
}

/// Wakes a loop for its tasks.
///
/// On the loop's own thread that is a flag: the turn under way runs them, or the next one, without a
/// sleep before it. A notification would have the loop look for events once more behind the turn.
struct TaskWaker(Arc<Shared>);

impl Shared {
    pub(super) fn new(waker: Arc<mio::Waker>) -> Self {
        Self {
            thread: thread::current().id(),
            queue: ThreadQueue::current(),
            has_ended: AtomicBool::new(false),
            is_interruption_requested: AtomicBool::new(false),
            sleep: Sleep::new(),
            waker,
            may_have_tasks: AtomicBool::new(true),
            mark: mark(),
        }
    }

    /// Adds a call to the queue; returns false, and drops it, when the loop has ended.
    ///
    /// The queue wakes the loop's runner.
    pub(super) fn post(&self, call: impl FnOnce() + Send + 'static) -> bool {
        let call = move || _ = panics::catch("a posted call", call);
        !self.has_ended() && self.queue.post(call)
    }

    /// Refuses all further calls.
    pub(super) fn close(&self) {
        self.has_ended.store(true, Ordering::Release);
    }

    /// Returns whether the loop has ended, or is about to.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire) || self.queue.has_ended()
    }

    pub(super) fn request_interruption(&self) {
        self.is_interruption_requested.store(true, Ordering::Release);
    }

    pub(super) fn is_interruption_requested(&self) -> bool {
        self.is_interruption_requested.load(Ordering::Acquire)
    }

    /// Ends the loop's current sleep, or its next one, at once.
    pub(super) fn notify(&self) {
        if self.sleep.notify() {
            self.wake_poll();
        }
    }

    /// Ends the reactor's wait: the current one, or the next.
    pub(super) fn wake_poll(&self) {
        if let Err(error) = self.waker.wake() {
            warn!("cannot wake the event loop: {error}");
        }
    }

    /// Returns the waker for the loop's tasks.
    pub(super) fn task_waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::new(TaskWaker(Arc::clone(self))))
    }

    /// Returns whether tasks may be ready; on the loop's thread.
    #[inline]
    pub(super) fn may_have_tasks(&self) -> bool {
        self.may_have_tasks.load(Ordering::Relaxed)
    }

    /// Notes whether tasks may be ready; on the loop's thread.
    #[inline]
    pub(super) fn note_tasks(&self, may_be_ready: bool) {
        self.may_have_tasks.store(may_be_ready, Ordering::Relaxed);
    }

    pub(super) fn thread(&self) -> ThreadId {
        self.thread
    }

    pub(super) fn is_current(&self) -> bool {
        thread::current().id() == self.thread
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

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let Self(shared) = &**self;
        if shared.mark == mark() && !shared.sleep.is_asleep() {
            shared.note_tasks(true);
        } else {
            shared.notify();
        }
    }
}

/// Returns a number that no other running thread has.
fn mark() -> usize {
    MARK.with(|mark| ptr::from_ref(mark).addr())
}

thread_local! {
    static MARK: u8 = const { 0 };
}
