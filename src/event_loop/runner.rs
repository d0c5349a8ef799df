//! The events, tasks and queued slots of a thread, one step after the other.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use slotwork_signals::{Dispatch, dispatch};
use smol::LocalExecutor;

use crate::event_loop::state::State;
use crate::runtime::panics;

/// Runs the tasks and queued slots of a thread.
///
/// It is kept between the runs of the loop: then, too, it notifies the loop when a task becomes
/// ready.
pub(super) struct Runner {
    executor: Rc<LocalExecutor<'static>>,
    queue: Dispatch,
    next_task: NextTask,
}

/// Completes with the run of the next task that becomes ready.
///
/// There is none while it is polled. The runners of a thread share it: the executor notifies one
/// that waits, and the runner of a nested loop has to wait in place of the one around it.
pub(super) type NextTask = Rc<RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>>>;

impl Runner {
    /// Makes a runner; `waker` is woken from now on when a call is queued.
    pub(super) fn new(
        executor: Rc<LocalExecutor<'static>>,
        next_task: NextTask,
        waker: &Waker,
    ) -> Self {
        let mut queue = dispatch();
        queue.listen(waker);
        Self { executor, queue, next_task }
    }

    /// Runs at most `limit` of the calls in the queue; further ones notify the loop.
    ///
    /// Returns whether there were any.
    pub(super) fn run_queue(&mut self, waker: &Waker, limit: u64) -> bool {
        let mut has_run = true;
        if !panics::catch("a queued slot", || has_run = self.queue.run(waker, limit) > 0) {
            // The slots behind it are still to be run.
            waker.wake_by_ref();
        }
        has_run
    }

    /// Handles events of connections, and runs the tasks that are ready.
    ///
    /// Tasks that become ready later wake the loop.
    ///
    /// Returns whether there was any event or task.
    pub(super) fn run_ready(&mut self, waker: &Waker, state: &State) -> bool {
        let (mut events_left, mut tasks_left) = (PER_TURN, PER_TURN);
        while events_left > 0 && state.reactor.handle_next() {
            events_left -= 1;
        }
        let shared = &state.shared;
        while tasks_left > 0 && (shared.may_have_tasks() || shared.sleep.is_notified()) {
            // A task that another thread has woken in between is run as well.
            if !self.executor.try_tick() && self.poll_next_task(&state.task_waker).is_pending() {
                // From now on a task that becomes ready wakes the loop.
                shared.note_tasks(false);
                break;
            }
            tasks_left -= 1;
        }
        if events_left == 0 || tasks_left == 0 {
            waker.wake_by_ref();
        }
        events_left + tasks_left < 2 * PER_TURN
    }

    /// Waits for a task that is ready, and runs it.
    ///
    /// It is polled only when no task is ready: the executor's own `run` would move each task
    /// through a second queue, and takes four times as long to find that there is none.
    fn poll_next_task(&self, waker: &Waker) -> Poll<()> {
        let waiting = self.next_task.take();
        let mut next_task = waiting.unwrap_or_else(|| {
            let executor = Rc::clone(&self.executor);
            Box::pin(async move { executor.tick().await })
        });
        let run = next_task.as_mut().poll(&mut Context::from_waker(waker));
        if run.is_pending() {
            self.next_task.replace(Some(next_task));
        }
        run
    }
}

/// The maximum number of events, and of tasks, in a turn.
const PER_TURN: u32 = 400;

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::future::poll_fn;
    use std::pin::pin;
    use std::thread;

    use super::*;
    use crate::event_loop::EventLoop;
    use crate::event_loop::thread_loop::{self, Run};

    /// Spawns a task that runs whenever its waker is woken.
    fn spawn_counter() -> (Rc<Cell<u32>>, Rc<RefCell<Option<Waker>>>) {
        let (runs, waker) = (Rc::new(Cell::new(0)), Rc::new(RefCell::new(None)));
        let (counted, kept) = (Rc::clone(&runs), Rc::clone(&waker));
        let task = poll_fn(move |cx| {
            counted.set(counted.get() + 1);
            kept.replace(Some(cx.waker().clone()));
            Poll::<()>::Pending
        });
        EventLoop::current().spawn(task).detach();
        (runs, waker)
    }

    /// In the loop's own thread no turn follows for it, and no look for events.
    #[test]
    fn a_task_that_is_woken_runs_in_the_next_turn() {
        let (runs, waker) = spawn_counter();
        let state = thread_loop::state();
        let Some(mut run) = Run::begin(&state) else { panic!("too many runs") };
        let mut turn = || {
            let _: Poll<()> = run.turn(pin!(std::future::pending()));
            (runs.get(), run.has_more())
        };
        while turn().1 {}
        assert_eq!(turn(), (1, false));

        for expected in 2..5 {
            waker.borrow().iter().for_each(Waker::wake_by_ref);
            assert!(state.shared.may_have_tasks() && !state.shared.sleep.is_notified());
            assert_eq!(turn(), (expected, false));
        }

        let woken = waker.borrow().clone();
        let other = thread::spawn(move || woken.into_iter().for_each(Waker::wake));
        assert!(other.join().is_ok());
        assert!(state.shared.sleep.is_notified());
        assert_eq!(turn(), (5, false));
    }
}
