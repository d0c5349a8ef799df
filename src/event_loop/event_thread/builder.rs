//! Starting event threads: settings, slots that are connected before, the setup.

use std::fmt;
use std::sync::{Arc, mpsc};
use std::thread;

use slotwork_signals::SignalRef;
use slotwork_signals::host;

use crate::event_loop::EventLoop;
use crate::event_loop::event_thread::EventThread;
use crate::event_loop::event_thread::control::{Control, Ending};
use crate::runtime::panics;
use crate::types::error::Error;

/// An [`EventThread`] that has not started yet: its settings and signals.
///
/// For threads with a stack size, and for slots that must not miss the thread's start or end.
/// Otherwise [`EventThread::spawn`] needs no builder.
///
/// # Qt
///
/// A `QThread` before `start()`.
///
/// # Examples
///
/// ```
/// use slotwork::{EventLoop, EventThread};
///
/// # fn main() -> Result<(), slotwork::Error> {
/// let builder = EventThread::builder("worker").stack_size(4 * 1024 * 1024);
/// builder.finished().connect(|thread, ()| {
///     println!("{} has finished", thread.name());
///     EventLoop::current().quit();
/// });
/// let thread = builder.spawn(|| ())?;
///
/// thread.quit();
/// EventLoop::current().exec();
/// assert!(!thread.is_running());
/// # Ok(())
/// # }
/// ```
#[must_use = "the thread is started by `spawn`"]
pub struct EventThreadBuilder {
    thread: EventThread,
    stack_size: Option<usize>,
}

impl EventThread {
    /// Starts a thread, runs `setup` in it, and then its event loop.
    ///
    /// Returns when the setup has returned, so that its slots are connected. The setup belongs to
    /// the run of the loop: after [`EventLoop::exit`] or [`EventLoop::quit`] in it, also in a slot
    /// that it calls, the thread ends with that code when the setup returns. What the setup
    /// returns, such as a worker object, is kept in the thread and dropped when its loop has ended,
    /// before the loop's tasks and timers are. Sockets that are still open then emit
    /// [`disconnected`](crate::WebSocket::disconnected), without a closing handshake.
    ///
    /// A setup that may fail is for [`try_spawn`](Self::try_spawn): here its `Result` would be kept
    /// as the worker. For a stack size, and for slots that are connected before the thread starts,
    /// there is a [`builder`](Self::builder).
    ///
    /// # Errors
    ///
    /// [`Error::ThreadStart`] when the system refuses a thread, and [`Error::ThreadPanicked`] when
    /// the setup panics.
    ///
    /// # Qt
    ///
    /// `QThread::start()` and `QObject::moveToThread()`. The setup is what a slot of
    /// `QThread::started` does, or `run()` before `exec()`.
    #[doc(alias = "start")]
    #[doc(alias = "moveToThread")]
    pub fn spawn<W: 'static>(
        name: impl Into<String>,
        setup: impl FnOnce() -> W + Send + 'static,
    ) -> Result<Self, Error> {
        Self::builder(name).spawn(setup)
    }

    /// Starts a thread as [`spawn`](Self::spawn) does, with a setup that may fail.
    ///
    /// When the setup returns an error, the thread ends, and the error is returned when it has
    /// ended.
    ///
    /// # Errors
    ///
    /// The error of the setup, and those of [`spawn`](Self::spawn), converted to its type.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: `QThread::run()` reports failures with a signal of the program.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    ///
    /// use slotwork::{Error, EventThread, SslMode, WebSocketServer};
    ///
    /// let thread = EventThread::try_spawn("server", || -> Result<_, Error> {
    ///     let server = WebSocketServer::new("Server", SslMode::NonSecure);
    ///     // An address of documentation, which no machine has (RFC 5737).
    ///     server.listen(Ipv4Addr::new(192, 0, 2, 1), 80)?;
    ///     Ok(server)
    /// });
    /// assert!(matches!(thread, Err(Error::Listen { .. })));
    /// ```
    #[doc(alias = "start")]
    pub fn try_spawn<W: 'static, E: From<Error> + Send + 'static>(
        name: impl Into<String>,
        setup: impl FnOnce() -> Result<W, E> + Send + 'static,
    ) -> Result<Self, E> {
        Self::builder(name).try_spawn(setup)
    }

    /// Returns a thread that has not started yet, for its settings and signals.
    ///
    /// # Qt
    ///
    /// The constructor of `QThread`, and `setObjectName()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::EventThread;
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// let builder = EventThread::builder("worker");
    /// builder.finished().connect(|thread, ()| println!("{} has finished", thread.name()));
    /// let _thread = builder.spawn(|| ())?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "setObjectName")]
    pub fn builder(name: impl Into<String>) -> EventThreadBuilder {
        let control = Arc::new(Control::new(name.into()));
        EventThreadBuilder { thread: Self::new(control), stack_size: None }
    }
}

