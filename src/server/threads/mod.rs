//! A server on several threads: it accepts on its own, its parts serve on theirs.
//!
//! `starting.rs` makes the parts and `ending.rs` ends them. `parts.rs` has them all and chooses
//! among them, `distribution.rs` hands connections over, `part.rs` is one part beside the whole.

pub(crate) mod distribution;
pub(crate) mod ending;
pub(crate) mod part;
pub(crate) mod parts;
pub(crate) mod server_threads;
pub(crate) mod starting;

use std::sync::Arc;

use crate::server::WebSocketServer;
use crate::server::threads::server_threads::ServerThreads;
use crate::types::error::Error;

/// Several threads.
impl WebSocketServer {
    /// Serves the clients of this server on several threads, each with its event loop.
    ///
    /// Starts `count` threads, runs `setup` in each of them, one after the other, and returns when
    /// all have returned. With 0 there is a thread for each core. This may be before or after
    /// [`listen`](Self::listen); connections wait meanwhile.
    ///
    /// This server accepts on its own loop and hands each connection, before its handshake, to the
    /// thread with the fewest. There everything happens: TLS, handshake, slots and output. `setup`
    /// gets the part of the server in its thread, an ordinary server with its own
    /// [`new_connection`](Self::new_connection), [`clients`](Self::clients), broadcasts and pending
    /// connections. What `setup` returns, such as an object with slots, is kept in the thread and
    /// need not be `Send`. The threads have the server's name and a number.
    ///
    /// On this server, which [`whole`](Self::whole) returns to the parts:
    ///
    /// * Settings that are made here, earlier or later, hold in all parts. Those made on a part
    ///   hold there alone, until the same is set here. Limits of connections and of handshakes hold
    ///   for all parts together, pending connections and keepalive in each part.
    /// * [`clients`](Self::clients), broadcasts, [`close`](Self::close) and
    ///   [`shutdown`](Self::shutdown) concern all parts.
    /// * [`server_error`](Self::server_error) reports the refused clients of all parts, which
    ///   report their own as well; `accept_error` and `closed` are emitted here alone,
    ///   `new_connection` in the parts alone.
    /// * Slots of [`origin_authentication_required`](Self::origin_authentication_required) and a
    ///   verifier decide for all parts, in the thread that connected them: each handshake waits for
    ///   that thread. Slots of `direct()` and a
    ///   [shared verifier](Self::set_shared_verifier) run in the client's thread instead.
    ///
    /// The memory budget is one of each loop
    /// ([`EventLoop::set_memory_budget`](crate::EventLoop::set_memory_budget)). When the loop of a
    /// thread ends by itself, or by a panic, its clients are disconnected with 1006; connections
    /// whose handshakes have not begun are handed to another thread. When all have ended, the server
    /// stops listening and reports [`Error::EventLoopEnded`].
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyThreaded`] when the server has threads, or had some, [`Error::PartOfServer`]
    /// for a part, [`Error::EventLoopEnded`], and those of
    /// [`EventThread::spawn`](crate::EventThread::spawn), such as [`Error::ThreadPanicked`] for a
    /// setup that panics. Then the threads that have started are ended.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: a `QWebSocket` stays in the server's thread.
    ///
    /// # Examples
    ///
    /// A chat: one object in each thread, without locks. Texts for all go through the whole server.
    ///
    /// ```
    /// use std::rc::Rc;
    ///
    /// use slotwork::{Error, EventLoop, HostAddress, SslMode, WebSocket, WebSocketServer};
    ///
    /// struct Chat {
    ///     part: WebSocketServer,
    /// }
    ///
    /// impl Chat {
    ///     fn new(part: &WebSocketServer) -> Rc<Self> {
    ///         let chat = Rc::new(Self { part: part.clone() });
    ///         part.new_connection().connect_to(&chat, Self::on_new_connection);
    ///         chat
    ///     }
    ///
    ///     fn on_new_connection(self: &Rc<Self>, part: &WebSocketServer, (): &()) {
    ///         while let Some(socket) = part.next_pending_connection() {
    ///             socket.text_message_received().connect_to(self, Self::on_message);
    ///         }
    ///     }
    ///
    ///     fn on_message(self: &Rc<Self>, _sender: &WebSocket, text: &str) {
    ///         self.part.whole().broadcast_text(text);
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Error> {
    /// let server = WebSocketServer::new("Chat Server", SslMode::NonSecure);
    /// let _threads = server.serve_on_threads(2, Chat::new)?;
    /// server.listen(HostAddress::LocalHost, 0)?;
    /// # EventLoop::current().handle().quit();
    /// EventLoop::current().exec();
    /// # Ok(())
    /// # }
    /// ```
    pub fn serve_on_threads<W: 'static>(
        &self,
        count: usize,
        setup: impl Fn(&Self) -> W + Send + Sync + 'static,
    ) -> Result<ServerThreads, Error> {
        self.try_serve_on_threads(count, move |part| Ok(setup(part)))
    }

    /// Serves as [`serve_on_threads`](Self::serve_on_threads) does, with a setup that may fail.
    ///
    /// The first error ends the threads that have started, and is returned when they have ended.
    ///
    /// # Errors
    ///
    /// That of the setup, and those of `serve_on_threads`, converted to its type.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::fs::{File, OpenOptions};
    /// use std::io;
    ///
    /// use slotwork::{Error, SslMode, WebSocketServer};
    ///
    /// /// A setup that opens a file for each thread.
    /// fn open_journal(_part: &WebSocketServer) -> Result<File, Error> {
    ///     let journal = OpenOptions::new().append(true).open("/no/such/folder/journal");
    ///     journal.map_err(|_| Error::NotConnected)
    /// }
    ///
    /// let server = WebSocketServer::new("Server", SslMode::NonSecure);
    /// assert!(server.try_serve_on_threads(2, open_journal).is_err());
    /// ```
    pub fn try_serve_on_threads<W: 'static, E: From<Error> + Send + 'static>(
        &self,
        count: usize,
        setup: impl Fn(&Self) -> Result<W, E> + Send + Sync + 'static,
    ) -> Result<ServerThreads, E> {
        let threads = self.inner.start_threads(count, setup)?;
        Ok(ServerThreads::new(Arc::clone(&self.inner), threads))
    }

    /// Returns the server of which this is a part; of any other server itself.
    ///
    /// Its broadcasts and [`clients`](Self::clients) concern all parts. When that server is
    /// dropped, as the threads are ending, a part returns itself.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{Error, SslMode, WebSocketServer};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let server = WebSocketServer::new("News", SslMode::NonSecure);
    /// let _threads = server.serve_on_threads(2, |part| {
    ///     part.new_connection().connect(|part, ()| {
    ///         while let Some(socket) = part.next_pending_connection() {
    ///             let (here, everywhere) = (part.clients().len(), part.whole().clients().len());
    ///             socket.send_text_message(format!("{here} of {everywhere} clients"));
    ///         }
    ///     });
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn whole(&self) -> Self {
        let whole = self.inner.whole();
        Self { inner: whole.unwrap_or_else(|| Arc::clone(&self.inner)) }
    }
}
