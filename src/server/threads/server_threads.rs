//! The threads of a server, as a value that ends them.

use std::fmt;
use std::mem;
use std::sync::Arc;

use log::error;

use crate::event_loop::LoopHandle;
use crate::event_loop::event_thread::EventThread;
use crate::server::state::Inner;
use crate::types::error::Error;

/// The threads of a server, made by [`serve_on_threads`].
///
/// Dropping it ends them in order, as [`quit`](Self::quit) does, and waits for them. In one of the
/// threads themselves, such as in a slot of a client, it does not wait. It keeps the server alive.
///
/// # Qt
///
/// Qt has no counterpart: a `QWebSocket` stays in the server's thread.
///
/// # Examples
///
/// ```
/// use slotwork::{Error, SslMode, WebSocketServer};
///
/// # fn main() -> Result<(), Error> {
/// let server = WebSocketServer::new("Server", SslMode::NonSecure);
/// let threads = server.serve_on_threads(2, |_part| ())?;
/// assert_eq!(threads.len(), 2);
///
/// threads.quit();
/// threads.wait()?;
/// # Ok(())
/// # }
/// ```
///
/// [`serve_on_threads`]: crate::WebSocketServer::serve_on_threads
#[must_use = "the threads end when it is dropped"]
pub struct ServerThreads {
    server: Arc<Inner>,
    threads: Vec<EventThread>,
}

impl ServerThreads {
    pub(super) fn new(server: Arc<Inner>, threads: Vec<EventThread>) -> Self {
        Self { server, threads }
    }

    /// Ends the threads in order, without waiting.
    ///
    /// The server stops listening. The sockets of all threads are closed with
    /// [`CloseCode::GOING_AWAY`](crate::CloseCode::GOING_AWAY), and have 3 s for their closing
    /// handshakes. Each thread ends when its last socket has disconnected. Afterwards the server
    /// cannot listen again.
    ///
    /// # Qt
    ///
    /// `QThread::quit()`.
    #[doc(alias = "exit")]
    pub fn quit(&self) {
        self.server.end_threads();
    }

    /// Waits until all threads have ended.
    ///
    /// It does not end them: [`quit`](Self::quit) does. Blocks the calling thread; on its own thread
    /// the server accepts nothing meanwhile.
    ///
    /// # Errors
    ///
    /// [`Error::ThreadPanicked`] for the first thread that a panic ended, and
    /// [`Error::ThreadJoinsItself`] in one of the threads.
    ///
    /// # Qt
    ///
    /// `QThread::wait()`.
    pub fn wait(mut self) -> Result<(), Error> {
        let threads = mem::take(&mut self.threads);
        let Some(own) = threads.iter().find(|thread| thread.handle().is_current()) else {
            return join_all(threads);
        };
        let error = Error::ThreadJoinsItself { name: own.name().to_owned() };
        threads.into_iter().for_each(EventThread::release);
        Err(error)
    }

    /// Returns the number of threads.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{Error, SslMode, WebSocketServer};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let server = WebSocketServer::new("Server", SslMode::NonSecure);
    /// let threads = server.serve_on_threads(2, |_part| ())?;
    /// assert!(threads.len() == 2 && !threads.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.threads.len()
    }

    /// Returns whether there are no threads, which is never so.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{Error, SslMode, WebSocketServer};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let server = WebSocketServer::new("Server", SslMode::NonSecure);
    /// let threads = server.serve_on_threads(2, |_part| ())?;
    /// assert!(threads.len() == 2 && !threads.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.threads.is_empty()
    }

    /// Returns the handle of a thread's loop.
    ///
    /// # Panics
    ///
    /// When `index` is not below [`len`](Self::len).
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{Error, EventLoop, SslMode, WebSocketServer};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let server = WebSocketServer::new("Server", SslMode::NonSecure);
    /// let threads = server.serve_on_threads(2, |_part| ())?;
    /// threads.handle(0).post(|| EventLoop::current().set_memory_budget(Some(64 * 1024 * 1024)));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    #[track_caller]
    #[expect(clippy::expect_used, reason = "documented, as for the index of a slice")]
    pub fn handle(&self, index: usize) -> LoopHandle {
        self.threads.get(index).expect("the index of a thread").handle()
    }
}

impl Drop for ServerThreads {
    fn drop(&mut self) {
        let threads = mem::take(&mut self.threads);
        // Otherwise `wait` has taken them.
        if threads.is_empty() {
            return;
        }
        self.quit();
        for thread in &threads {
            thread.request_interruption();
        }
        if threads.iter().any(|thread| thread.handle().is_current()) {
            // One of them cannot wait for the others either: a slot in them may wait for this one.
            return threads.into_iter().for_each(EventThread::release);
        }
        if let Err(error) = join_all(threads) {
            error!("{error}");
        }
    }
}

impl fmt::Debug for ServerThreads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerThreads").field("threads", &self.threads).finish_non_exhaustive()
    }
}

/// Waits for all threads, and returns the first error.
fn join_all(threads: Vec<EventThread>) -> Result<(), Error> {
    let outcomes: Vec<_> = threads.into_iter().map(EventThread::wait).collect();
    outcomes.into_iter().try_for_each(|outcome| outcome.map(drop))
}
