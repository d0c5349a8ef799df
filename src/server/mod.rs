//! The WebSocket server, as an object with signals.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use slotwork_signals::{Handle, SharedSender, Signal, SignalRef};

use crate::event_loop::EventLoop;
use crate::server::state::Inner;
use crate::socket::WebSocket;
use crate::types::error::Error;
use crate::types::host_address::HostAddress;
use crate::types::ssl_mode::SslMode;
use crate::types::version::Version;

mod accept;
mod broadcast;
mod client_limits;
mod gate;
mod handover;
mod head_limits;
mod keepalive;
mod opening;
mod origins;
mod settings;
mod shutdown;
mod state;
#[cfg(feature = "tls")]
mod tls;
mod verifier;
mod weak;

pub use origins::cors_authenticator::CorsAuthenticator;
pub use origins::origin_policy::OriginPolicy;
pub use verifier::opening_handshake::OpeningHandshake;
pub use verifier::verdict::Verdict;
pub use weak::WeakWebSocketServer;

/// A server that accepts WebSocket connections.
///
/// A cheap handle: clones are the same server, and any thread may use them. The server lives on the
/// event loop of the thread that made it; its signals are emitted there, but for the
/// [`server_error`](Self::server_error) of a call that fails. Dropping the last handle
/// closes it as [`close`](Self::close) does, without a signal; sockets that were taken live on.
///
/// A request may have a request line of 8 KiB, 100 headers of 16 KiB each, and 32 KiB in all
/// ([`set_max_request_line_size`](Self::set_max_request_line_size),
/// [`set_max_header_count`](Self::set_max_header_count),
/// [`set_max_header_line_size`](Self::set_max_header_line_size),
/// [`set_max_header_size`](Self::set_max_header_size)); what is longer is refused with 414 or 431.
///
/// # Qt
///
/// `QWebSocketServer`.
///
/// # Examples
///
/// ```
/// use slotwork::{Error, EventLoop, HostAddress, SslMode, WebSocketServer};
///
/// # fn main() -> Result<(), Error> {
/// let server = WebSocketServer::new("Echo Server", SslMode::NonSecure);
/// server.new_connection().connect(|server, ()| {
///     while let Some(socket) = server.next_pending_connection() {
///         socket.text_message_received().connect(|socket, text| {
///             socket.send_text_message(text);
///         });
///     }
/// });
/// server.listen(HostAddress::LocalHost, 0)?;
///
/// println!("listening on {}", server.server_url());
/// # EventLoop::current().handle().quit();
/// EventLoop::current().exec();
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct WebSocketServer {
    inner: Arc<Inner>,
}

impl WebSocketServer {
    /// Makes a server that does not listen yet, on the event loop of this thread.
    ///
    /// The name stands in the `Server` header of the handshake; an empty one leaves it out.
    /// Characters that no header can carry are left out of it, see
    /// [`set_server_name`](Self::set_server_name).
    #[must_use]
    pub fn new(server_name: impl Into<String>, secure_mode: SslMode) -> Self {
        let mut name: String = server_name.into();
        name.retain(is_header_character);
        let inner = Arc::new(Inner::new(name, secure_mode, EventLoop::current().handle()));
        Self { inner }
    }

    /// Listens for connections, at once; they are accepted once the event loop runs.
    ///
    /// Port 0 lets the system choose, and [`server_port`](Self::server_port) tells which it is.
    ///
    /// # Errors
    ///
    /// [`Error::Listen`] when the address cannot be bound, [`Error::AlreadyListening`] when the
    /// server listens, which it then goes on doing, [`Error::EventLoopEnded`] when the thread on which
    /// it was created has, and with [`SslMode::Secure`] [`Error::InvalidTlsConfig`] before a
    /// certificate is set, or [`Error::SecureModeNotSupported`] without TLS. [`server_error`](Self::server_error) is emitted as well, before this
    /// returns; its slots in other threads follow.
    ///
    /// # Qt
    ///
    /// `QWebSocketServer::listen()`, with `bool` and `errorString()` in one result.
    pub fn listen(&self, address: impl Into<HostAddress>, port: u16) -> Result<(), Error> {
        let result = self.inner.bind(address.into(), port);
        self.begin_to_accept(result)
    }

