//! Ending a loop at Ctrl-C or SIGTERM.

use std::sync::Arc;

use crate::event_loop::EventLoop;
#[cfg(unix)]
use crate::event_loop::quit_on_signals::unix::watch_signals;
#[cfg(windows)]
use crate::event_loop::quit_on_signals::windows::watch_signals;
use crate::types::error::Error;

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

impl EventLoop {
    /// Calls [`quit`](Self::quit) at the program's first SIGINT (Ctrl-C) or SIGTERM.
    ///
    /// Then [`about_to_quit`](Self::about_to_quit) is emitted, `exec` returns, and the program can
    /// end in good order. A second signal ends it at once, as without this call. When several loops
    /// make the call, all of them end. It lasts as long as the thread; a second call of the same
    /// loop does nothing.
    ///
    /// On Windows the signal is Ctrl-C in the program's console. It is received in a thread that the
    /// first call starts, and that lasts as long as the program.
    ///
    /// # Errors
    ///
    /// [`Error::SignalHandler`] when the system refuses the descriptors, handlers or thread.
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
    pub fn quit_on_signals(&self) -> Result<(), Error> {
        if self.state.quits_on_signals.get() {
            return Ok(());
        }
        watch_signals(self).map_err(|source| Error::SignalHandler { source: Arc::new(source) })?;
        self.state.quits_on_signals.set(true);
        Ok(())
    }
}
