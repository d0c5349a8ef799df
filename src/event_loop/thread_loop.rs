//! The loop of each thread, made at first use, and its end.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use slotwork_signals as signals;
use smol::LocalExecutor;

use crate::runtime::panics;

use crate::event_loop::EventLoop;
use crate::event_loop::runner::Runner;
use crate::event_loop::state::State;

/// A thread's loop with its tasks.
struct ThreadLoop {
    state: Rc<State>,
    executor: Rc<LocalExecutor<'static>>,
    runner: Option<Runner>,
}

/// Returns what the loop of this thread is made of.
///
/// # Panics
///
/// When the loop cannot be made: see [`EventLoop::current`].
pub(super) fn state() -> Rc<State> {
    with_thread_loop(|thread_loop| Rc::clone(&thread_loop.state))
}

/// Returns the tasks of this thread.
pub(super) fn executor() -> Rc<LocalExecutor<'static>> {
    with_thread_loop(|thread_loop| Rc::clone(&thread_loop.executor))
}

/// Takes the runner of this thread; inside a run, another one.
pub(super) fn take_runner() -> Runner {
    with_thread_loop(|thread_loop| {
        thread_loop.runner.take().unwrap_or_else(|| thread_loop.new_runner())
    })
}

/// Keeps a runner for the next run.
pub(super) fn keep_runner(runner: Runner) {
    let mut runner = Some(runner);
    let replaced = THREAD_LOOP.try_with(|current| {
        let mut current = current.borrow_mut();
        current.as_mut().and_then(|current| std::mem::replace(&mut current.runner, runner.take()))
    });
    drop(replaced);
}

/// Ends the loop of this thread, whose locals are all still there: slots that hear of it can run.
pub(super) fn end() {
    let ended = THREAD_LOOP.try_with(|current| current.borrow_mut().take());
    drop(ended);
}

/// Has a warning logged for slots that hold up the loop from now on, in debug builds.
pub(super) fn watch_slots() {
    signals::warn_of_slow_slots(Some(SLOW_SLOT));
}

impl ThreadLoop {
    #[expect(clippy::expect_used, reason = "documented: without descriptors there is no loop")]
    fn new() -> Self {
        let state = State::new().expect("the event loop of this thread cannot be made");
        watch_slots();
        let mut this = Self { state: Rc::new(state), executor: Rc::default(), runner: None };
        // Before the first run already, calls that are posted are to be noticed.
        this.runner = Some(this.new_runner());
        this
    }

    fn new_runner(&self) -> Runner {
        let waker = Waker::from(Arc::clone(&self.state.shared));
        Runner::new(Rc::clone(&self.executor), &waker)
    }
}

impl Drop for ThreadLoop {
    /// Ends the loop in this order: nothing is posted any more and what was posted is dropped; the
    /// tasks are dropped, and with them the sockets they own, which say so; then the timers.
    fn drop(&mut self) {
        self.state.shared.close();
        self.state.drop_calls();
        self.runner = None;
        self.executor = Rc::default();
        self.state.timers.close();
        let end_signals = || {
            self.state.about_to_quit.disconnect_all();
            self.state.panicked.disconnect_all();
        };
        panics::catch_and_log("the end of a slot", end_signals);
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
        // What is dropped at the thread's very end may still ask for a loop; it gets one that will
        // not run.
        Err(_) => use_loop(&mut ThreadLoop::new()),
    }
}

/// Lets a `SignalSpy` that waits run the loop meanwhile. Not while the loop is borrowed: the waiter
/// that this replaces is the program's.
fn run_while_spies_wait() {
    signals::set_waiter(|deadline, is_done| EventLoop::current().run_while(deadline, is_done));
}

thread_local! {
    static THREAD_LOOP: RefCell<Option<ThreadLoop>> = const { RefCell::new(None) };
}

/// A slot that takes longer holds up everything else for too long.
const SLOW_SLOT: Duration = Duration::from_millis(50);