    /// Stops listening and frees the port at once.
    ///
    /// Opening handshakes under way end, and pending sockets that nobody took are closed with 1001.
    /// Sockets that were taken go on. [`closed`](Self::closed) follows from the event loop. Does
    /// nothing when the server does not listen.
    pub fn close(&self) {
        if self.inner.stop() {
            self.inner.emit_closed();
        }
    }

    /// Takes the next connection that waits; `None` when there is none.
    ///
    /// From the loop's next turn on its messages come in: connect its slots before. Nothing that
    /// the client sent earlier is lost. Taken on another thread than the server's, they come in
    /// once that thread has run its queue (its event loop does).
    ///
    /// # Qt
    ///
    /// `QWebSocketServer::nextPendingConnection()`, which loses what arrives before the slots are
    /// connected.
    #[doc(alias = "nextPendingConnection")]
    #[must_use = "a socket that was taken stays open until it is closed"]
    pub fn next_pending_connection(&self) -> Option<WebSocket> {
        let socket = self.inner.take_pending()?;
        if self.inner.event_loop.is_current() {
            socket.start_reading();
        } else {
            start_reading_later(&socket);
        }
        Some(socket)
    }

    /// Accepts no more connections until [`resume_accepting`](Self::resume_accepting).
    ///
    /// The server goes on listening: connections wait in the system's queue. Opening handshakes
    /// under way are finished. The next [`listen`](Self::listen) accepts again.
    #[doc(alias = "pauseAccepting")]
    pub fn pause_accepting(&self) {
        self.inner.lock().is_paused = true;
    }

    /// Accepts connections again, beginning with those that wait.
    #[doc(alias = "resumeAccepting")]
    pub fn resume_accepting(&self) {
        let mut state = self.inner.lock();
        state.is_paused = false;
        if let Some(listening) = &state.listening {
            listening.listener.wake();
        }
    }

    /// Sets how many accepted connections may wait for `next_pending_connection`.
    ///
    /// The default is 30. Further clients are answered with 503 and reported by
    /// [`server_error`](Self::server_error); with 0 that is everybody.
    #[doc(alias = "setMaxPendingConnections")]
    pub fn set_max_pending_connections(&self, limit: usize) {
        self.inner.lock().max_pending = limit;
    }

    /// Sets the time that a client has from TCP accept to the end of the opening handshake.
    ///
    /// The default is 10 s, in all, however slowly its bytes drip in; `None` sets no limit. It
    /// counts for connections that are accepted from now on.
    ///
    /// # Qt
    ///
    /// `QWebSocketServer::setHandshakeTimeout()`, where a negative number sets no limit.
    #[doc(alias = "setHandshakeTimeout")]
    pub fn set_handshake_timeout(&self, timeout: Option<Duration>) {
        self.inner.lock().handshake_timeout = timeout;
    }

    /// Sets the name that stands in the `Server` header of handshakes from now on.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidHeaderValue`] when the name has characters other than printable ASCII; the
    /// old one stays.
    ///
    /// # Qt
    ///
    /// `QWebSocketServer::setServerName()`, where a line break breaks the handshakes.
    #[doc(alias = "setServerName")]
    pub fn set_server_name(&self, server_name: impl Into<String>) -> Result<(), Error> {
        let server_name = server_name.into();
        if !server_name.chars().all(is_header_character) {
            return Err(Error::InvalidHeaderValue(server_name));
        }
        self.inner.lock().name = server_name;
        Ok(())
    }

    /// Returns the name that stands in the `Server` header.
    #[doc(alias = "serverName")]
    #[must_use]
    pub fn server_name(&self) -> String {
        self.inner.lock().name.clone()
    }

    /// Returns whether the server speaks wss or ws.
    #[doc(alias = "secureMode")]
    #[must_use]
    pub fn secure_mode(&self) -> SslMode {
        self.inner.mode
    }

