//! The loop of each thread: made at first use, run in turns, ended with it.

use std::cell::RefCell;
use std::future::pending;
use std::io;
use std::panic::resume_unwind;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use log::error;
use slotwork_signals as signals;
use slotwork_signals::host::{self, RunningLoop};
use smol::LocalExecutor;

use crate::event_loop::EventLoop;
use crate::event_loop::runner::{NextTask, Runner};
use crate::event_loop::state::State;
use crate::runtime::clock;
use crate::runtime::flush_list;
use crate::runtime::panics;
use crate::runtime::reactor::Reactor;
use crate::runtime::timers::after;
use crate::runtime::turns;

/// A thread's loop with its tasks.
struct ThreadLoop {
    state: Rc<State>,
    executor: Rc<LocalExecutor<'static>>,
    next_task: NextTask,
    /// Taken while the loop runs.
    runner: Option<Runner>,
}

impl EventLoop {
    /// Returns the event loop of this thread.
    ///
    /// At the thread's very end, in values that are dropped with it, this is a loop that will not
    /// run. On Windows with the GNU toolchain it is a new loop, which must not be run there: the
    /// standard library makes thread-local values anew that are used at that time.
    ///
    /// # Panics
    ///
    /// When the operating system refuses the descriptors that a new loop needs.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::thread;
    ///
    /// use slotwork::EventLoop;
    ///
    /// let handle = EventLoop::current().handle();
    /// assert!(handle.is_current());
    ///
    /// // Another thread has another loop.
    /// let other = thread::spawn(|| EventLoop::current().handle());
    /// assert!(!other.join().unwrap().is_current());
    /// ```
    #[doc(alias = "currentThread")]
    #[doc(alias = "eventDispatcher")]
    #[doc(alias = "instance")]
    #[must_use]
    pub fn current() -> Self {
        Self { state: state() }
    }

    /// Ends this thread's loop before the thread does.
    pub(crate) fn end_current() {
        end();
    }
}

/// Returns the state of this thread's loop.
///
/// # Panics
///
/// When the loop cannot be made: see `EventLoop::current`.
pub(super) fn state() -> Rc<State> {
    with_thread_loop(|thread_loop| Rc::clone(&thread_loop.state))
}

/// Returns the executor of this thread's tasks.
pub(super) fn executor() -> Rc<LocalExecutor<'static>> {
    with_thread_loop(|thread_loop| Rc::clone(&thread_loop.executor))
}

/// Ends this thread's loop while its thread-local values exist: slots can run.
pub(super) fn end() {
    let ended = THREAD_LOOP.try_with(|current| current.borrow_mut().take());
    drop(ended);
}

/// Takes the runner of this thread; inside a run it makes another one.
fn take_runner() -> Runner {
    with_thread_loop(|thread_loop| {
        thread_loop.runner.take().unwrap_or_else(|| thread_loop.new_runner())
    })
}

/// Keeps a runner for the next run.
fn keep_runner(runner: Runner) {
    let mut runner = Some(runner);
    let replaced = THREAD_LOOP.try_with(|current| {
        let mut current = current.borrow_mut();
        current.as_mut().and_then(|current| std::mem::replace(&mut current.runner, runner.take()))
    });
    drop(replaced);
}

/// Logs slots that hold up the loop from now on, in debug builds.
fn watch_slots() {
    signals::warn_of_slow_slots(Some(SLOW_SLOT));
}

impl ThreadLoop {
    #[expect(clippy::expect_used, reason = "documented: without descriptors there is no loop")]
    fn new() -> Self {
        let state = State::new().expect("the event loop of this thread cannot be made");
        watch_slots();
        let executor = Rc::new(LocalExecutor::new());
        executor.spawn(flush_list::flush_listed()).detach();
        // Its first run adds nothing but the task that the list wakes.
        executor.try_tick();
        let mut this =
            Self { state: Rc::new(state), executor, next_task: NextTask::default(), runner: None };
        // Calls that are posted before the first run are noticed, too.
        this.runner = Some(this.new_runner());
        this
    }

    fn new_runner(&self) -> Runner {
        let waker = Waker::from(Arc::clone(&self.state.shared));
        Runner::new(Rc::clone(&self.executor), Rc::clone(&self.next_task), &waker)
    }
}

