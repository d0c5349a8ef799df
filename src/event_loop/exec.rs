//! Running the loop until `exit`, or until a future completes.

use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use slotwork_signals as signals;
use slotwork_signals::SignalRef;
use slotwork_signals::host;

use crate::event_loop::EventLoop;
use crate::event_loop::exits::{Exit, Running};
use crate::event_loop::thread_loop::{Run, run_all};
use crate::runtime::panics;

impl EventLoop {
    /// Runs the loop until [`exit`](Self::exit) and returns its code.
    ///
    /// May be called again afterwards. A loop inside a slot, which ends by itself, is a
    /// [`NestedLoop`](crate::NestedLoop). Between a call of `exit` or [`quit`](Self::quit) and the
    /// end of what it ends, no other run begins: the code is -1 at once, as it is inside too many
    /// loops ([`set_max_nesting`](Self::set_max_nesting)) and when the thread's loop has ended.
    ///
    /// Calls and queued slots that were queued before the end was noticed are still run.
    ///
    /// # Qt
    ///
    /// `QCoreApplication::exec()` and `QThread::exec()`.
    ///
    /// # Examples
    ///
    /// The end of a `main`, as in Qt:
    ///
    /// ```no_run
    /// use std::process;
    ///
    /// use slotwork::{EventLoop, HostAddress, SslMode, WebSocketServer};
    ///
    /// fn main() -> Result<(), slotwork::Error> {
    ///     let server = WebSocketServer::new("Echo Server", SslMode::NonSecure);
    ///     server.listen(HostAddress::LocalHost, 1234)?;
    ///
    ///     let code = EventLoop::current().exec();
    ///     process::exit(code);
    /// }
    /// ```
    #[expect(clippy::must_use_candidate, reason = "many programs have no use for the code")]
    pub fn exec(&self) -> i32 {
        self.exec_after(|| ()).1
    }

    /// Makes a call, and then runs the loop as `exec` does, unless the call ended it.
    pub(crate) fn exec_after<T>(&self, call: impl FnOnce() -> T) -> (T, i32) {
        let exit = Rc::default();
        let running = self.enter(&exit);
        let outcome = call();
        let code = running.and_then(|running| self.run(self.exited(&running)));
        (outcome, code.unwrap_or(REFUSED))
    }

    /// Ends every running [`exec`](Self::exec) of this thread with `code`.
    ///
    /// They end after the call that runs now. When called several times before they end, the last
    /// code counts. Does nothing when the loop does not run.
    ///
    /// # Qt
    ///
    /// `QCoreApplication::exit()` and `QThread::exit()`. As with the former, a call before `exec`
    /// has no effect; as with the latter, one in the setup of an
    /// [`EventThread`](crate::EventThread) ends the thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{EventLoop, WebSocket};
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// let socket = WebSocket::new();
    /// socket.disconnected().connect(|socket, ()| {
    ///     let code = if socket.error().is_some() { 1 } else { 0 };
    ///     EventLoop::current().exit(code);
    /// });
    ///
    /// socket.open("ws://127.0.0.1:9")?;
    /// assert_eq!(EventLoop::current().exec(), 1);
    /// # Ok(())
    /// # }
    /// ```
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
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use slotwork::{EventLoop, Timer};
    ///
    /// Timer::single_shot(Duration::from_millis(1), || EventLoop::current().quit());
    ///
    /// assert_eq!(EventLoop::current().exec(), 0);
    /// ```
    #[doc(alias = "QEventLoopLocker")]
    #[doc(alias = "setQuitLockEnabled")]
    #[doc(alias = "isQuitLockEnabled")]
    pub fn quit(&self) {
        self.exit(0);
    }

    /// Runs the loop until `future` completes and returns its output.
    ///
    /// Tasks that are ready then run once more: messages that were sent last are written. In a slot
    /// of a socket, the future must not wait for that socket, which receives nothing until the slot
    /// has returned (see [`NestedLoop`](crate::NestedLoop)). An async slot may wait for it.
    ///
    /// # Panics
    ///
    /// When too many loops run inside each other ([`set_max_nesting`](Self::set_max_nesting)). In a
    /// slot of a socket this ends the connection, as any panic does.
    ///
    /// # Examples
    ///
    /// Waits for one emission of a signal:
    ///
    /// ```
    /// use slotwork::{EventLoop, HostAddress, SslMode, WebSocket, WebSocketServer};
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// let server = WebSocketServer::new("Server", SslMode::NonSecure);
    /// server.listen(HostAddress::LocalHost, 0)?;
    /// let socket = WebSocket::new();
    /// let connected = socket.connected().next();
    /// socket.open(server.server_url())?;
    ///
    /// let is_connected = EventLoop::current().run_until(connected).is_some();
    /// assert!(is_connected && socket.is_valid());
    /// # Ok(())
    /// # }
    /// ```
    pub fn run_until<T>(&self, future: impl Future<Output = T>) -> T {
        self.run(future).unwrap_or_else(|| too_deep())
    }

