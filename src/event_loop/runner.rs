//! The tasks and queued slots of a thread, one step after the other.

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
    /// The executor of all other tasks, which notifies the loop.
    executor: Rc<LocalExecutor<'static>>,
    /// The executor of the connections, which does not notify the loop.
    connection_executor: Rc<LocalExecutor<'static>>,
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
        connection_executor: Rc<LocalExecutor<'static>>,
        next_task: NextTask,
        waker: &Waker,
    ) -> Self {
        let mut queue = dispatch();
        queue.listen(waker);
        Self { executor, connection_executor, queue, next_task }
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

    /// Runs the tasks that are ready, connections first.
    ///
    /// Tasks that become ready later notify the loop, except those of connections (see
    /// [`EventLoop::spawn_connection`](crate::EventLoop::spawn_connection)).
    ///
    /// Returns whether there were any.
    pub(super) fn run_tasks(&mut self, waker: &Waker, state: &State) -> bool {
        let (mut connections_left, mut others_left) = (TASKS_PER_TURN, TASKS_PER_TURN);
        loop {
            if connections_left > 0 && self.connection_executor.try_tick() {
                connections_left -= 1;
                continue;
            }
            state.reactor.clear_woken();
            if others_left == 0 || !(state.may_have_tasks.get() || state.shared.sleep.is_notified())
            {
                break;
            }
            if self.executor.try_tick() {
                others_left -= 1;
            } else if self.poll_next_task(waker).is_pending() {
                // From now on a task that becomes ready notifies the loop.
                state.may_have_tasks.set(false);
                break;
            } else {
                // Another thread has woken a task in between.
                others_left -= 1;
            }
        }
        if connections_left == 0 || others_left == 0 {
            waker.wake_by_ref();
        }
        connections_left + others_left < 2 * TASKS_PER_TURN
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

/// The maximum number of tasks of either kind in a turn.
const TASKS_PER_TURN: u32 = 400;
