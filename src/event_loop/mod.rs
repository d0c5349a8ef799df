//! The event loop: one per thread, which runs tasks, posted calls, queued slots and timers.
//!
//! A turn looks once at everything that is ready, then polls the reactor: without waiting when
//! something became ready meanwhile, else until the next deadline. Everything happens on the
//! loop's own thread; there is no helper thread.

use std::cell::RefCell;
use std::fmt;
use std::future::{self, pending};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use log::error;
use slotwork_signals as signals;
use smol::{LocalExecutor, Task};

use crate::reactor::{Reactor, wake_later};
use crate::timers::Timers;
use crate::turn;

mod handle;

use handle::Shared;

pub use handle::LoopHandle;

/// The event loop of a thread.
///
/// Each thread has one, made at first use. It runs the tasks, posted calls, queued slots and
/// timers of its thread, and the I/O of the servers and sockets that live there, while one of
/// [`exec`](Self::exec), [`run_until`](Self::run_until) and
/// [`process_events`](Self::process_events) runs.
///
/// # Qt
///
/// `QCoreApplication` and `QEventLoop`; a thread needs no application object.
///
/// # Examples
///
/// ```
/// use slotwork::EventLoop;
///
/// let event_loop = EventLoop::current();
/// event_loop.spawn(async { EventLoop::current().exit(7) }).detach();
///
/// assert_eq!(event_loop.exec(), 7);
/// ```
#[derive(Clone)]
pub struct EventLoop {
    inner: Rc<Inner>,
}

impl EventLoop {
    /// Returns the event loop of this thread.
    ///
    /// At the thread's very end, in what is dropped with it, this is a loop that will not run.
    ///
    /// # Panics
    ///
    /// When the operating system refuses the descriptors that a new loop needs.
    #[must_use]
    pub fn current() -> Self {
        with_thread_loop(|thread_loop| Self { inner: Rc::clone(&thread_loop.inner) })
    }

    /// Runs the loop until [`exit`](Self::exit) or [`quit`](Self::quit) and returns the code.
    ///
    /// May be called again afterwards, and inside a slot: then the inner run ends first.
    ///
    /// # Qt
    ///
    /// `QCoreApplication::exec()`, and `QEventLoop::exec()` inside a slot.
    #[expect(clippy::must_use_candidate, reason = "many programs have no use for the code")]
    pub fn exec(&self) -> i32 {
        let level = Level::enter(&self.inner.exits);
        self.run_until(future::poll_fn(|_| level.exit_code().map_or(Poll::Pending, Poll::Ready)))
    }

    /// Ends the innermost running [`exec`](Self::exec) with `code`, after what runs now.
    ///
    /// When called several times before it ends, the last code counts. Does nothing when the loop
    /// does not run.
    ///
    /// # Qt
    ///
    /// `QEventLoop::exit()`, and `QCoreApplication::exit()` where no `exec` is inside another. As
    /// in Qt, a call before `exec` has no effect.
    pub fn exit(&self, code: i32) {
        if let Some(innermost) = self.inner.exits.borrow_mut().last_mut() {
            *innermost = Some(code);
            self.inner.shared.notify();
        }
    }

    /// Ends the innermost running [`exec`](Self::exec) with code 0.
    pub fn quit(&self) {
        self.exit(0);
    }

    /// Runs what is ready now, without waiting, and returns.
    ///
    /// For programs with a loop of their own.
    ///
    /// # Qt
    ///
    /// `QCoreApplication::processEvents()`.
    #[doc(alias = "processEvents")]
    pub fn process_events(&self) {
        let _run = self.inner.begin_run();
        self.inner.wait(Some(Duration::ZERO));
        let waker = self.inner.waker();
        let mut cx = Context::from_waker(&waker);
        let _: Poll<()> = self.inner.look(pin!(executor().run(queued(pending()))), &mut cx);
    }

