//! Threads with an event loop.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use log::error;
use slotwork_signals::{Handle, SharedSender, SignalRef};

use crate::event_loop::LoopHandle;
use crate::event_loop::event_thread::control::{Control, Outcome};
use crate::types::error::Error;

pub(crate) mod builder;
mod control;

/// A thread that runs an event loop, for objects that work in it.
///
/// What its setup makes lives in the thread, and so do the slots that the setup connects: signals
/// of other threads reach them through the thread's queue.
///
/// Dropping it requests the interruption of long work, ends the loop, and waits for the thread. That
/// is up to the program's own `EventThread`; the one that slots of [`finished`](Self::finished) get,
/// and that [`WeakEventThread::upgrade`] returns, ends nothing.
///
/// # Qt
///
/// `QThread` with a worker object that was moved to it. The worker is built in its thread instead,
/// so that it need not be `Send`.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
/// use std::rc::Rc;
/// use std::sync::Arc;
///
/// use slotwork::signals::Signal;
/// use slotwork::{EventLoop, EventThread};
///
/// # fn main() -> Result<(), slotwork::Error> {
/// let (operate, result_ready) = (Arc::new(Signal::<u32>::new()), Arc::new(Signal::<u32>::new()));
/// result_ready.connect(|result| EventLoop::current().exit(*result as i32));
///
/// let operating = Arc::clone(&operate);
/// let thread = EventThread::spawn("worker", move || {
///     let sum = Rc::new(Cell::new(0));
///     operating.connect_to(&sum, move |sum, number| {
///         sum.set(sum.get() + number);
///         result_ready.emit(&sum.get());
///     });
///     sum
/// })?;
///
/// operate.emit(&7);
/// assert_eq!(EventLoop::current().exec(), 7);
/// thread.quit();
/// assert_eq!(thread.wait()?, 0);
/// # Ok(())
/// # }
/// ```
pub struct EventThread {
    control: Arc<Control>,
    /// Whether its drop ends the thread.
    is_owner: bool,
}

impl EventThread {
    /// Makes the owner of a thread that is about to start.
    fn new(control: Arc<Control>) -> Self {
        Self { control, is_owner: true }
    }

    /// Ends the thread's loop with code 0, behind the calls that were posted before.
    ///
    /// # Qt
    ///
    /// `QThread::quit()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{EventLoop, EventThread};
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// let thread = EventThread::spawn("worker", || {
    ///     EventLoop::current().about_to_quit().connect(|_event_loop, ()| println!("saving"));
    /// })?;
    ///
    /// thread.quit();
    /// assert_eq!(thread.wait()?, 0);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "exit")]
    pub fn quit(&self) {
        if let Some(event_loop) = self.control.event_loop.get() {
            event_loop.quit();
        }
    }

    /// Requests that long work in the thread ends early.
    ///
    /// The work asks [`EventLoop::is_interruption_requested`](crate::EventLoop) between its steps.
    /// The loop does not end: [`quit`](Self::quit) ends it.
    ///
    /// # Qt
    ///
    /// `QThread::requestInterruption()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{EventLoop, EventThread};
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// let thread = EventThread::spawn("worker", || ())?;
    /// thread.handle().post(|| {
    ///     while !EventLoop::current().is_interruption_requested() {
    ///         // ... one step of the work ...
    ///     }
    /// });
    ///
    /// thread.request_interruption();
    /// thread.quit();
    /// assert_eq!(thread.wait()?, 0);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "requestInterruption")]
    pub fn request_interruption(&self) {
        if let Some(event_loop) = self.control.event_loop.get() {
            event_loop.request_interruption();
        }
    }

    /// Returns whether [`request_interruption`](Self::request_interruption) was called.
    ///
    /// # Qt
    ///
    /// `QThread::isInterruptionRequested()`, which is false again when the thread has finished.
    #[doc(alias = "isInterruptionRequested")]
    #[must_use]
    pub fn is_interruption_requested(&self) -> bool {
        self.control.event_loop.get().is_some_and(LoopHandle::is_interruption_requested)
    }