impl Drop for ThreadLoop {
    fn drop(&mut self) {
        let state = Rc::clone(&self.state);
        state.end(|| {
            self.runner = None;
            drop(self.next_task.take());
            self.executor = Rc::default();
        });
    }
}

fn with_thread_loop<T>(use_loop: impl Fn(&mut ThreadLoop) -> T) -> T {
    let used = THREAD_LOOP.try_with(|current| {
        let mut current = current.borrow_mut();
        let is_new = current.is_none();
        (use_loop(current.get_or_insert_with(ThreadLoop::new)), is_new)
    });
    match used {
        Ok((output, is_new)) => {
            if is_new {
                run_while_spies_wait();
            }
            output
        }
        // What is dropped at the thread's very end may still use a loop: one that will not run.
        Err(_) => use_loop(&mut ThreadLoop::new()),
    }
}

/// Lets a `SignalSpy` that waits run the loop meanwhile.
///
/// Not while the loop is borrowed: the waiter that this replaces is the program's.
fn run_while_spies_wait() {
    signals::set_waiter(|deadline, is_done| {
        // Their deadlines are instants of the system's clock.
        let left = deadline.saturating_duration_since(Instant::now());
        run_while(&state(), after(clock::now(), left), Duration::MAX, is_done);
    });
}

/// Runs a loop until `is_done`, checked after each `interval`, or the deadline.
pub(super) fn run_while(
    state: &State,
    deadline: Instant,
    interval: Duration,
    is_done: &dyn Fn() -> bool,
) {
    let Some(mut run) = Run::begin(state) else { return };
    while !is_done() {
        let _: Poll<()> = run.turn(pin!(pending()));
        let now = clock::now();
        if is_done() || deadline <= now {
            return;
        }
        let next = state.timers.next().unwrap_or(deadline);
        run.wait(Some(next.min(deadline).min(after(now, interval))));
    }
}

/// A run of the loop, which may be inside a turn of another one.
pub(super) struct Run<'a> {
    state: &'a State,
    /// Taken while it is polled, and gone after a panic.
    runner: Option<Runner>,
    waker: Waker,
    is_nested: bool,
    /// Whether anything was ready so far.
    made_progress: bool,
    _running: RunningLoop,
}

impl<'a> Run<'a> {
    /// Begins a run; `None` when too many run inside each other.
    pub(super) fn begin(state: &'a State) -> Option<Self> {
        let running = RunningLoop::begin()?;
        turns::suspend_all();
        let is_nested = state.is_running.replace(true);
        if !is_nested {
            state.turn_clock.begin_turn();
        }
        state.shared.sleep.wake_up();
        let waker = Waker::from(Arc::clone(&state.shared));
        let runner = Some(take_runner());
        Some(Self { state, runner, waker, is_nested, made_progress: false, _running: running })
    }

    /// Runs all that is ready.
    ///
    /// In this order: the queue, timers, `future`, events and tasks.
    /// When the future completes, events and tasks are left.
    pub(super) fn turn<T>(&mut self, future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        self.turn_with(host::BATCH, future)
    }

    /// Runs all that is ready, with at most `limit` of the calls in the queue.
    pub(super) fn turn_with<T>(
        &mut self,
        limit: u64,
        future: Pin<&mut impl Future<Output = T>>,
    ) -> Poll<T> {
        self.clear_notified();
        self.with_runner(|runner, waker| runner.run_queue(waker, limit));
        self.made_progress |= self.state.timers.fire();
        let outcome = future.poll(&mut Context::from_waker(&self.waker));
        if outcome.is_pending() {
            self.run_ready();
        }
        self.state.receiver_tasks.sweep();
        if panics::any()
            && let Some(payload) = self.state.panics.report()
        {
            resume_unwind(payload);
        }
        outcome
    }

    /// Polls the reactor; waits for events only when the loop was not notified.
    ///
    /// The wait ends at `deadline` at the latest (`None`: with an event alone).
    /// A stopped clock moves to the deadline instead, once nothing is ready.
    pub(super) fn wait(&self, deadline: Option<Instant>) {
        #[cfg(any(test, fuzzing, feature = "testing"))]
        if let (Some(deadline), Some(now)) = (deadline, clock::stopped_at()) {
            self.look();
            if now < deadline && !self.has_more() {
                clock::set_stopped_at(Some(deadline));
                // The loop has slept until then.
                self.state.turn_clock.begin_turn();
            }
            return;
        }
        self.poll(|reactor| reactor.wait(deadline));
    }

