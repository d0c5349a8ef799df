//! Running the loop as a future of another executor.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use log::error;
use smol::Timer;

use crate::event_loop::EventLoop;
use crate::event_loop::exec::REFUSED;
#[cfg(unix)]
use crate::event_loop::exec_async::descriptor::Readiness;
#[cfg(not(unix))]
use crate::event_loop::exec_async::interval::Readiness;
use crate::event_loop::state::State;
use crate::event_loop::thread_loop::Run;
#[cfg(any(test, fuzzing, feature = "testing"))]
use crate::runtime::clock;
use crate::runtime::timers::after;

#[cfg(unix)]
mod descriptor;
#[cfg(not(unix))]
mod interval;

impl EventLoop {
    /// Runs the loop as [`exec`](Self::exec) does, as a future inside another executor.
    ///
    /// Both share the thread: the executor polls the loop when something is ready in it, and the
    /// loop returns to the executor after some turns. Any executor will do, such as that of
    /// `smol::block_on` or tokio's for one thread; `async-io` watches the loop's descriptor, and
    /// starts its helper thread for that. Dropping the future ends the run.
    ///
    /// On Windows the loop has no descriptor, and is polled every 5 ms: what becomes ready waits for
    /// half of that on average. A loop in a thread of its own
    /// ([`EventThread`](crate::EventThread)) has no such delay.
    ///
    /// Returns -1 at once when the thread's loop is ending, when too many loops run inside each
    /// other ([`set_max_nesting`](Self::set_max_nesting)), or when its descriptor cannot be
    /// watched, which is logged.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use slotwork::{EventLoop, Timer};
    ///
    /// Timer::single_shot(Duration::from_millis(1), || EventLoop::current().exit(3));
    ///
    /// assert_eq!(smol::block_on(EventLoop::current().exec_async()), 3);
    /// ```
    #[doc(alias = "QAbstractEventDispatcher")]
    #[doc(alias = "setEventDispatcher")]
    pub async fn exec_async(&self) -> i32 {
        let exit = Rc::default();
        let Some(running) = self.enter(&exit) else { return REFUSED };
        let mut wake_up = match WakeUp::new(self) {
            Ok(wake_up) => wake_up,
            Err(error) => {
                error!("the event loop cannot be watched: {error}");
                return REFUSED;
            }
        };
        let mut exited = pin!(self.exited(&running));
        poll_fn(|cx| {
            let outcome = self.some_turns(exited.as_mut()).unwrap_or(Poll::Ready(REFUSED));
            if outcome.is_pending() {
                wake_up.set(&self.state, cx);
            }
            outcome
        })
        .await
    }

    /// Runs the loop while something is ready, for some turns at most.
    ///
    /// `None` when too many loops run inside each other.
    fn some_turns<T>(&self, mut future: Pin<&mut impl Future<Output = T>>) -> Option<Poll<T>> {
        let mut run = Run::begin(&self.state)?;
        for _ in 0..TURNS {
            run.look();
            if let Poll::Ready(output) = run.turn(future.as_mut()) {
                run.finish();
                return Some(Poll::Ready(output));
            }
            if !run.has_more() {
                #[cfg(any(test, fuzzing, feature = "testing"))]
                if clock::stopped_at().is_some() {
                    // The clock moves instead of a wait for the next deadline.
                    match self.state.timers.next() {
                        Some(deadline) => run.wait(Some(deadline)),
                        None => run.look(),
                    }
                }
                break;
            }
        }
        Some(Poll::Pending)
    }
}

/// Wakes the task of another executor when something is ready in the loop.
struct WakeUp<'a> {
    readiness: Readiness<'a>,
    timer: Timer,
}

impl<'a> WakeUp<'a> {
    fn new(event_loop: &'a EventLoop) -> io::Result<Self> {
        Ok(Self { readiness: Readiness::new(event_loop)?, timer: Timer::never() })
    }

    fn set(&mut self, state: &State, cx: &mut Context<'_>) {
        match Readiness::time_to_poll(state.timers.time_to_next()) {
            Some(time) => self.timer.set_at(after(Instant::now(), time)),
            None => self.timer = Timer::never(),
        }
        let is_due = Pin::new(&mut self.timer).poll(cx).is_ready();
        if is_due || self.readiness.poll(cx) {
            cx.waker().wake_by_ref();
        }
    }
}

/// The maximum number of turns before the executor's other tasks run.
const TURNS: usize = 16;