    /// Waits until the thread has ended and returns the code of its loop.
    ///
    /// It does not end the thread: [`quit`](Self::quit) does. Blocks the calling thread, whose loop
    /// does not run meanwhile; a slot of [`finished`](Self::finished) need not wait.
    ///
    /// # Errors
    ///
    /// [`Error::ThreadPanicked`] when a panic ended the thread, and [`Error::ThreadJoinsItself`]
    /// when the thread would wait for itself.
    ///
    /// # Qt
    ///
    /// `QThread::wait()`.
    pub fn wait(mut self) -> Result<i32, Error> {
        self.is_owner = false;
        self.check_other_thread()?;
        self.code_of(self.control.join())
    }

    /// Waits as [`wait`](Self::wait) does, for `timeout` at most.
    ///
    /// The thread comes back as the error when it has not ended by then. It still runs, and dropping
    /// it waits without a timeout. 0 does not wait. Blocks the calling thread.
    ///
    /// # Errors
    ///
    /// The outer error is the thread itself, the inner ones are those of [`wait`](Self::wait).
    ///
    /// # Qt
    ///
    /// `QThread::wait(deadline)`, which returned `false` for the outer error.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use slotwork::EventThread;
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// let thread = EventThread::spawn("worker", || ())?;
    /// thread.quit();
    /// match thread.wait_timeout(Duration::from_secs(5)) {
    ///     Ok(code) => assert_eq!(code?, 0),
    ///     Err(thread) => println!("{} is still busy", thread.name()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "wait")]
    #[doc(alias = "QThread::wait")]
    pub fn wait_timeout(mut self, timeout: Duration) -> Result<Result<i32, Error>, Self> {
        if let Err(error) = self.check_other_thread() {
            self.is_owner = false;
            return Ok(Err(error));
        }
        match self.control.join_within(timeout) {
            Some(outcome) => {
                self.is_owner = false;
                Ok(self.code_of(outcome))
            }
            None => Err(self),
        }
    }

    /// Returns the handle of the thread's loop, for all threads.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::thread;
    ///
    /// use slotwork::{EventLoop, EventThread};
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// let worker = EventThread::spawn("worker", || ())?;
    /// let back = EventLoop::current().handle();
    ///
    /// worker.handle().post(move || {
    ///     assert_eq!(thread::current().name(), Some("worker"));
    ///     back.post(|| EventLoop::current().quit());
    /// });
    /// EventLoop::current().exec();
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    #[expect(clippy::expect_used, clippy::missing_panics_doc, reason = "`spawn` has set it")]
    pub fn handle(&self) -> LoopHandle {
        self.control.event_loop.get().expect("a thread that has started").clone()
    }

    /// Returns the name of the thread.
    #[doc(alias = "objectName")]
    #[must_use]
    pub fn name(&self) -> &str {
        &self.control.name
    }

    /// Returns whether the thread has not ended yet.
    ///
    /// # Qt
    ///
    /// `QThread::isRunning()`, and the opposite of `isFinished()`.
    #[doc(alias = "isRunning")]
    #[doc(alias = "isFinished")]
    #[must_use]
    pub fn is_running(&self) -> bool {
        !self.control.has_ended()
    }

