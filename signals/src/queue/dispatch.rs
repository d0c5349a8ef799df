//! Dispatching: running the queued calls of a thread.

use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::connection::latest;
use crate::thread::mailbox::Mailbox;
use crate::thread::nesting::RunningLoop;
use crate::thread::thread_state;

/// Runs the queued calls of the calling thread and returns their number.
///
/// A poll of an async slot counts as a call. Calls that are queued meanwhile are left for the next
/// time. A slot may call it too: it runs the calls behind the slot's own, or does nothing at the
/// nesting limit ([`set_max_nesting`](crate::set_max_nesting)). A program without an event loop
/// calls it in its main loop.
///
/// # Qt
///
/// `QCoreApplication::sendPostedEvents()`; the event loop's own `process_events` runs timers too.
///
/// # Examples
///
/// ```
/// use std::thread;
///
/// use slotwork_signals::{Signal, process_events};
///
/// let progress = Signal::<u32>::new();
/// progress.connect(|percent| println!("{percent} %"));
///
/// thread::scope(|scope| {
///     scope.spawn(|| progress.emit(&50));
/// });
/// assert_eq!(process_events(), 1);
/// ```
pub fn process_events() -> usize {
    RunningLoop::begin().map_or(0, |_running| thread_state::run_posts(u64::MAX))
}

/// Returns a future that runs the queued calls of the calling thread.
///
/// With it any executor can run slots: spawn it on the thread, next to the other tasks. It never
/// completes; dropping it stops the delivery. Several in one thread share the work, also nested
/// ones. A panic of a slot propagates through `poll`; the future may be polled again and continues
/// with the next call.
///
/// # Panics
///
/// When it is polled inside a slot at the nesting limit
/// ([`set_max_nesting`](crate::set_max_nesting)).
///
/// # Qt
///
/// The delivery of posted events by a `QEventLoop`.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
///
/// use slotwork_signals::{Signal, dispatch};
/// use smol::{LocalExecutor, channel};
///
/// let executor = Rc::new(LocalExecutor::new());
/// executor.spawn(dispatch()).detach();
///
/// let (sender, receiver) = channel::bounded(1);
/// let progress = Signal::<u32>::new();
/// progress.queued().connect(move |percent| _ = sender.try_send(*percent));
///
/// progress.emit(&100);
/// assert_eq!(smol::block_on(executor.run(receiver.recv())), Ok(100));
/// ```
pub fn dispatch() -> Dispatch {
    Dispatch { listening: None, thread: PhantomData }
}

/// The future that [`dispatch`] returns.
///
/// # Qt
///
/// The delivery of posted events by a `QEventLoop`.
#[must_use = "futures do nothing unless they are polled"]
pub struct Dispatch {
    listening: Option<Listening>,
    /// Not `Send`: it runs the slots of the thread in which it was made.
    thread: PhantomData<*const ()>,
}

impl Future for Dispatch {
    type Output = Infallible;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Infallible> {
        let Some(_running) = RunningLoop::begin() else { refuse_poll() };
        self.run(context.waker(), BATCH);
        Poll::Pending
    }
}

impl Dispatch {
    /// Registers `waker` for all further posts.
    #[doc(hidden)]
    pub fn listen(&mut self, waker: &Waker) {
        let is_registered = |listening: &Listening| listening.waker.will_wake(waker);
        if !self.listening.as_ref().is_some_and(is_registered)
            && let Some(mailbox) = thread_state::mailbox()
        {
            self.listening = Some(Listening::new(mailbox, waker));
        }
    }

    /// Runs at most `limit` queued calls; wakes `waker` if there are more.
    ///
    /// Returns the number of the calls.
    #[doc(hidden)]
    pub fn run(&mut self, waker: &Waker, limit: u64) -> usize {
        // Registered before the queue is checked, so that no post is missed.
        self.listen(waker);
        if !thread_state::has_posts() {
            return 0;
        }
        let count = thread_state::run_posts(limit);
        if thread_state::has_posts() {
            // Other tasks of the executor run before the next posts.
            waker.wake_by_ref();
        }
        count
    }
}

/// Runs the posts that are in this thread's queue now.
pub fn run_queue() {
    thread_state::run_posts(u64::MAX);
}

/// Runs the posts in this thread's queue, up to the first call of a `ThreadQueue`.
pub fn run_slots() {
    thread_state::run_slots();
}

/// Drops the posts that are in this thread's queue now.
pub fn drop_queue() {
    // A slot that another thread has disconnected has its link in the queue alone.
    latest::settle();
    thread_state::drop_posts();
}

#[cold]
#[expect(clippy::panic, reason = "documented: a pending future would block the slot for ever")]
fn refuse_poll() -> ! {
    panic!("the nesting limit of loops in slots of this thread is reached")
}

/// The registration of a waker for the posts of a mailbox.
struct Listening {
    mailbox: Arc<Mailbox>,
    number: u64,
    waker: Waker,
}

impl Listening {
    fn new(mailbox: Arc<Mailbox>, waker: &Waker) -> Self {
        let number = mailbox.wake_up().register(waker);
        Self { mailbox, number, waker: waker.clone() }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.mailbox.wake_up().unregister(self.number);
    }
}

impl fmt::Debug for Dispatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatch").finish_non_exhaustive()
    }
}

/// The number of posts that are run before other tasks of the executor.
pub const BATCH: u64 = 1000;