    /// Returns whether the server listens, also while accepting is paused.
    #[doc(alias = "isListening")]
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.inner.lock().listening.is_some()
    }

    /// Returns the address that [`listen`](Self::listen) was given; `None` when not listening.
    #[doc(alias = "serverAddress")]
    #[must_use]
    pub fn server_address(&self) -> Option<HostAddress> {
        self.inner.lock().listening.as_ref().map(|listening| listening.address)
    }

    /// Returns the port on which the server listens; 0 when it does not.
    #[doc(alias = "serverPort")]
    #[must_use]
    pub fn server_port(&self) -> u16 {
        let state = self.inner.lock();
        state.listening.as_ref().map_or(0, |listening| listening.listener.local_address().port())
    }

    /// Returns the URL at which clients reach the server; empty when it does not listen.
    ///
    /// [`HostAddress::Any`] is shown as 127.0.0.1, as in Qt.
    #[doc(alias = "serverUrl")]
    #[must_use]
    pub fn server_url(&self) -> String {
        let state = self.inner.lock();
        state.listening.as_ref().map(|listening| listening.url(self.inner.mode)).unwrap_or_default()
    }

    /// Returns the versions of the protocol that the server speaks: 13 alone.
    #[doc(alias = "supportedVersions")]
    #[must_use]
    pub fn supported_versions(&self) -> &'static [Version] {
        &[Version::V13]
    }

    /// Returns whether an accepted connection waits for `next_pending_connection`.
    #[doc(alias = "hasPendingConnections")]
    #[must_use]
    pub fn has_pending_connections(&self) -> bool {
        !self.inner.lock().pending.is_empty()
    }

    /// Returns how many accepted connections may wait.
    #[doc(alias = "maxPendingConnections")]
    #[must_use]
    pub fn max_pending_connections(&self) -> usize {
        self.inner.lock().max_pending
    }

    /// Returns the time that a client has for the opening handshake; `None` is no limit.
    #[doc(alias = "handshakeTimeoutMS")]
    #[doc(alias = "handshakeTimeout")]
    #[must_use]
    pub fn handshake_timeout(&self) -> Option<Duration> {
        self.inner.lock().handshake_timeout
    }

    /// Returns the last error; `None` when there was none since the last successful `listen`.
    #[must_use]
    pub fn error(&self) -> Option<Error> {
        self.inner.lock().error.clone()
    }

    /// Returns the text of the last error; empty when there was none.
    #[doc(alias = "errorString")]
    #[must_use]
    pub fn error_string(&self) -> String {
        self.error().map(|error| error.with_causes()).unwrap_or_default()
    }

    /// Emitted for each connection whose opening handshake is done; it is pending then.
    #[doc(alias = "newConnection")]
    #[must_use]
    pub fn new_connection(&self) -> SignalRef<'_, Self, ()> {
        SignalRef::new(self, &self.inner.new_connection)
    }

    /// Emitted when the server could not listen, and for each client that was refused.
    ///
    /// A refused client never ends the server or delays the others.
    #[doc(alias = "serverError")]
    #[must_use]
    pub fn server_error(&self) -> SignalRef<'_, Self, Error> {
        SignalRef::new(self, &self.inner.server_error)
    }

    /// Emitted when no connection can be accepted, once until one can.
    ///
    /// The server tries again by itself, after 10 ms and then ever more rarely, every 500 ms at the
    /// least.
    ///
    /// # Qt
    ///
    /// `QWebSocketServer::acceptError()`, after which Qt accepts nothing more by itself.
    #[doc(alias = "acceptError")]
    #[must_use]
    pub fn accept_error(&self) -> SignalRef<'_, Self, Error> {
        SignalRef::new(self, &self.inner.accept_error)
    }

    /// Emitted from the event loop after [`close`](Self::close) of a server that listened.
    ///
    /// # Qt
    ///
    /// `QWebSocketServer::closed()`, which also follows a `close` of a server that did not listen.
    #[must_use]
    pub fn closed(&self) -> SignalRef<'_, Self, ()> {
        SignalRef::new(self, &self.inner.closed)
    }
}

impl Handle for WebSocketServer {
    type Weak = WeakWebSocketServer;

    fn downgrade(&self) -> WeakWebSocketServer {
        WeakWebSocketServer::new(Arc::downgrade(&self.inner))
    }

    fn upgrade(weak: &WeakWebSocketServer) -> Option<Self> {
        weak.upgrade()
    }

    fn shared(&self) -> Option<SharedSender> {
        Some(SharedSender::new(self))
    }
}

impl fmt::Debug for WebSocketServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebSocketServer({:?}, {:?})", self.server_name(), self.server_url())
    }
}

/// Lets messages come in once this thread has run what it is doing, and so connected slots.
fn start_reading_later(socket: &WebSocket) {
    let taken = Signal::<()>::new();
    let socket = socket.clone();
    taken.connect_queued(move |()| socket.start_reading());
    taken.emit(&());
}

/// Returns whether a header may carry the character; anything else could end the header.
fn is_header_character(character: char) -> bool {
    matches!(character, ' '..='~')
}
