//! The tasks and queued slots of a thread, one step after the other.

use std::convert::Infallible;
use std::future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use slotwork_signals::{Dispatch, dispatch};
use smol::LocalExecutor;

use crate::runtime::panics;

/// Runs the tasks and queued slots of a thread.
///
/// It is kept between the runs of the loop: then, too, it notifies the loop when a task becomes
/// ready.
pub(super) struct Runner {
    executor: Rc<LocalExecutor<'static>>,
    queue: Dispatch,
    tasks: Pin<Box<dyn Future<Output = Infallible>>>,
}

impl Runner {
    /// Makes a runner; `waker` is woken from now on when a call is queued.
    pub(super) fn new(executor: Rc<LocalExecutor<'static>>, waker: &Waker) -> Self {
        let (runs, mut queue) = (Rc::clone(&executor), dispatch());
        queue.listen(waker);
        Self { executor, queue, tasks: Box::pin(async move { runs.run(future::pending()).await }) }
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

    /// Runs the tasks that are ready; those that become ready later notify the loop.
    ///
    /// Returns whether there were any.
    pub(super) fn run_tasks(&mut self, waker: &Waker) -> bool {
        let mut has_run = false;
        // One by one: the executor's own run, which waits for the next task, moves each of them
        // through a second queue.
        for _ in 0..TASKS_PER_TURN {
            if !self.executor.try_tick() {
                break;
            }
            has_run = true;
        }
        let _: Poll<_> = self.tasks.as_mut().poll(&mut Context::from_waker(waker));
        has_run
    }
}

/// The maximum number of tasks in a turn; the executor may add as many again.
const TASKS_PER_TURN: usize = 200;
