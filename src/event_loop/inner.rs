//! What a loop is made of, and what happens in one of its turns.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future;
use std::io;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use log::error;
use slotwork_signals::Signal;

use crate::panics::{self, catch};
use crate::reactor::{Reactor, wake_later};
use crate::timers::Timers;
use crate::turn;

use super::caught_panic::CaughtPanic;
use super::deferred::Deferred;
use super::exits::Exits;
use super::panic_policy::PanicPolicy;
use super::runner::Runner;
use super::shared::{Call, Shared};
use super::thread_loop;

/// What a loop is made of, but for its tasks: those may hold an `EventLoop`, and would hold
/// themselves.
pub(super) struct Inner {
    pub(super) reactor: Rc<Reactor>,
    pub(super) timers: Rc<Timers>,
    pub(super) shared: Arc<Shared>,
    pub(super) exits: Exits,
    pub(super) panic_policy: Cell<PanicPolicy>,
    pub(super) panicked: Signal<CaughtPanic>,
    pub(super) about_to_quit: Signal<()>,
    /// Calls that were taken from the queue which all threads reach, and wait for their turn.
    posted: RefCell<VecDeque<Call>>,
    pub(super) deferred: Deferred,
    is_running: Cell<bool>,
}

impl Inner {
    pub(super) fn new() -> io::Result<Self> {
        let reactor = Reactor::current()?;
        let shared = Arc::new(Shared::new(reactor.waker()));
        Ok(Self {
            reactor,
            timers: Timers::current(),
            shared,
            exits: Exits::default(),
            panic_policy: Cell::default(),
            panicked: Signal::new(),
            about_to_quit: Signal::new(),
            posted: RefCell::default(),
            deferred: Deferred::default(),
            is_running: Cell::new(false),
        })
    }

    /// Drops the calls that wait, at the loop's end.
    pub(super) fn drop_calls(&self) {
        let posted = self.posted.take();
        drop(posted);
        self.deferred.clear();
    }

    /// Runs the calls that were posted before now; what they post waits for the next turn.
    fn run_posted(&self) {
        self.shared.take_posted(&mut self.posted.borrow_mut());
        let count = self.posted.borrow().len();
        for _ in 0..count {
            // A loop inside one of them may have run those behind it.
            let Some(call) = self.next_posted() else { return };
            catch("a posted call", call);
        }
    }

    fn next_posted(&self) -> Option<Call> {
        let mut posted = self.posted.borrow_mut();
        let call = posted.pop_front();
        if posted.is_empty() && posted.capacity() > ROOMY {
            posted.shrink_to(ROOMY);
        }
        call
    }

    /// Tells about the panics of this turn; returns the one that shall go on, if any.
    fn tell_panics(&self) -> Option<Box<dyn Any + Send>> {
        let mut going_on = None;
        for caught in panics::take() {
            let panic = CaughtPanic::new(caught.place, caught.message);
            let tell = || self.panicked.emit(&panic);
            panics::catch_and_log("a slot of the signal `panicked`", tell);
            going_on.get_or_insert(caught.payload);
        }
        going_on.filter(|_| self.panic_policy.get() == PanicPolicy::Propagate)
    }
}

/// A run of the loop, which may be inside a turn of another one.
pub(super) struct Run<'a> {
    inner: &'a Inner,
    /// Out of its place while it is polled, and gone after a panic.
    runner: Option<Runner>,
    waker: Waker,
    is_nested: bool,
}

impl<'a> Run<'a> {
    pub(super) fn begin(inner: &'a Inner) -> Self {
        turn::suspend_all();
        let is_nested = inner.is_running.replace(true);
        inner.shared.sleep.wake_up();
        let waker = Waker::from(Arc::clone(&inner.shared));
        Self { inner, runner: Some(thread_loop::take_runner()), waker, is_nested }
    }

    /// Runs everything that is ready: posted calls, timers, `future`, queued slots and tasks.
    ///
    /// When the future is done, what comes behind it is left.
    pub(super) fn turn<T>(&mut self, future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        self.inner.shared.sleep.clear_notified();
        self.inner.run_posted();
        self.inner.timers.fire();
        let outcome = future.poll(&mut Context::from_waker(&self.waker));
        if outcome.is_pending() {
            self.run_tasks();
        }
        if let Some(payload) = self.inner.tell_panics() {
            resume_unwind(payload);
        }
        outcome
    }

    /// Asks the reactor what is ready; waits for it only when nobody has notified the loop.
    pub(super) fn wait(&self, timeout: Option<Duration>) {
        let may_wait = self.inner.shared.sleep.fall_asleep();
        let timeout = if may_wait { timeout } else { Some(Duration::ZERO) };
        let result = self.inner.reactor.wait(timeout);
        // Awake first: waking a task from here must not cost the system call that ends a sleep.
        self.inner.shared.sleep.wake_up();
        match result {
            Ok(()) => self.inner.reactor.wake_tasks(),
            Err(error) => error!("cannot poll for events: {error}"),
        }
        if self.is_nested {
            // Their tasks cannot run, although a kernel may take output again.
            turn::suspend_all();
        }
    }

    /// Returns whether there is something to do that nobody has to wait for.
    pub(super) fn has_more(&self) -> bool {
        self.inner.shared.sleep.is_notified()
            || self.inner.reactor.has_later()
            || self.inner.timers.time_to_next() == Some(Duration::ZERO)
    }

    /// Runs what the last turn made ready, so that what was sent in it is written: this may be the
    /// program's end.
    pub(super) fn finish(mut self) {
        for _ in 0..LAST_LOOKS {
            self.inner.shared.sleep.clear_notified();
            self.run_tasks();
            if !self.inner.shared.sleep.is_notified() {
                return;
            }
        }
    }

    fn run_tasks(&mut self) {
        let mut runner = self.runner.take().unwrap_or_else(thread_loop::take_runner);
        runner.run(&mut Context::from_waker(&self.waker));
        self.runner = Some(runner);
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        // This may be inside a slot, which has not held up anything so far.
        thread_loop::watch_slots();
        if self.is_nested {
            // Each look takes all notifications, also those that were meant for what the run
            // around this one waits for: it has to look again.
            self.inner.shared.notify();
            return;
        }
        self.inner.is_running.set(false);
        if let Some(runner) = self.runner.take() {
            thread_loop::keep_runner(runner);
        }
        // Whoever polls the loop's descriptor from now on is to be told what is ready.
        if !self.inner.shared.sleep.fall_asleep() || self.inner.reactor.has_later() {
            self.inner.shared.wake_poll();
        }
    }
}

/// Lets everybody who is ready, or becomes ready, come first.
pub(crate) async fn next_turn() {
    let mut has_waited = false;
    future::poll_fn(|cx| {
        if has_waited {
            return Poll::Ready(());
        }
        has_waited = true;
        wake_later(cx.waker());
        Poll::Pending
    })
    .await;
}

/// How often tasks are looked at once more at the end of a run: one may be ready always.
const LAST_LOOKS: usize = 500;
/// A queue that grew beyond this gives its memory back when it is empty.
const ROOMY: usize = 4096;
