//! Tasks with a receiver, which end with it.
//!
//! Nothing reports the end of a receiver: it is held weakly. Each turn of the loop looks at some of
//! the tasks that wait, and ends those without a receiver.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use slotwork_signals::{Receiver, WeakReceiver};
use smol::Task;

use crate::event_loop::EventLoop;
use crate::runtime::panics;

impl EventLoop {
    /// Starts a task, and calls `slot` with its output, unless `receiver` is gone by then.
    ///
    /// The receiver is held weakly and lent to the slot; `()` is a receiver that never goes away.
    /// When it is dropped, the future is dropped in one of the loop's next turns, and the slot is
    /// not called. So a method can wait for something without a clone of its object. What the future
    /// itself captures it keeps, as any future does. A panic in either is reported by
    /// [`panicked`](Self::panicked).
    ///
    /// # Qt
    ///
    /// `QFutureWatcher::setFuture()` with a slot of `finished`, and `QFuture::then(context, …)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::rc::Rc;
    ///
    /// use slotwork::EventLoop;
    ///
    /// #[derive(Default)]
    /// struct Window {
    ///     lines: Cell<usize>,
    /// }
    ///
    /// impl Window {
    ///     fn load(self: &Rc<Self>) {
    ///         let text = smol::unblock(|| String::from("one\ntwo"));
    ///         EventLoop::current().spawn_to(self, text, Self::on_loaded);
    ///     }
    ///
    ///     fn on_loaded(self: &Rc<Self>, text: String) {
    ///         self.lines.set(text.lines().count());
    ///         EventLoop::current().quit();
    ///     }
    /// }
    ///
    /// let window = Rc::new(Window::default());
    /// window.load();
    /// EventLoop::current().exec();
    /// assert_eq!(window.lines.get(), 2);
    /// ```
    #[doc(alias = "QFutureWatcher")]
    #[doc(alias = "setFuture")]
    #[doc(alias = "QtConcurrent")]
    #[track_caller]
    pub fn spawn_to<R: Receiver, T: 'static>(
        &self,
        receiver: R,
        future: impl Future<Output = T> + 'static,
        slot: impl FnOnce(&R::Strong, T) + 'static,
    ) {
        let receiver = Rc::new(receiver.downgrade());
        let watched = Rc::clone(&receiver);
        let task = self.spawn(async move {
            let mut future = pin!(future);
            let output = poll_fn(|cx| match receiver.upgrade() {
                Some(_) => future.as_mut().poll(cx).map(Some),
                None => Poll::Ready(None),
            });
            if let Some(output) = output.await
                && let Some(receiver) = receiver.upgrade()
            {
                slot(&receiver, output);
            }
        });
        let has_receiver = Box::new(move || watched.upgrade().is_some());
        self.state.receiver_tasks.add(ReceiverTask { task, has_receiver });
    }
}

/// The tasks of a loop that end with a receiver.
#[derive(Default)]
pub(super) struct ReceiverTasks(RefCell<VecDeque<ReceiverTask>>);

struct ReceiverTask {
    /// The task is cancelled when this is dropped.
    task: Task<()>,
    has_receiver: Box<dyn Fn() -> bool>,
}

impl ReceiverTask {
    /// Cancels the task; the executor drops its future.
    fn end(self) {
        panics::catch_and_log("the end of a task", || drop(self));
    }
}

impl ReceiverTasks {
    fn add(&self, task: ReceiverTask) {
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
