//! Async slots: futures that are polled in a thread's queue.
//!
//! The queue is the executor: each poll is a post. A future stays in its thread and may be woken
//! from any thread.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::{Context, Poll, Wake, Waker};

use crate::queue::delivery_guard::{SharedSender, await_guarded};
use crate::receiver::weak::WeakReceiver;
use crate::sync::{AtomicBool, Ordering, thread_local};
use crate::thread::mailbox::{Mailbox, Post};
use crate::thread::slow_slots::{Origin, watched};
use crate::thread::thread_state;
use crate::unwind::drop_quietly;

/// The part of a future's task that all threads share.
struct Task {
    number: u64,
    mailbox: Arc<Mailbox>,
    /// Whether a poll is in the queue.
    is_awake: AtomicBool,
    /// Whether a poll was due while the future was being polled: it is polled again.
    is_due: AtomicBool,
}

/// The future of an async slot that was connected at `origin`.
struct LocalFuture {
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    origin: Origin,
}

/// Runs `future` in this thread's queue; drops it when the thread is ending.
fn spawn(origin: Origin, future: impl Future<Output = ()> + 'static) {
    let future = LocalFuture { future: Some(Box::pin(future)), origin };
    let Some(mailbox) = thread_state::mailbox() else { return };
    let number = NEXT_TASK.fetch_add(1, Ordering::Relaxed);
    store(number, future);
    let (is_awake, is_due) = (AtomicBool::new(false), AtomicBool::new(false));
    Arc::new(Task { number, mailbox, is_awake, is_due }).wake();
}

/// Makes a slot of an async one: each call begins a run of it.
///
/// `sender` makes the guards of the runs.
#[track_caller]
pub(crate) fn repeated<W, T>(
    slot: impl AsyncFn(W::Strong, T::Owned) + 'static,
    sender: Option<SharedSender>,
) -> impl Fn(&Rc<W>, &T)
where
    W: WeakReceiver,
    T: ?Sized + ToOwned + 'static,
{
    let (slot, origin) = (Rc::new(slot), Origin::new(Location::caller()));
    move |receiver, value| {
        let slot = Rc::clone(&slot);
        let run = async move |receiver, value| slot(receiver, value).await;
        begin(origin, receiver, value, sender.as_ref(), run);
    }
}

/// Makes a slot of an async one that runs once.
#[track_caller]
pub(crate) fn once<W, T>(
    slot: impl AsyncFnOnce(W::Strong, T::Owned) + 'static,
    sender: Option<SharedSender>,
) -> impl FnOnce(&Rc<W>, &T)
where
    W: WeakReceiver,
    T: ?Sized + ToOwned + 'static,
{
    let origin = Origin::new(Location::caller());
    move |receiver, value| begin(origin, receiver, value, sender.as_ref(), slot)
}

/// Queues a run of `slot`, which keeps the sender alive but not the receiver.
fn begin<W, T>(
    origin: Origin,
    receiver: &Rc<W>,
    value: &T,
    sender: Option<&SharedSender>,
    slot: impl AsyncFnOnce(W::Strong, T::Owned) + 'static,
) where
    W: WeakReceiver,
    T: ?Sized + ToOwned + 'static,
{
    let (receiver, kept, value) = (Rc::clone(receiver), receiver.sender(), value.to_owned());
    let guard = sender.and_then(|sender| sender.guard(&value));
    let run = async move {
        let _kept = kept;
        // Dropped meanwhile: the run does not begin.
        if let Some(receiver) = receiver.upgrade() {
            slot(receiver, value).await;
        }
    };
    match guard {
        Some(guard) => spawn(origin, await_guarded(guard, run)),
        None => spawn(origin, run),
    }
}

/// A post that polls a future.
struct PollTask(Arc<Task>);

impl Post for PollTask {
    fn run(self: Box<Self>) {
        let Self(task) = *self;
        // A swap synchronizes with wakes that found the task awake.
        task.is_awake.swap(false, Ordering::AcqRel);
        // Removed while it is polled: it may spawn others, and may panic.
        let future = TASKS.try_with(|tasks| tasks.borrow_mut().remove(&task.number));
        let Ok(Some(mut future)) = future else {
            // The future has completed, or is being polled and runs the queue itself.
            task.is_due.store(true, Ordering::Relaxed);
            return;
        };
        task.is_due.store(false, Ordering::Relaxed);
        let waker = Waker::from(Arc::clone(&task));
        if future.poll(&mut Context::from_waker(&waker)).is_pending() {
            store(task.number, future);
            if task.is_due.load(Ordering::Relaxed) {
                task.wake();
            }
        }
    }

    fn runs_slots(&self) -> bool {
        true
    }
}

impl LocalFuture {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let future = &mut self.future;
        watched(self.origin, || match future {
            Some(future) => future.as_mut().poll(context),
            None => Poll::Ready(()),
        })
    }
}

impl Drop for LocalFuture {
    fn drop(&mut self) {
        drop_quietly(self.future.take());
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        if self.is_awake.swap(true, Ordering::AcqRel) {
            return;
        }
        let mailbox = Arc::clone(&self.mailbox);
        if mailbox.thread() == thread_state::thread() {
            thread_state::push(Box::new(PollTask(self)));
        } else {
            mailbox.push(Box::new(PollTask(self)));
        }
    }
}

fn store(number: u64, future: LocalFuture) {
    let mut future = Some(future);
    // In an ending thread the future is not moved, and dropped here.
    let _ = TASKS.try_with(|tasks| {
        future.take().map(|future| tasks.borrow_mut().insert(number, future));
    });
}

thread_local! {
    static TASKS: RefCell<BTreeMap<u64, LocalFuture>> = const { RefCell::new(BTreeMap::new()) };
}

static NEXT_TASK: AtomicU64 = AtomicU64::new(0);
