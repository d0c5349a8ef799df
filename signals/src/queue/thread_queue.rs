//! Calls in the queue of a thread that are not those of slots.

use std::fmt;
use std::sync::Arc;

use crate::thread::mailbox::{Mailbox, Post};
use crate::thread::thread_state;

/// The queue of a thread, which runs its queued slots and the calls that are posted to it.
///
/// A cheap handle, `Clone + Send + Sync`. All that one thread emits and posts to another arrives in
/// the order in which it did so. The queue runs in [`process_events`](crate::process_events), in a
/// [`dispatch`](crate::dispatch) future, or in an event loop.
///
/// # Qt
///
/// The list of posted events that each thread has.
///
/// # Examples
///
/// ```
/// use std::thread;
///
/// use slotwork_signals::{Signal, ThreadQueue, process_events};
///
/// let progress = Signal::<u32>::new();
/// progress.connect(|percent| println!("{percent} %"));
/// let queue = ThreadQueue::current();
///
/// thread::scope(|scope| {
///     scope.spawn(|| {
///         progress.emit(&100);
///         queue.post(|| println!("done"));
///     });
/// });
/// assert_eq!(process_events(), 2);
/// ```
#[derive(Clone)]
pub struct ThreadQueue {
    mailbox: Arc<Mailbox>,
}

impl ThreadQueue {
    /// Returns the queue of the calling thread.
    ///
    /// At the thread's very end, in what is dropped with it, this is a queue that has ended.
    ///
    /// # Qt
    ///
    /// `QThread::currentThread()`, as the place of posted events.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::ThreadQueue;
    ///
    /// assert!(!ThreadQueue::current().has_ended());
    /// ```
    #[must_use]
    pub fn current() -> Self {
        let mailbox = thread_state::mailbox().unwrap_or_else(|| Arc::new(Mailbox::closed()));
        Self { mailbox }
    }

    /// Has the thread make a call, behind everything that is in its queue already.
    ///
    /// Returns false, and drops the call, when the thread has ended.
    ///
    /// # Qt
    ///
    /// `QMetaObject::invokeMethod()` with `Qt::QueuedConnection`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::{ThreadQueue, process_events};
    ///
    /// ThreadQueue::current().post(|| println!("later"));
    /// assert_eq!(process_events(), 1);
    /// ```
    #[doc(alias = "invokeMethod")]
    #[doc(alias = "postEvent")]
    pub fn post(&self, call: impl FnOnce() + Send + 'static) -> bool {
        self.mailbox.push(Box::new(Call(call)))
    }

    /// Returns whether the thread has ended: calls are not made any more.
    ///
    /// # Qt
    ///
    /// `QThread::isFinished()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::thread;
    ///
    /// use slotwork_signals::ThreadQueue;
    ///
    /// let queue = thread::spawn(ThreadQueue::current).join().unwrap();
    /// assert!(queue.has_ended());
    /// ```
    #[doc(alias = "isFinished")]
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.mailbox.is_closed()
    }
}

impl fmt::Debug for ThreadQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_ended = self.has_ended();
        f.debug_struct("ThreadQueue").field("has_ended", &has_ended).finish_non_exhaustive()
    }
}

/// A call that was posted.
struct Call<F>(F);

impl<F: FnOnce() + Send> Post for Call<F> {
    fn run(self: Box<Self>) {
        let Self(call) = *self;
        call();
    }

    fn runs_slots(&self) -> bool {
        true
    }

    fn is_call(&self) -> bool {
        true
    }
}
