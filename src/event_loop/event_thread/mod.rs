//! Threads with an event loop.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, mpsc};
use std::thread::{Builder, JoinHandle};

use log::error;

use crate::event_loop::{EventLoop, LoopHandle};
use crate::runtime::panics::message_of;
use crate::types::error::Error;

/// A thread that runs an event loop, for objects that work in it.
///
/// What its setup makes lives in the thread, and so do the slots that the setup connects: signals
/// of other threads reach them through the thread's queue. Dropping the handle ends the thread and
/// waits for it.
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
    name: String,
    event_loop: LoopHandle,
    thread: Option<JoinHandle<i32>>,
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
    /// # Errors
    ///
    /// [`Error::ThreadStart`] when the system refuses a thread, and [`Error::ThreadPanicked`] when
    /// the setup panics.
    ///
    /// # Qt
    ///
    /// `QThread::start()` and `QObject::moveToThread()`. The setup is what a slot of
    /// `QThread::started` does, or `run()` before `exec()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use slotwork::signals::Signal;
    /// use slotwork::EventThread;
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// let operate = Arc::new(Signal::<str>::new());
    /// let operating = Arc::clone(&operate);
    /// let _thread = EventThread::spawn("worker", move || {
    ///     operating.connect(|job| println!("working on {job}"));
    /// })?;
    ///
    /// operate.emit("a picture");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "started")]
    #[doc(alias = "start")]
    #[doc(alias = "moveToThread")]
    pub fn spawn<W: 'static>(
        name: impl Into<String>,
        setup: impl FnOnce() -> W + Send + 'static,
    ) -> Result<Self, Error> {
        let mut name: String = name.into();
        // The system's thread names end at a NUL.
        name.retain(|character| character != '\0');
        let (sender, started) = mpsc::channel();
        let run = move || {
            let event_loop = EventLoop::current();
            let (worker, code) = event_loop.exec_after(|| {
                let worker = setup();
                // The receiver waits for it.
                let _ = sender.send(event_loop.handle());
                worker
            });
            drop(worker);
            EventLoop::end_current();
            code
        };
        let thread = Builder::new().name(name.clone()).spawn(run).map_err(|source| {
            Error::ThreadStart { name: name.clone(), source: Arc::new(source) }
        })?;
        match started.recv() {
            Ok(event_loop) => Ok(Self { name, event_loop, thread: Some(thread) }),
            // The setup panicked.
            Err(_) => Err(panicked(name, thread.join().err())),
        }
    }

    /// Ends the thread's loop with code 0, behind the calls that were posted before.
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
        self.event_loop.quit();
    }

    /// Waits until the thread has ended and returns the code of its loop.
    ///
    /// It does not end the thread: [`quit`](Self::quit) does.
    ///
    /// # Errors
    ///
    /// [`Error::ThreadPanicked`] when a panic ended the thread, and [`Error::ThreadJoinsItself`]
    /// when the thread would wait for itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{EventLoop, EventThread};
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// let thread = EventThread::spawn("worker", || ())?;
    /// thread.handle().post(|| EventLoop::current().exit(3));
    ///
    /// assert_eq!(thread.wait()?, 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait(mut self) -> Result<i32, Error> {
        self.join()
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
    pub fn handle(&self) -> LoopHandle {
        self.event_loop.clone()
    }

    /// Returns the name of the thread.
    #[doc(alias = "setObjectName")]
    #[doc(alias = "objectName")]
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns whether the thread has not ended yet.
    #[doc(alias = "isRunning")]
    #[doc(alias = "isFinished")]
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    fn join(&mut self) -> Result<i32, Error> {
        let Some(thread) = self.thread.take() else { return Ok(0) };
        let name = std::mem::take(&mut self.name);
        if self.event_loop.is_current() {
            return Err(Error::ThreadJoinsItself { name });
        }
        thread.join().map_err(|payload| panicked(name, Some(payload)))
    }
}

impl Drop for EventThread {
    /// Ends the thread and waits for it; in the thread itself it does not wait.
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.quit();
            match self.join() {
                Ok(_) | Err(Error::ThreadJoinsItself { .. }) => {}
                Err(error) => error!("{error}"),
            }
        }
    }
}

impl fmt::Debug for EventThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_running = self.is_running();
        f.debug_struct("EventThread")
            .field("name", &self.name)
            .field("is_running", &is_running)
            .finish_non_exhaustive()
    }
}

fn panicked(name: String, payload: Option<Box<dyn Any + Send>>) -> Error {
    let payload = payload.unwrap_or_else(|| Box::new("it has ended"));
    Error::ThreadPanicked { name, message: message_of(&*payload) }
}
