//! Runs the tasks and queued slots of a thread.

use std::convert::Infallible;
use std::future::{self, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use slotwork_signals as signals;
use smol::LocalExecutor;

use crate::panics;

/// Runs the tasks and queued slots of a thread, for ever.
///
/// It is kept between the runs of the loop: while nobody runs it, it still tells the loop when a
/// task becomes ready.
pub(super) struct Runner {
    executor: Rc<LocalExecutor<'static>>,
    slots: Pin<Box<dyn Future<Output = Infallible>>>,
    tasks: Pin<Box<dyn Future<Output = Infallible>>>,
}

impl Runner {
    pub(super) fn new(executor: Rc<LocalExecutor<'static>>) -> Self {
        let runs = Rc::clone(&executor);
        Self {
            executor,
            slots: Box::pin(run_queued_slots()),
            tasks: Box::pin(async move { runs.run(future::pending()).await }),
        }
    }

    /// Runs what is ready, and has the loop notified of what becomes ready later.
    pub(super) fn run(&mut self, cx: &mut Context<'_>) {
        let _: Poll<_> = self.slots.as_mut().poll(cx);
        // One by one: the executor's own run, which waits for the next task, moves each of them
        // through a second queue.
        for _ in 0..TASKS_PER_TURN {
            if !self.executor.try_tick() {
                break;
            }
        }
        let _: Poll<_> = self.tasks.as_mut().poll(cx);
    }
}

/// Runs the queued slots of this thread.
async fn run_queued_slots() -> Infallible {
    let mut dispatch = pin!(signals::dispatch());
    poll_fn(|cx| {
        if !panics::catch("a queued slot", || _ = dispatch.as_mut().poll(cx).is_pending()) {
            // The slots behind it are still to be run.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await
}

/// How many tasks are run before the loop looks after its timers and sockets; as many again may
/// come from the executor.
const TASKS_PER_TURN: usize = 200;
