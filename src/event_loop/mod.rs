//! The event loop: one per thread, which runs tasks, posted calls, queued slots and timers.
//!
//! A turn looks once at everything that is ready, then polls the reactor: without waiting when
//! something became ready meanwhile, else until the next deadline. Everything happens on the
//! loop's own thread, but for two calls of clients that block, the look-up of a host name and the
//! loading of the system's trust store: they run in smol's pool of blocking threads.

use std::fmt;
use std::future::pending;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use slotwork_signals as signals;
use slotwork_signals::host::{self, Origin, watched_call};
use slotwork_signals::{Handle, Receiver, SignalRef, WeakReceiver};
use smol::Task;
use smol::future::FutureExt;

use crate::runtime::panics;
use crate::runtime::timers::Timers;
#[cfg(unix)]
use crate::types::error::Error;

mod caught_panic;
mod deferred;
pub(crate) mod event_thread;
#[cfg(unix)]
mod exec_async;
mod exits;
mod handle;
mod nested_loop;
mod panic_policy;
mod process_events;
#[cfg(unix)]
mod quit_on_signals;
mod runner;
mod shared;
mod sleep;
#[cfg(unix)]
pub(crate) mod socket_notifier;
mod state;
mod tasks;
mod thread_loop;
pub(crate) mod timer;

use exits::{Exit, Running};
use state::{Run, State, run_all};
use tasks::Guarded;

pub use caught_panic::CaughtPanic;
pub use handle::LoopHandle;
pub use nested_loop::NestedLoop;
pub use panic_policy::PanicPolicy;
pub(crate) use state::next_turn;

/// The event loop of a thread.
///
/// Each thread has one, made at first use. It runs the tasks, posted calls, queued slots and
/// timers of its thread, and the I/O of the servers and sockets that live there, while one of
/// [`exec`](Self::exec), [`run_until`](Self::run_until) and
/// [`process_events`](Self::process_events) runs.
///
/// # Work that takes long
///
/// While a slot, a call or a task computes or waits for something, nothing else happens in its
/// thread; an async slot or a task blocks it between two `.await`s. Debug builds log each slot, posted
/// or deferred call, single shot and poll of an async slot or task that takes longer than 50 ms, with
/// the line in which it was connected, posted or spawned. Let such work be done elsewhere, and come
/// back with its result: `smol::unblock` runs a call on a thread for such things, and
/// [`EventThread`](crate::EventThread) is a thread for objects that do nothing else.
///
/// ```
/// use slotwork::EventLoop;
///
/// let event_loop = EventLoop::current();
/// event_loop.spawn(async {
///     let text = smol::unblock(|| std::fs::read_to_string("/etc/hostname")).await;
///     // Here it is the loop's thread again.
///     println!("{}", text.unwrap_or_default());
///     EventLoop::current().quit();
/// }).detach();
/// event_loop.exec();
/// ```
///
/// # Other async libraries
///
/// What smol offers works in tasks and async slots. The first use of `smol::net`, `smol::Timer` or
/// another type of `async-io` starts the helper thread of that library, one for the process;
/// Slotwork's own sockets and timers do not need it. A client that looks up a host name, or loads
/// the system's trust store, uses the pool of `smol::unblock`, whose threads end when they are idle.
/// Types of tokio, and libraries that stand on it, panic here with "there is no reactor running":
/// run them on a tokio runtime in a thread of its own, and let them [`post`](LoopHandle::post) or
/// emit what they have found, or run this loop inside tokio with `exec_async` (Unix).
///
/// # Qt
///
/// `QCoreApplication`, and the loop of a `QThread`; a thread needs no application object.
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
    state: Rc<State>,
}

impl EventLoop {
    /// Returns the event loop of this thread.
    ///
    /// At the thread's very end, in what is dropped with it, this is a loop that will not run.
    ///
    /// # Panics
    ///
    /// When the operating system refuses the descriptors that a new loop needs.
    #[doc(alias = "currentThread")]
    #[doc(alias = "eventDispatcher")]
    #[doc(alias = "instance")]
    #[must_use]
    pub fn current() -> Self {
        Self { state: thread_loop::state() }
    }

    /// Runs the loop until [`exit`](Self::exit) or [`quit`](Self::quit) and returns the code.
    ///
    /// May be called again afterwards. A loop inside a slot, which ends by itself, is a
    /// [`NestedLoop`]. Between a call of `exit` and the end of what it ends, no other run begins:
    /// the code is -1 at once, as it is inside too many loops
    /// ([`set_max_nesting`](Self::set_max_nesting)) and when the thread's loop has ended.
    ///
    /// Calls and queued slots that were queued before the end was noticed are still run.
    ///
    /// # Qt
    ///
    /// `QCoreApplication::exec()` and `QThread::exec()`.
    #[expect(clippy::must_use_candidate, reason = "many programs have no use for the code")]
    pub fn exec(&self) -> i32 {
        self.exec_after(|| ()).1
    }

