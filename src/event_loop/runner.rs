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
    /// Tasks that become ready later notify the loop.
    ///
    /// Returns whether there was any event or task.
    pub(super) fn run_ready(&mut self, waker: &Waker, state: &State) -> bool {
        let (mut events_left, mut tasks_left) = (PER_TURN, PER_TURN);
        while events_left > 0 && state.reactor.handle_next() {
            events_left -= 1;
        }
        while tasks_left > 0 && (state.may_have_tasks.get() || state.shared.sleep.is_notified()) {
            // A task that another thread has woken in between is run as well.
            if !self.executor.try_tick() && self.poll_next_task(waker).is_pending() {
                // From now on a task that becomes ready notifies the loop.
                state.may_have_tasks.set(false);
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