    /// Emitted when the thread has ended, and everything in it is dropped.
    ///
    /// In a slot of it, [`wait`](Self::wait) returns the code at once. A panic that ended the thread
    /// is an end too. The slots run in the threads that connected them; a thread for blocking calls,
    /// of `smol::unblock`, emits the signal, and runs its direct slots. A slot is not called when it
    /// is connected after the thread's end: where the thread may end by itself, connect to
    /// [`EventThreadBuilder::finished`](crate::EventThreadBuilder::finished). Afterwards the slots
    /// are disconnected.
    ///
    /// The [`EventThread`] that slots get is not the program's own: dropping it ends nothing.
    ///
    /// # Qt
    ///
    /// `QThread::finished`, which is emitted in the thread shortly before its end. What the setup
    /// returned needs no `deleteLater`. Slots of the thread itself have
    /// [`EventLoop::about_to_quit`](crate::EventLoop::about_to_quit).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::{Cell, RefCell};
    /// use std::rc::Rc;
    ///
    /// use slotwork::{Error, EventLoop, EventThread};
    ///
    /// #[derive(Default)]
    /// struct Controller {
    ///     worker_thread: RefCell<Option<EventThread>>,
    ///     code: Cell<Option<i32>>,
    /// }
    ///
    /// impl Controller {
    ///     fn start(self: &Rc<Self>) -> Result<(), Error> {
    ///         let builder = EventThread::builder("worker");
    ///         builder.finished().connect_to(self, Self::on_finished);
    ///         self.worker_thread.replace(Some(builder.spawn(|| EventLoop::current().exit(7))?));
    ///         Ok(())
    ///     }
    ///
    ///     fn on_finished(self: &Rc<Self>, _thread: &EventThread, (): &()) {
    ///         let thread = self.worker_thread.take();
    ///         self.code.set(thread.and_then(|thread| thread.wait().ok()));
    ///         EventLoop::current().quit();
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Error> {
    /// let controller = Rc::new(Controller::default());
    /// controller.start()?;
    /// EventLoop::current().exec();
    /// assert_eq!(controller.code.get(), Some(7));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn finished(&self) -> SignalRef<'_, Self, ()> {
        SignalRef::new(self, &self.control.finished)
    }

    /// Lets the thread run on without an owner.
    pub(crate) fn release(mut self) {
        self.is_owner = false;
    }

    fn control(&self) -> &Arc<Control> {
        &self.control
    }

    fn check_other_thread(&self) -> Result<(), Error> {
        if self.control.event_loop.get().is_some_and(LoopHandle::is_current) {
            return Err(Error::ThreadJoinsItself { name: self.control.name.clone() });
        }
        Ok(())
    }

    /// Joins a thread with a setup that panicked.
    fn join_panicked(&self) -> Error {
        let message = self.control.join().err().unwrap_or_else(|| "it has ended".to_owned());
        Error::ThreadPanicked { name: self.control.name.clone(), message }
    }

    fn code_of(&self, outcome: Outcome) -> Result<i32, Error> {
        outcome
            .map_err(|message| Error::ThreadPanicked { name: self.control.name.clone(), message })
    }
}

impl Drop for EventThread {
    /// Ends the thread and waits for it; in the thread itself it does not wait.
    fn drop(&mut self) {
        if !self.is_owner || self.control.event_loop.get().is_none() {
            return;
        }
        self.request_interruption();
        self.quit();
        if self.check_other_thread().is_ok()
            && let Err(error) = self.code_of(self.control.join())
        {
            error!("{error}");
        }
    }
}

impl Handle for EventThread {
    type Weak = WeakEventThread;

    fn downgrade(&self) -> WeakEventThread {
        WeakEventThread { control: Arc::downgrade(&self.control) }
    }

    fn upgrade(weak: &WeakEventThread) -> Option<Self> {
        weak.upgrade()
    }

    fn shared(&self) -> Option<SharedSender> {
        Some(SharedSender::new(self))
    }
}

impl fmt::Debug for EventThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_running = self.is_running();
        f.debug_struct("EventThread")
            .field("name", &self.name())
            .field("is_running", &is_running)
            .finish_non_exhaustive()
    }
}

/// A handle that does not keep its [`EventThread`] running.
///
/// # Qt
///
/// `QPointer` to a `QThread`.
#[derive(Clone)]
pub struct WeakEventThread {
    control: Weak<Control>,
}

impl WeakEventThread {
    /// Returns the thread, unless it has ended and its handles are dropped.
    ///
    /// Dropping what this returns ends nothing: the thread belongs to the program's own
    /// [`EventThread`].
    #[must_use]
    pub fn upgrade(&self) -> Option<EventThread> {
        Some(EventThread { control: self.control.upgrade()?, is_owner: false })
    }
}

impl fmt::Debug for WeakEventThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakEventThread").finish_non_exhaustive()
    }
}
