//! What a loop is made of, and what happens in one of its turns.

use std::any::Any;
use std::cell::Cell;
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
use slotwork_signals::host::{self, RunningLoop};

use crate::runtime::panics;
use crate::runtime::reactor::{Reactor, wake_later};
use crate::runtime::timers::Timers;
use crate::runtime::turns;

use crate::event_loop::caught_panic::CaughtPanic;
use crate::event_loop::deferred::Deferred;
use crate::event_loop::exits::Exits;
use crate::event_loop::panic_policy::PanicPolicy;
use crate::event_loop::runner::Runner;
use crate::event_loop::shared::Shared;
use crate::event_loop::thread_loop;

/// What a loop is made of, but for its tasks: those may hold an `EventLoop`, and would hold
/// themselves.
pub(super) struct State {
    pub(super) reactor: Rc<Reactor>,
    pub(super) timers: Rc<Timers>,
    pub(super) shared: Arc<Shared>,
    pub(super) exits: Exits,
    pub(super) panic_policy: Cell<PanicPolicy>,
    pub(super) panicked: Signal<CaughtPanic>,
    pub(super) about_to_quit: Signal<()>,
    pub(super) deferred: Deferred,
    is_running: Cell<bool>,
}

impl State {
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
            deferred: Deferred::default(),
            is_running: Cell::new(false),
        })
    }

    /// Drops the calls that wait, at the loop's end.
    pub(super) fn drop_calls(&self) {
        host::drop_queue();
        self.deferred.clear();
    }

    /// Tells about the panics of this turn; returns the one that shall go on, if any.
    fn tell_panics(&self) -> Option<Box<dyn Any + Send>> {
        let mut going_on = None;
        for caught in panics::take() {
            let panic = CaughtPanic::new(caught.place, caught.message);
            let tell = || self.panicked.emit(&panic);
            panics::catch_and_log("a slot of the signal `panicked`", tell);
            if going_on.is_none() && self.panic_policy.get() == PanicPolicy::Propagate {
                going_on = Some(caught.payload);
            } else {
                panics::discard(caught.payload);
            }
        }
        going_on
    }
}

/// A run of the loop, which may be inside a turn of another one.
pub(super) struct Run<'a> {
    state: &'a State,
    /// Out of its place while it is polled, and gone after a panic.
    runner: Option<Runner>,
    waker: Waker,
    is_nested: bool,
    _running: RunningLoop,
}

impl<'a> Run<'a> {
    /// Begins a run; `None` when too many run inside each other.
    pub(super) fn begin(state: &'a State) -> Option<Self> {
        let running = RunningLoop::begin()?;
        turns::suspend_all();
        let is_nested = state.is_running.replace(true);
        state.shared.sleep.wake_up();
        let waker = Waker::from(Arc::clone(&state.shared));
        let runner = Some(thread_loop::take_runner());
        Some(Self { state, runner, waker, is_nested, _running: running })
    }

    /// Runs everything that is ready: queued slots and posted calls, timers, `future` and tasks.
    ///
    /// When the future is done, what comes behind it is left.
    pub(super) fn turn<T>(&mut self, future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        self.turn_with(host::BATCH, future)
    }

    /// The same, with at most `limit` of the calls in the queue.
    pub(super) fn turn_with<T>(
        &mut self,
        limit: u64,
        future: Pin<&mut impl Future<Output = T>>,
    ) -> Poll<T> {
        self.state.shared.sleep.clear_notified();
        self.with_runner(|runner, waker| runner.run_queue(waker, limit));
        self.state.timers.fire();
        let outcome = future.poll(&mut Context::from_waker(&self.waker));
        if outcome.is_pending() {
            self.with_runner(Runner::run_tasks);
        }
        if let Some(payload) = self.state.tell_panics() {
            resume_unwind(payload);
        }
        outcome
    }

    /// Asks the reactor what is ready; waits for it only when nobody has notified the loop.
    pub(super) fn wait(&self, timeout: Option<Duration>) {
        let may_wait = self.state.shared.sleep.fall_asleep();
        let timeout = if may_wait { timeout } else { Some(Duration::ZERO) };
        let result = self.state.reactor.wait(timeout);
        // Awake first: waking a task from here must not cost the system call that ends a sleep.
        self.state.shared.sleep.wake_up();
        match result {
            Ok(()) => self.state.reactor.wake_tasks(),
            Err(error) => error!("cannot poll for events: {error}"),
        }
        if self.is_nested {
            // Their tasks cannot run, although a kernel may take output again.
            turns::suspend_all();
        }
    }

    /// Returns whether there is something to do that nobody has to wait for.
    pub(super) fn has_more(&self) -> bool {
        self.state.shared.sleep.is_notified()
            || self.state.reactor.has_later()
            || self.state.timers.time_to_next() == Some(Duration::ZERO)
    }

    /// Runs what the last turn made ready, so that what was sent in it is written: this may be the
    /// program's end.
    pub(super) fn finish(mut self) {
        for _ in 0..LAST_LOOKS {
            self.state.shared.sleep.clear_notified();
            run_all("a queued slot", host::run_slots);
            self.with_runner(Runner::run_tasks);
            if !self.state.shared.sleep.is_notified() {
                return;
            }
        }
    }

    fn with_runner(&mut self, run: impl FnOnce(&mut Runner, &Waker)) {
        let mut runner = self.runner.take().unwrap_or_else(thread_loop::take_runner);
        run(&mut runner, &self.waker);
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
            self.state.shared.notify();
            return;
        }
        self.state.is_running.set(false);
        // Gone after a panic; without one the loop would not be woken.
        thread_loop::keep_runner(self.runner.take().unwrap_or_else(thread_loop::take_runner));
        // Whoever polls the loop's descriptor from now on is to be told what is ready.
        if !self.state.shared.sleep.fall_asleep() || self.state.reactor.has_later() {
            self.state.shared.wake_poll();
        }
    }
}

/// Runs calls of the queue; one that panics does not keep those behind it.
pub(super) fn run_all(place: &'static str, run: fn()) {
    for _ in 0..LAST_LOOKS {
        if panics::catch(place, run) {
            return;
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