    /// Makes a call, and then runs the loop as [`exec`](Self::exec) does; not at all when the call has
    /// ended it already.
    pub(crate) fn exec_after<T>(&self, call: impl FnOnce() -> T) -> (T, i32) {
        let exit = Rc::default();
        let running = self.enter(&exit);
        let outcome = call();
        let code = running.and_then(|running| self.run(self.exited(&running)));
        (outcome, code.unwrap_or(REFUSED))
    }

    /// Ends every running [`exec`](Self::exec) of this thread with `code`, after what runs now.
    ///
    /// When called several times before they end, the last code counts. Does nothing when the loop
    /// does not run.
    ///
    /// # Qt
    ///
    /// `QCoreApplication::exit()` and `QThread::exit()`. As with the former, a call before `exec`
    /// has no effect; as with the latter, one in the setup of an
    /// [`EventThread`](crate::EventThread) ends the thread.
    pub fn exit(&self, code: i32) {
        if self.state.exits.exit_all(code) {
            self.state.shared.notify();
        }
    }

    /// Ends every running [`exec`](Self::exec) of this thread with code 0.
    ///
    /// # Qt
    ///
    /// `QCoreApplication::quit()` and `QThread::quit()`.
    #[doc(alias = "QEventLoopLocker")]
    #[doc(alias = "setQuitLockEnabled")]
    #[doc(alias = "isQuitLockEnabled")]
    pub fn quit(&self) {
        self.exit(0);
    }