impl EventThreadBuilder {
    /// Sets the size of the thread's stack, in bytes.
    ///
    /// The default is that of `std::thread`: 2 MiB, which the environment variable
    /// `RUST_MIN_STACK` changes. The system rounds it up to its minimum. A slot of a message takes
    /// 8 KiB in debug builds, one inside a TLS handshake 130 KiB. Loops inside slots are refused
    /// when they have used half of the stack ([`EventLoop::set_max_nesting`]).
    ///
    /// # Qt
    ///
    /// `QThread::setStackSize()`, where 0 is the default.
    #[doc(alias = "setStackSize")]
    #[doc(alias = "stackSize")]
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// Starts the thread: see [`EventThread::spawn`].
    ///
    /// # Errors
    ///
    /// [`Error::ThreadStart`] when the system refuses a thread, and [`Error::ThreadPanicked`] when
    /// the setup panics.
    #[doc(alias = "start")]
    pub fn spawn<W: 'static>(
        self,
        setup: impl FnOnce() -> W + Send + 'static,
    ) -> Result<EventThread, Error> {
        self.try_spawn(|| Ok(setup()))
    }

    /// Starts the thread with a setup that may fail: see [`EventThread::try_spawn`].
    ///
    /// # Errors
    ///
    /// The error of the setup, and those of [`spawn`](Self::spawn), converted to its type.
    #[doc(alias = "start")]
    pub fn try_spawn<W: 'static, E: From<Error> + Send + 'static>(
        self,
        setup: impl FnOnce() -> Result<W, E> + Send + 'static,
    ) -> Result<EventThread, E> {
        let Self { thread, stack_size } = self;
        let control = thread.control();
        let (sender, receiver) = mpsc::channel();
        let run = {
            let control = Arc::clone(control);
            move || {
                let ending = Ending(control);
                host::limit_nesting_stack(stack_size.map(|bytes| bytes / 2));
                let code = run(setup, |outcome| {
                    if outcome.is_ok() {
                        announce_start(&ending.0);
                    }
                    // The receiver waits for it.
                    let _ = sender.send(outcome);
                });
                drop(ending);
                code
            }
        };
        let mut builder = thread::Builder::new().name(control.name.clone());
        if let Some(bytes) = stack_size {
            builder = builder.stack_size(bytes);
        }
        let started = builder.spawn(run).map_err(|source| Error::ThreadStart {
            name: control.name.clone(),
            source: Arc::new(source),
        })?;
        control.set_thread(started);
        match receiver.recv() {
            Ok(Ok(())) => Ok(thread),
            Ok(Err(error)) => {
                // It has ended but for its thread-local values; a panic of theirs is not the error.
                let _ = control.join();
                Err(error)
            }
            // The setup panicked.
            Err(_) => Err(thread.join_panicked().into()),
        }
    }

    /// Emitted when the setup has returned, before [`spawn`](Self::spawn) does.
    ///
    /// The thread itself emits it: slots of other threads are queued there. When the setup fails or
    /// panics, neither this nor [`finished`](Self::finished) is emitted.
    ///
    /// # Qt
    ///
    /// `QThread::started`. The thread's own slot of it is the setup.
    #[must_use]
    pub fn started(&self) -> SignalRef<'_, EventThread, ()> {
        SignalRef::new(&self.thread, &self.thread.control().started)
    }

    /// Emitted when the thread has ended: see [`EventThread::finished`].
    ///
    /// A slot that is connected here misses no end, however soon the thread ends.
    ///
    /// # Qt
    ///
    /// `QThread::finished`.
    #[must_use]
    pub fn finished(&self) -> SignalRef<'_, EventThread, ()> {
        self.thread.finished()
    }
}

impl fmt::Debug for EventThreadBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventThreadBuilder")
            .field("name", &self.thread.name())
            .field("stack_size", &self.stack_size)
            .finish_non_exhaustive()
    }
}

/// Runs the setup and the loop of this thread, and returns the loop's code.
fn run<W, E>(setup: impl FnOnce() -> Result<W, E>, report: impl FnOnce(Result<(), E>)) -> i32 {
    let event_loop = EventLoop::current();
    let (worker, code) = event_loop.exec_after(|| match setup() {
        Ok(worker) => {
            report(Ok(()));
            Some(worker)
        }
        Err(error) => {
            event_loop.quit();
            report(Err(error));
            None
        }
    });
    drop(worker);
    EventLoop::end_current();
    code
}

/// Makes the thread's loop known, and emits `started`.
fn announce_start(control: &Control) {
    let _ = control.event_loop.set(EventLoop::current().handle());
    panics::catch("a slot of `started`", || control.started.emit(&()));
}
