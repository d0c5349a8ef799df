//! Thread queues: posting calls to a thread, in order with its queued slots.

use std::fmt;
use std::sync::Arc;

use crate::thread::mailbox::{Mailbox, Post};
use crate::thread::thread_state;

/// The queue of a thread, for its queued slots and for posted calls.
///
/// A cheap handle, `Clone + Send + Sync`. Emissions and posts from one thread to another arrive
/// in order. The queue runs in [`process_events`](crate::process_events), in a
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
    /// In a thread that is ending, in the destructors of its locals, this is an ended queue.
    ///
    /// # Qt
    ///
    /// `QThread::currentThread()`, as the owner of a queue of posted events.
    #[must_use]
    pub fn current() -> Self {
        let mailbox = thread_state::mailbox().unwrap_or_else(|| Arc::new(Mailbox::closed()));
        Self { mailbox }
    }

    /// Posts a call to the thread, to the end of its queue.
    ///
    /// Returns false, and drops the call, if the thread has ended.
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

    /// Returns whether the thread has ended, so that calls are dropped.
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

/// A posted call.
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