    /// Calls [`quit`](Self::quit) at the first SIGINT (Ctrl-C) or SIGTERM that the program gets.
    ///
    /// Then [`about_to_quit`](Self::about_to_quit) is emitted, `exec` returns, and the program can
    /// end in good order. A second signal ends it at once, as if it had not asked for any. Of
    /// several loops that ask for it, all are ended. It lasts as long as the thread; Unix only.
    ///
    /// # Errors
    ///
    /// [`Error::SignalHandler`] when the system refuses the descriptors or handlers that it needs.
    ///
    /// # Qt
    ///
    /// There is none; Qt programs write a handler with a pipe and a `QSocketNotifier`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{CloseCode, EventLoop, WebSocket};
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// # let clients: Vec<WebSocket> = Vec::new();
    /// let event_loop = EventLoop::current();
    /// event_loop.quit_on_signals()?;
    /// event_loop.about_to_quit().connect(move |_, ()| {
    ///     clients.iter().for_each(|client| _ = client.close(CloseCode::GOING_AWAY, "bye"));
    /// });
    /// # event_loop.handle().quit();
    /// event_loop.exec();
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(unix)]
    pub fn quit_on_signals(&self) -> Result<(), Error> {
        quit_on_signals::quit_on_signals(self)
            .map_err(|source| Error::SignalHandler { source: Arc::new(source) })
    }

    /// Runs the loop until `future` completes and returns its output.
    ///
    /// Tasks that are ready then run once more: messages that were sent last are written. In a slot
    /// of a socket, the future must not wait for that socket: it hears nothing until the slot has
    /// returned (see [`NestedLoop`]). An async slot may wait for it.
    ///
    /// # Panics
    ///
    /// When too many loops run inside each other ([`set_max_nesting`](Self::set_max_nesting)). In a
    /// slot of a socket this ends the connection, as any panic does.
    pub fn run_until<T>(&self, future: impl Future<Output = T>) -> T {
        self.run(future).unwrap_or_else(|| too_deep())
    }

    /// Runs the loop until `future` completes; `None` when too many loops run inside each other.
    fn run<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut run = Run::begin(&self.state)?;
        let mut future = pin!(future);
        loop {
            if let Poll::Ready(output) = run.turn(future.as_mut()) {
                run.finish();
                return Some(output);
            }
            run.wait(self.state.timers.time_to_next());
        }
    }

    /// Runs the loop until `is_done` or the deadline.
    fn run_while(&self, deadline: Instant, is_done: &dyn Fn() -> bool) {
        let Some(mut run) = Run::begin(&self.state) else { return };
        while !is_done() {
            let _: Poll<()> = run.turn(pin!(pending()));
            let left = deadline.saturating_duration_since(Instant::now());
            if is_done() || left.is_zero() {
                return;
            }
            let next = self.state.timers.time_to_next().unwrap_or(left);
            run.wait(Some(next.min(left)));
        }
    }

    /// Sets how many loops may run inside each other, in slots of this thread; the default is 100.
    ///
    /// The outermost loop does not count. A slot of a socket that runs a loop is called again inside
    /// that loop, for the next message of another client: without a limit, clients decide how much
    /// stack the thread needs. Beyond the limit a loop is refused, which is logged:
    /// [`exec`](Self::exec) and [`NestedLoop::exec`] return -1,
    /// [`process_events`](Self::process_events) and [`wait`](Self::wait) do nothing, a
    /// [`SignalSpy`](slotwork_signals::SignalSpy) that waits returns an error, and
    /// [`run_until`](Self::run_until) panics.
    ///
    /// Slots that need much stack reach the limit earlier: all loops inside the outermost one have
    /// 10 KiB for each that is allowed, at least 1 MB in all. So the default fits into the 2 MiB of a
    /// thread, and a higher limit needs a thread with more.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: nested loops end a program when its stack is used up.
    pub fn set_max_nesting(&self, limit: usize) {
        signals::set_max_nesting(limit);
    }

    /// Returns how many loops may run inside each other, in slots of this thread.
    #[must_use]
    pub fn max_nesting(&self) -> usize {
        signals::max_nesting()
    }

    /// Starts a task on this loop; it runs while the loop runs.
    ///
    /// The task ends when the returned handle is dropped; `detach` lets it run on. A panic in it is
    /// told by [`panicked`](Self::panicked), and whoever awaits the task panics too.
    #[doc(alias = "QTcpSocket")]
    #[doc(alias = "QLocalServer")]
    #[doc(alias = "QLocalSocket")]
    #[doc(alias = "QProcess")]
    #[doc(alias = "QNetworkAccessManager")]
    #[doc(alias = "QNetworkReply")]
    #[doc(alias = "QSqlDatabase")]
    #[doc(alias = "QtConcurrent")]
    #[doc(alias = "QFutureWatcher")]
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

    /// Starts a task that catches the panics of its user's code itself.
    #[track_caller]
    pub(crate) fn spawn_guarded(future: impl Future<Output = ()> + Unpin + 'static) {
        let task = Guarded::new(future, Origin::here());
        thread_loop::executor().spawn(task).detach();
    }

    /// Ends this thread's loop before the thread does.
    pub(crate) fn end_current() {
        thread_loop::end();
    }

    /// Makes a call from the loop, in its next turn, unless `receiver` is gone by then.
    ///
    /// The receiver is held weakly and lent to the call; `()` is a receiver that never goes away.
    /// The call keeps its place among those that [`LoopHandle::post`] brings.
    ///
    /// # Qt
    ///
    /// `QMetaObject::invokeMethod(receiver, call, Qt::QueuedConnection)` in the receiver's thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::rc::Rc;
    ///
    /// use slotwork::EventLoop;
    ///
    /// let (event_loop, receiver, gone) = (EventLoop::current(), Rc::new(Cell::new(0)), Rc::new(7));
    /// event_loop.defer_to(&receiver, |receiver| receiver.set(1));
    /// event_loop.defer_to((&receiver, &gone), |(receiver, gone)| receiver.set(**gone));
    /// drop(gone);
    ///
    /// event_loop.process_events();
    /// assert_eq!(receiver.get(), 1);
    /// ```
    #[doc(alias = "invokeMethod")]
    #[doc(alias = "QMetaObject::invokeMethod")]
    #[track_caller]
    pub fn defer_to<R: Receiver>(&self, receiver: R, call: impl FnOnce(&R::Strong) + 'static) {
        let (receiver, origin) = (receiver.downgrade(), Origin::here());
        self.state.deferred.push(Box::new(move || {
            if let Some(receiver) = receiver.upgrade() {
                watched_call("call deferred", origin, || call(&receiver));
            }
        }));
        self.state.shared.post(|| thread_loop::state().deferred.call_first());
    }

    /// Sets what becomes of a panic in a call that the loop makes.
    ///
    /// The default is [`PanicPolicy::Report`].
    pub fn set_panic_policy(&self, policy: PanicPolicy) {
        self.state.panic_policy.set(policy);
    }

    /// Returns what becomes of a panic in a call that the loop makes.
    #[must_use]
    pub fn panic_policy(&self) -> PanicPolicy {
        self.state.panic_policy.get()
    }

    /// Sets how many bytes of memory the sockets of this loop may hold together.
    ///
    /// The default is 256 MiB; `None` sets no limit. It counts output that waits for peers and input
    /// that is not complete or not delivered, not what the kernel holds. A message for many sockets
    /// counts once. When a socket would exceed the budget, the one that holds most gives up: output
    /// goes by its [`OutputPolicy`](crate::OutputPolicy), and where that drops nothing, or not enough,
    /// the connection ends; for input it is closed with
    /// [`CloseCode::TRY_AGAIN_LATER`](crate::CloseCode::TRY_AGAIN_LATER), because the peer broke no
    /// rule and may come back. [`WebSocket::error_occurred`](crate::WebSocket::error_occurred) reports
    /// [`Error::MemoryBudget`](crate::Error::MemoryBudget). A lower budget takes effect when a socket
    /// is about to hold more.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: there memory grows without a limit.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::EventLoop;
    ///
    /// EventLoop::current().set_memory_budget(Some(64 * 1024 * 1024));
    /// ```
    #[doc(alias = "memory_limit")]
    pub fn set_memory_budget(&self, bytes: Option<usize>) {
        self.state.reactor.budget().set_limit(bytes);
    }

    /// Returns how many bytes of memory the sockets of this loop may hold; `None` is no limit.
    #[must_use]
    pub fn memory_budget(&self) -> Option<usize> {
        self.state.reactor.budget().limit()
    }

    /// Returns a handle that reaches this loop from any thread.
    #[must_use]
    pub fn handle(&self) -> LoopHandle {
        LoopHandle::new(Arc::clone(&self.state.shared))
    }

    /// Emitted at the end of a turn for each panic that was caught in it.
    ///
    /// A panic in a posted call, a slot or a task ends that call alone; it has been logged by then.
    /// What becomes of it besides is up to [`set_panic_policy`](Self::set_panic_policy).
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::EventLoop;
    ///
    /// let event_loop = EventLoop::current();
    /// event_loop.panicked().connect(|event_loop, panic| {
    ///     assert_eq!(panic.to_string(), "a posted call panicked: no such file");
    ///     event_loop.exit(1);
    /// });
    /// event_loop.handle().post(|| panic!("no such file"));
    ///
    /// assert_eq!(event_loop.exec(), 1);
    /// ```
    #[must_use]
    pub fn panicked(&self) -> SignalRef<'_, Self, CaughtPanic> {
        SignalRef::new(self, &self.state.panicked)
    }

    /// Emitted when the last running [`exec`](Self::exec) of this thread is about to return.
    ///
    /// What its slots send is still written. They should not wait for anything: the loop ends.
    ///
    /// # Qt
    ///
    /// `QCoreApplication::aboutToQuit`, and `QThread::finished` in other threads.
    #[doc(alias = "aboutToQuit")]
    #[doc(alias = "finished")]
    #[must_use]
    pub fn about_to_quit(&self) -> SignalRef<'_, Self, ()> {
        SignalRef::new(self, &self.state.about_to_quit)
    }

    /// Returns the deadlines of this loop.
    pub(crate) fn timers(&self) -> Rc<Timers> {
        Rc::clone(&self.state.timers)
    }

    /// Runs the loop until `exit` holds a code.
    fn exec_nested(&self, exit: &Rc<Exit>) -> i32 {
        let Some(running) = self.enter(exit) else { return REFUSED };
        self.run(running.code()).unwrap_or(REFUSED)
    }

    /// Adds a run to those of the thread, unless they are to end, or the loop has ended.
    fn enter(&self, exit: &Rc<Exit>) -> Option<Running<'_>> {
        if self.state.shared.has_ended() {
            return None;
        }
        self.state.exits.enter(exit)
    }

    fn exit_nested(&self, exit: &Exit, code: i32) {
        exit.set(Some(code));
        self.state.shared.notify();
    }

    /// Completes with the code when `exit` was called, and tells that the loop ends.
    async fn exited(&self, running: &Running<'_>) -> i32 {
        running.code().await;
        // What was queued before the end was asked for, such as the news of it, is still delivered.
        run_all("a queued slot", host::run_queue);
        let code = running.code().await;
        if running.is_last() {
            panics::catch("a slot of `about_to_quit`", || self.state.about_to_quit.emit(&()));
        }
        code
    }
}

/// A thread's loop cannot go away before its thread does.
impl Handle for EventLoop {
    type Weak = ();

    fn downgrade(&self) {}

    fn upgrade((): &()) -> Option<Self> {
        Some(Self::current())
    }
}

impl fmt::Debug for EventLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running = self.state.exits.count();
        f.debug_struct("EventLoop").field("running", &running).finish_non_exhaustive()
    }
}

#[cold]
#[expect(clippy::panic, reason = "documented: there is no output without the future's end")]
fn too_deep() -> ! {
    panic!("too many loops run inside each other in slots of this thread")
}

/// The code of a run that is refused; Qt's.
const REFUSED: i32 = -1;