    /// Runs the loop until `future` completes and returns its output.
    ///
    /// Tasks that are ready then run once more: messages that were sent last are written.
    pub fn run_until<T>(&self, future: impl Future<Output = T>) -> T {
        let _run = self.inner.begin_run();
        let waker = self.inner.waker();
        let mut cx = Context::from_waker(&waker);
        let executor = executor();
        let output = {
            let mut running = pin!(executor.run(queued(future)));
            loop {
                if let Poll::Ready(output) = self.inner.look(running.as_mut(), &mut cx) {
                    break output;
                }
                self.inner.wait(self.inner.timers.time_to_next());
            }
        };
        // What was sent in the last turn is still written: this may be the program's end.
        for _ in 0..LAST_TASKS {
            if !executor.try_tick() {
                break;
            }
        }
        output
    }

    /// Runs the loop until `is_done` or the deadline.
    fn run_while(&self, deadline: Instant, is_done: &dyn Fn() -> bool) {
        let _run = self.inner.begin_run();
        let waker = self.inner.waker();
        let mut cx = Context::from_waker(&waker);
        let executor = executor();
        let mut running = pin!(executor.run(queued(pending::<()>())));
        while !is_done() {
            let _: Poll<()> = self.inner.look(running.as_mut(), &mut cx);
            let left = deadline.saturating_duration_since(Instant::now());
            if is_done() || left.is_zero() {
                return;
            }
            let next = self.inner.timers.time_to_next().unwrap_or(left);
            self.inner.wait(Some(next.min(left)));
        }
    }

    /// Starts a task on this loop; it runs while the loop runs.
    ///
    /// The task ends when the returned handle is dropped; `detach` lets it run on.
    pub fn spawn<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> Task<T> {
        executor().spawn(future)
    }

    /// Returns a handle that reaches this loop from any thread.
    #[must_use]
    pub fn handle(&self) -> LoopHandle {
        LoopHandle::new(Arc::clone(&self.inner.shared))
    }
}

impl fmt::Debug for EventLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running = self.inner.exits.borrow().len();
        f.debug_struct("EventLoop").field("running", &running).finish_non_exhaustive()
    }
}

/// What a loop is made of, but for its tasks: those may hold an `EventLoop`, and would hold
/// themselves.
struct Inner {
    reactor: Rc<Reactor>,
    timers: Rc<Timers>,
    shared: Arc<Shared>,
    exits: Exits,
}

/// The running `exec` calls, the innermost last, each with the code it shall end with.
type Exits = RefCell<Vec<Option<i32>>>;

impl Inner {
    fn new() -> io::Result<Self> {
        let reactor = Reactor::current()?;
        let shared = Arc::new(Shared::new(reactor.waker()));
        Ok(Self { reactor, timers: Timers::current(), shared, exits: Exits::default() })
    }

    /// Begins a run of the loop, which may be inside a turn of another one.
    fn begin_run(&self) -> Run<'_> {
        turn::suspend_all();
        Run { shared: &self.shared }
    }

    fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.shared))
    }

    /// Runs everything that is ready: posted calls, timers, queued slots and tasks.
    fn look<T>(&self, running: Pin<&mut impl Future<Output = T>>, cx: &mut Context<'_>) -> Poll<T> {
        self.shared.clear_notified();
        self.run_posted();
        self.timers.fire();
        running.poll(cx)
    }

    /// Runs the calls that were posted before now; what they post waits for the next turn.
    fn run_posted(&self) {
        for _ in 0..self.shared.posted_count() {
            let Some(call) = self.shared.next_posted() else { return };
            if catch_unwind(AssertUnwindSafe(call)).is_err() {
                error!("a call that was posted to the event loop panicked");
            }
        }
    }

    /// Asks the reactor what is ready; waits for it only when nobody has notified the loop.
    fn wait(&self, timeout: Option<Duration>) {
        let may_wait = self.shared.fall_asleep();
        let timeout = if may_wait { timeout } else { Some(Duration::ZERO) };
        let result = self.reactor.wait(timeout);
        // Awake first: waking a task from here must not cost the system call that ends a sleep.
        self.shared.wake_up();
        match result {
            Ok(()) => self.reactor.wake_tasks(),
            Err(error) => error!("cannot poll for events: {error}"),
        }
    }
}

