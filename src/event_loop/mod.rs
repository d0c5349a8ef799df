//! The event loop of a thread: tasks, posted calls, queued slots and timers.
//!
//! A turn runs all that is ready once, then polls the reactor: without waiting when something became
//! ready meanwhile, else until the next deadline. All of it happens on the loop's own thread, but for
//! two calls of clients that block, the look-up of a host name and the loading of the system's trust
//! store: they run in smol's pool of blocking threads.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use slotwork_signals::{Handle, SignalRef};

use crate::event_loop::state::State;
use crate::runtime::timers::Timers;

// In this order the methods are on the page of `EventLoop`; those of this file are its last.
mod thread_loop;

mod exec;
mod tasks;

mod deferred;
mod process_events;

pub(crate) mod event_thread;
mod exec_async;
mod exits;
mod handle;
mod nested_loop;
mod panic_policy;
mod quit_on_signals;
mod receiver_tasks;
mod runner;
mod shared;
mod sleep;
#[cfg(unix)]
pub(crate) mod socket_notifier;
mod state;
mod stats;
pub(crate) mod timer;
mod turn_clock;

pub use handle::LoopHandle;
pub(crate) use handle::WeakLoopHandle;
pub use nested_loop::NestedLoop;
pub use panic_policy::{CaughtPanic, PanicPolicy};
pub(crate) use tasks::next_turn;

/// The event loop of a thread.
///
/// Each thread has one, made at first use. It runs the tasks, posted calls, queued slots and
/// timers of its thread, and the I/O of the servers and sockets that live there, while one of
/// [`exec`](Self::exec), [`run_until`](Self::run_until) and
/// [`process_events`](Self::process_events) runs.
///
/// # Work that takes long
///
/// A slot, a call or a task that computes or waits blocks its thread; an async slot or a task does
/// so between two `.await`s. Debug builds log each slot, posted or deferred call, single shot and
/// poll of an async slot or task that takes longer than 50 ms, with the line in which it was
/// connected, posted or spawned. Such work belongs in another thread, from which its result comes
/// back: `smol::unblock` runs a call on a thread for blocking calls, and
/// [`EventThread`](crate::EventThread) is a thread for objects that do nothing else.
///
/// ```
/// use slotwork::EventLoop;
///
/// let event_loop = EventLoop::current();
/// event_loop.spawn(async {
///     let text = smol::unblock(|| std::fs::read_to_string("/etc/hostname")).await;
///     // Back on the loop's thread.
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
/// emit their results, or run this loop inside tokio with [`exec_async`](Self::exec_async).
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
    /// Sets the policy for panics in the calls that the loop makes.
    ///
    /// The default is [`PanicPolicy::Report`].
    ///
    /// # Examples
    ///
    /// For tests and for programs that restart:
    ///
    /// ```
    /// use slotwork::{EventLoop, PanicPolicy};
    ///
    /// // A panic in a slot leaves `exec`, and so ends the program.
    /// EventLoop::current().set_panic_policy(PanicPolicy::Propagate);
    /// ```
    pub fn set_panic_policy(&self, policy: PanicPolicy) {
        self.state.panics.policy.set(policy);
    }

    /// Returns the policy for panics in the calls that the loop makes.
    #[must_use]
    pub fn panic_policy(&self) -> PanicPolicy {
        self.state.panics.policy.get()
    }

    /// Sets the memory budget of all sockets of this loop, in bytes.
    ///
    /// The default is 256 MiB; `None` sets no limit. It counts unsent output, and input that is not
    /// complete or not delivered, not what the kernel holds. A message for many sockets counts
    /// once. When a socket would exceed the budget, the one that holds most releases memory: output
    /// by its [`OutputPolicy`](crate::OutputPolicy), and where that drops nothing, or not enough,
    /// the connection ends; for input it is closed with
    /// [`CloseCode::TRY_AGAIN_LATER`](crate::CloseCode::TRY_AGAIN_LATER), because the peer broke no
    /// rule and may come back. [`WebSocket::error_occurred`](crate::WebSocket::error_occurred)
    /// reports [`Error::MemoryBudget`](crate::Error::MemoryBudget). A lower budget takes effect
    /// when a socket is about to hold more.
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

    /// Returns the memory budget of the sockets in bytes; `None` is no limit.
    #[must_use]
    pub fn memory_budget(&self) -> Option<usize> {
        self.state.reactor.budget().limit()
    }

    /// Returns the handle of this loop, for all threads.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use slotwork::{EventLoop, LoopHandle};
    ///
    /// /// A library that calls back in threads of its own.
    /// fn on_result(gui: &LoopHandle, result: Arc<str>) {
    ///     gui.post(move || println!("on the thread of the loop: {result}"));
    /// }
    ///
    /// on_result(&EventLoop::current().handle(), "done".into());
    /// EventLoop::current().process_events();
    /// ```
    #[must_use]
    pub fn handle(&self) -> LoopHandle {
        LoopHandle::new(Arc::clone(&self.state.shared))
    }

    /// Returns whether long work in this thread is requested to end early.
    ///
    /// Requested by [`EventThread::request_interruption`](crate::EventThread), the drop of an
    /// `EventThread`, or [`LoopHandle::request_interruption`]. Work that takes long asks between its
    /// steps.
    ///
    /// # Qt
    ///
    /// `QThread::currentThread()->isInterruptionRequested()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::EventLoop;
    ///
    /// /// Sums in steps, and ends early when the thread is to end.
    /// fn sum(numbers: &[u64]) -> Option<u64> {
    ///     let event_loop = EventLoop::current();
    ///     let mut sum = 0;
    ///     for step in numbers.chunks(1000) {
    ///         if event_loop.is_interruption_requested() {
    ///             return None;
    ///         }
    ///         sum += step.iter().sum::<u64>();
    ///     }
    ///     Some(sum)
    /// }
    /// # assert_eq!(sum(&[1, 2]), Some(3));
    /// ```
    #[doc(alias = "isInterruptionRequested")]
    #[must_use]
    pub fn is_interruption_requested(&self) -> bool {
        self.state.shared.is_interruption_requested()
    }

    /// Emitted at the end of a turn for each panic that was caught in it.
    ///
    /// A panic in a posted call, a slot or a task ends that call alone; it has been logged by then.
    /// Whether it then leaves the loop is up to [`set_panic_policy`](Self::set_panic_policy).
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
        SignalRef::new(self, &self.state.panics.panicked)
    }

    /// Returns the deadlines of this loop.
    pub(crate) fn timers(&self) -> Rc<Timers> {
        Rc::clone(&self.state.timers)
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