    /// Polls the reactor without waiting.
    pub(super) fn look(&self) {
        self.poll(Reactor::look);
    }

    fn poll(&self, wait: impl FnOnce(&Reactor) -> io::Result<()>) {
        self.state.turn_clock.end_turn();
        let reactor = &self.state.reactor;
        let shared = &self.state.shared;
        let may_wait = !shared.may_have_tasks() && shared.sleep.fall_asleep();
        let result = if may_wait { wait(reactor) } else { reactor.look() };
        // Awake first: waking a task from here must not cost the system call that ends a sleep.
        shared.sleep.wake_up();
        self.state.turn_clock.begin_turn();
        match result {
            Ok(()) => reactor.wake_tasks(),
            Err(error) => error!("cannot poll for events: {error}"),
        }
        if self.is_nested {
            // The suspended turns cannot continue, although the kernel may take output again.
            turns::suspend_all();
        }
    }

    /// Returns whether any call was made, timer expired, event handled, or task run.
    pub(super) fn made_progress(&self) -> bool {
        self.made_progress
    }

    /// Returns whether something is ready without waiting for events.
    pub(super) fn has_more(&self) -> bool {
        self.is_woken()
            || self.state.reactor.has_ready()
            || self.state.timers.time_to_next() == Some(Duration::ZERO)
    }

    /// Runs what the last turn made ready, so that its messages are written.
    ///
    /// This may be the program's end.
    pub(super) fn finish(mut self) {
        for _ in 0..MAX_LAST_TURNS {
            self.clear_notified();
            run_all("a queued slot", host::run_slots);
            self.run_ready();
            if !self.is_woken() {
                return;
            }
        }
    }

    fn clear_notified(&self) {
        if self.state.shared.sleep.clear_notified() {
            self.state.shared.note_tasks(true);
        }
    }

    /// Returns whether the loop was notified, or has tasks to run.
    fn is_woken(&self) -> bool {
        self.state.shared.sleep.is_notified() || self.state.shared.may_have_tasks()
    }

    #[inline]
    fn run_ready(&mut self) {
        let state = self.state;
        self.with_runner(|runner, waker| runner.run_ready(waker, state));
    }

    #[inline]
    fn with_runner(&mut self, run: impl FnOnce(&mut Runner, &Waker) -> bool) {
        let mut runner = self.runner.take().unwrap_or_else(take_runner);
        self.made_progress |= run(&mut runner, &self.waker);
        self.runner = Some(runner);
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        // This may be inside a slot, which has not held up anything so far.
        watch_slots();
        if self.is_nested {
            // A nested run takes all notifications, also those for the run around it, which has
            // to look again.
            self.state.shared.notify();
            return;
        }
        self.state.is_running.set(false);
        self.state.turn_clock.end_turn();
        // Gone after a panic; without a runner, nothing would wake the loop.
        keep_runner(self.runner.take().unwrap_or_else(take_runner));
        // A loop that polls this one's descriptor from now on has to see what is ready.
        let reactor = &self.state.reactor;
        let has_ready = self.state.shared.may_have_tasks() || reactor.has_ready();
        if !self.state.shared.sleep.fall_asleep() || has_ready {
            self.state.shared.wake_poll();
        }
    }
}

/// Runs calls of the queue; one that panics does not stop those behind it.
pub(super) fn run_all(place: &'static str, run: fn()) {
    for _ in 0..MAX_LAST_TURNS {
        if panics::catch(place, run) {
            return;
        }
    }
}

thread_local! {
    static THREAD_LOOP: RefCell<Option<ThreadLoop>> = const { RefCell::new(None) };
}

/// A slot that takes longer delays everything else of the thread for too long.
const SLOW_SLOT: Duration = Duration::from_millis(50);
/// The maximum number of turns at the end of a run: a task may always be ready.
const MAX_LAST_TURNS: usize = 500;