/// A run of the loop.
struct Run<'a> {
    shared: &'a Shared,
}

impl Drop for Run<'_> {
    /// Makes the run around this one look again: each look takes all notifications, also those
    /// that were meant for what the outer run waits for.
    fn drop(&mut self) {
        self.shared.notify();
    }
}

/// One running `exec`, on the stack of those.
struct Level<'a> {
    exits: &'a Exits,
    level: usize,
}

impl<'a> Level<'a> {
    fn enter(exits: &'a Exits) -> Self {
        let mut levels = exits.borrow_mut();
        levels.push(None);
        Self { exits, level: levels.len() }
    }

    /// Returns the code when this run shall end. It has to wait for the runs inside it.
    fn exit_code(&self) -> Option<i32> {
        let levels = self.exits.borrow();
        if levels.len() == self.level { levels.last().copied().flatten() } else { None }
    }
}

impl Drop for Level<'_> {
    fn drop(&mut self) {
        self.exits.borrow_mut().truncate(self.level - 1);
    }
}

/// A thread's loop with its tasks. At the thread's end the tasks are dropped, and with them the
/// sockets they own.
struct ThreadLoop {
    inner: Rc<Inner>,
    executor: Rc<LocalExecutor<'static>>,
}

impl ThreadLoop {
    #[expect(clippy::expect_used, reason = "documented: without descriptors there is no loop")]
    fn new() -> Self {
        let inner = Inner::new().expect("the event loop of this thread cannot be made");
        // A `SignalSpy` that waits runs the loop meanwhile.
        signals::set_waiter(|deadline, is_done| EventLoop::current().run_while(deadline, is_done));
        Self { inner: Rc::new(inner), executor: Rc::default() }
    }
}

impl Drop for ThreadLoop {
    fn drop(&mut self) {
        self.inner.shared.close();
    }
}

thread_local! {
    static THREAD_LOOP: RefCell<Option<ThreadLoop>> = const { RefCell::new(None) };
}

/// How many tasks run once more at the end of a run: there may be one that is always ready.
const LAST_TASKS: usize = 100_000;

/// Gives `use_loop` the loop of this thread, made at first use.
///
/// # Panics
///
/// When the loop cannot be made: see [`EventLoop::current`].
fn with_thread_loop<T>(use_loop: impl Fn(&ThreadLoop) -> T) -> T {
    let current = THREAD_LOOP.try_with(|current| {
        let mut current = current.borrow_mut();
        use_loop(current.get_or_insert_with(ThreadLoop::new))
    });
    // What is dropped at the thread's very end may still ask for a loop; it gets one that will
    // not run.
    current.unwrap_or_else(|_| use_loop(&ThreadLoop::new()))
}

fn executor() -> Rc<LocalExecutor<'static>> {
    with_thread_loop(|thread_loop| Rc::clone(&thread_loop.executor))
}

/// Runs the queued slots of this thread beside `future`.
async fn queued<T>(future: impl Future<Output = T>) -> T {
    let mut dispatch = pin!(signals::dispatch());
    let mut future = pin!(future);
    future::poll_fn(|cx| {
        let run = AssertUnwindSafe(|| dispatch.as_mut().poll(cx).is_pending());
        if catch_unwind(run).is_err() {
            error!("a queued slot panicked");
            // The slots behind it are still to be run.
            cx.waker().wake_by_ref();
        }
        future.as_mut().poll(cx)
    })
    .await
}

/// Lets everybody who is ready, or becomes ready, come first.
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
