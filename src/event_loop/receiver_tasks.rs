//! Tasks with a receiver, which end with it.
//!
//! Nothing reports the end of a receiver: it is held weakly. Each turn of the loop looks at some of
//! the tasks that wait, and ends those without a receiver.

use std::cell::RefCell;
use std::collections::VecDeque;

use smol::Task;

use crate::runtime::panics;

/// The tasks of a loop that end with a receiver.
#[derive(Default)]
pub(super) struct ReceiverTasks(RefCell<VecDeque<ReceiverTask>>);

/// A task with a receiver.
pub(super) struct ReceiverTask {
    /// The task is cancelled when this is dropped.
    pub(super) task: Task<()>,
    pub(super) has_receiver: Box<dyn Fn() -> bool>,
}

impl ReceiverTask {
    /// Cancels the task; the executor drops its future.
    fn end(self) {
        panics::catch_and_log("the end of a task", || drop(self));
    }
}

impl ReceiverTasks {
    pub(super) fn add(&self, task: ReceiverTask) {
        self.0.borrow_mut().push_back(task);
    }

    /// Cancels tasks without a receiver; in each turn some of them are looked at.
    #[inline]
    pub(super) fn sweep(&self) {
        if !self.0.borrow().is_empty() {
            self.sweep_some();
        }
    }

    fn sweep_some(&self) {
        let count = self.0.borrow().len().min(CHECKED_PER_TURN);
        for _ in 0..count {
            // A handle's `upgrade` may be the program's code: the list is not borrowed meanwhile.
            let Some(task) = self.take_first() else { return };
            let mut is_wanted = false;
            panics::catch("the end of a receiver", || {
                is_wanted = !task.task.is_finished() && (task.has_receiver)();
            });
            if is_wanted {
                self.add(task);
            } else {
                task.end();
            }
        }
    }

    /// Cancels all tasks, at the thread's end.
    pub(super) fn clear(&self) {
        while let Some(task) = self.take_first() {
            task.end();
        }
    }

    fn take_first(&self) -> Option<ReceiverTask> {
        self.0.borrow_mut().pop_front()
    }
}

/// The number of tasks with a receiver that a turn looks at.
const CHECKED_PER_TURN: usize = 32;