    /// Emitted when the last [`exec`](Self::exec) of this thread is about to return.
    ///
    /// Messages that its slots send are still written. They should not wait for anything: the loop
    /// ends.
    ///
    /// # Qt
    ///
    /// `QCoreApplication::aboutToQuit`, and `QThread::finished` in other threads.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::EventLoop;
    ///
    /// let event_loop = EventLoop::current();
    /// event_loop.about_to_quit().connect(|_event_loop, ()| println!("settings are saved"));
    /// # event_loop.handle().quit();
    /// event_loop.exec();
    /// ```
    #[doc(alias = "aboutToQuit")]
    #[doc(alias = "finished")]
    #[must_use]
    pub fn about_to_quit(&self) -> SignalRef<'_, Self, ()> {
        SignalRef::new(self, &self.state.about_to_quit)
    }

    /// Sets how many loops may run inside each other, in slots of this thread.
    ///
    /// The default is 100. The outermost loop does not count. A slot of a socket that runs a loop
    /// is called again inside that loop, for the next message of another client: without a limit,
    /// clients decide how much stack the thread needs. Beyond the limit a loop is refused, which is
    /// logged: [`exec`](Self::exec) and [`NestedLoop::exec`](crate::NestedLoop::exec) return -1,
    /// [`process_events`](Self::process_events), [`wait`](Self::wait) and
    /// [`wait_until`](Self::wait_until) run nothing, a [`SignalSpy`](slotwork_signals::SignalSpy) that
    /// waits returns an error, and [`run_until`](Self::run_until) panics.
    ///
    /// Slots that need much stack reach the limit earlier: all loops inside the outermost one have
    /// 10 KiB for each that is allowed, at least 1 MB in all. So the default fits into the 2 MiB of
    /// a thread, and a higher limit needs a thread with more.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: nested loops end a program when its stack is used up.
    ///
    /// # Examples
    ///
    /// A thread in which up to 1000 slots wait in loops of their own:
    ///
    /// ```
    /// use std::thread;
    ///
    /// use slotwork::EventLoop;
    ///
    /// let thread = thread::Builder::new().stack_size(16 * 1024 * 1024).spawn(|| {
    ///     EventLoop::current().set_max_nesting(1000);
    ///     // ...
    /// })?;
    /// # thread.join().unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_max_nesting(&self, limit: usize) {
        signals::set_max_nesting(limit);
    }

    /// Returns how many loops may run inside each other, in slots of this thread.
    #[must_use]
    pub fn max_nesting(&self) -> usize {
        signals::max_nesting()
    }

    /// Returns whether the runs of this thread are to end.
    pub(crate) fn is_quitting(&self) -> bool {
        self.state.exits.is_quitting()
    }

    /// Runs the loop until `future` completes; `None` when the run is refused.
    fn run<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut run = Run::begin(&self.state)?;
        let mut future = pin!(future);
        loop {
            if let Poll::Ready(output) = run.turn(future.as_mut()) {
                run.finish();
                return Some(output);
            }
            run.wait(self.state.timers.next());
        }
    }

    /// Runs the loop until `exit` holds a code.
    pub(super) fn exec_nested(&self, exit: &Rc<Exit>) -> i32 {
        let Some(running) = self.enter(exit) else { return REFUSED };
        self.run(running.code()).unwrap_or(REFUSED)
    }

    pub(super) fn exit_nested(&self, exit: &Exit, code: i32) {
        exit.set(Some(code));
        self.state.shared.notify();
    }

    /// Adds a run to those of the thread, unless they are to end or the loop ended.
    pub(super) fn enter(&self, exit: &Rc<Exit>) -> Option<Running<'_>> {
        if self.state.shared.has_ended() {
            return None;
        }
        self.state.exits.enter(exit)
    }

    /// Completes with the code of `exit`; emits `about_to_quit` in the last run.
    pub(super) async fn exited(&self, running: &Running<'_>) -> i32 {
        running.code().await;
        // What was queued before the call of `exit` was noticed is still delivered.
        run_all("a queued slot", host::run_queue);
        let code = running.code().await;
        if running.is_last() {
            panics::catch("a slot of `about_to_quit`", || self.state.about_to_quit.emit(&()));
        }
        code
    }
}

#[cold]
#[expect(clippy::panic, reason = "documented: there is no output without the future's end")]
fn too_deep() -> ! {
    panic!("the nesting limit of loops in slots of this thread is reached")
}

/// The code of a run that is refused; Qt's.
pub(super) const REFUSED: i32 = -1;
