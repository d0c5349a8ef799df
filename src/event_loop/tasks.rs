//! The tasks of a loop, with their panics caught.

use std::future;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use slotwork_signals::host::{Origin, watched_call};
use slotwork_signals::{Receiver, WeakReceiver};
use smol::Task;
use smol::future::FutureExt;

use crate::event_loop::EventLoop;
use crate::event_loop::receiver_tasks::ReceiverTask;
use crate::event_loop::thread_loop;
use crate::runtime::panics;
use crate::runtime::reactor::wake_later;

impl EventLoop {
    /// Starts a task on this loop; it runs while the loop runs.
    ///
    /// The task ends when the returned handle is dropped; `detach` lets it run on. A panic in it is
    /// reported by [`panicked`](Self::panicked), and a task that awaits the handle panics too.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{EventLoop, WebSocketServer};
    ///
    /// fn broadcast_motd(server: &WebSocketServer) {
    ///     let server = server.clone();
    ///     EventLoop::current().spawn(async move {
    ///         // In another thread, because it blocks.
    ///         let text = smol::unblock(|| std::fs::read_to_string("/etc/motd")).await;
    ///         server.broadcast_text(text.unwrap_or_default());
    ///     }).detach();
    /// }
    /// ```
    #[doc(alias = "QTcpSocket")]
    #[doc(alias = "QLocalServer")]
    #[doc(alias = "QLocalSocket")]
    #[doc(alias = "QProcess")]
    #[doc(alias = "QNetworkAccessManager")]
    #[doc(alias = "QNetworkReply")]
    #[doc(alias = "QSqlDatabase")]
    #[doc(alias = "QtConcurrent")]
    #[doc(alias = "QSqlQuery")]
    #[track_caller]
    pub fn spawn<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> Task<T> {
        let future = Box::pin(async {
            let outcome = AssertUnwindSafe(future).catch_unwind().await;
            outcome.unwrap_or_else(|payload| {
                let message = panics::keep("a task", payload);
                resume_unwind(Box::new(message))
            })
        });
        thread_loop::executor().spawn(Guarded::new(future, Origin::here()))
    }

    /// Starts a task and calls `slot` with its output, unless `receiver` is gone.
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
            let mut pinned = pin!(future);
            let output = future::poll_fn(|cx| match receiver.upgrade() {
                Some(_) => pinned.as_mut().poll(cx).map(Some),
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

    /// Starts a task that catches the panics of the program's code itself.
    #[track_caller]
    pub(crate) fn spawn_guarded(future: impl Future<Output = ()> + Unpin + 'static) -> Task<()> {
        thread_loop::executor().spawn(Guarded::new(future, Origin::here()))
    }
}

/// Lets all tasks that are ready, or become ready with the next poll, run first.
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

/// The future of a task, with the panics of its drop caught.
///
/// The executor aborts the process when what a task holds panics while it is dropped.
struct Guarded<F> {
    future: Option<F>,
    origin: Origin,
}

impl<F: Future + Unpin> Guarded<F> {
    /// Guards the future of a task that was spawned at `origin`.
    fn new(future: F, origin: Origin) -> Self {
        Self { future: Some(future), origin }
    }
}

impl<F: Future + Unpin> Future for Guarded<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let origin = self.origin;
        match &mut self.future {
            Some(future) => watched_call("task spawned", origin, || Pin::new(future).poll(cx)),
            // It is dropped already, and never polled again.
            None => Poll::Pending,
        }
    }
}

impl<F> Drop for Guarded<F> {
    fn drop(&mut self) {
        let future = self.future.take();
        panics::catch("the end of a task", || drop(future));
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;
    use crate::event_loop::timer::Timer;
    use crate::runtime::reactor::Reactor;

    /// A turn handles a bounded number of events, and of tasks.
    #[test]
    fn events_and_tasks_without_end_hold_up_nothing_else() {
        thread_local! { static HANDLED: Cell<u32> = const { Cell::new(0) } }
        let event_loop = EventLoop::current();
        let reactor = &event_loop.state.reactor;
        reactor.set_event_handler(|number| {
            HANDLED.set(HANDLED.get() + 1);
            // Without end.
            Reactor::current().unwrap().make_ready(number);
        });
        reactor.make_ready(1);
        event_loop.settle(1);
        assert!((1..1000).contains(&HANDLED.get()), "{} events in a turn", HANDLED.get());
        let always_ready = poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        EventLoop::spawn_guarded(always_ready).detach();
        let (turns, expired) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
        let counted = Rc::clone(&turns);
        let counting = async move {
            for _ in 0..10 {
                next_turn().await;
                counted.set(counted.get() + 1);
            }
        };

        event_loop.spawn(counting).detach();
        Timer::single_shot_to(Duration::from_millis(1), &expired, |expired| expired.set(true));

        let is_done = || turns.get() == 10 && expired.get();
        assert!(event_loop.wait_until(is_done, Duration::from_secs(60)));
    }
}
