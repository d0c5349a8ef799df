//! Limits for clients: connections, opening handshakes, sizes of requests.

use std::sync::Arc;
use std::time::Duration;

use crate::event_loop::EventLoop;
use crate::protocol::handshake::refusal::Refusal;
use crate::protocol::handshake::request_head::MAX_REQUEST_LINE;
use crate::server::WebSocketServer;
use crate::server::opening::Opening;
use crate::server::state::{Inner, State};
use crate::socket::{Clients, Counted};
use crate::types::ssl_mode::SslMode;

/// Limits of connections.
impl WebSocketServer {
    /// Sets the maximum number of pending connections.
    ///
    /// The default is 30. A connection is pending from the end of its opening handshake until
    /// [`next_pending_connection`](Self::next_pending_connection) takes it. Further clients are
    /// refused with 503 and reported by [`server_error`](Self::server_error); 0 refuses all.
    #[doc(alias = "setMaxPendingConnections")]
    pub fn set_max_pending_connections(&self, limit: usize) {
        self.inner.set(|configuration| &mut configuration.max_pending, limit);
    }

    /// Returns the maximum number of pending connections.
    #[doc(alias = "maxPendingConnections")]
    #[must_use]
    pub fn max_pending_connections(&self) -> usize {
        self.inner.lock().configuration.max_pending
    }

    /// Sets the maximum number of open connections of this server.
    ///
    /// The default is `None`: only the system's limit of descriptors applies. Sockets count from
    /// the end of their opening handshake, pending ones included, until they have disconnected.
    /// Further clients are refused with 503 and reported by [`server_error`](Self::server_error)
    /// with [`Error::TooManyConnections`](crate::Error::TooManyConnections). A limit below the
    /// current number closes no connection. It holds for all threads of
    /// [`serve_on_threads`](Self::serve_on_threads) together, as that of handshakes does, while
    /// pending connections are limited in each.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: `setMaxPendingConnections()` limits pending connections only.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{Error, SslMode, WebSocketServer};
    ///
    /// let server = WebSocketServer::new("Server", SslMode::NonSecure);
    /// server.set_max_connections(Some(1000));
    /// server.server_error().connect(|_server, error| {
    ///     if let Error::TooManyConnections { .. } = error {
    ///         eprintln!("the server is full: {error}");
    ///     }
    /// });
    /// ```
    #[doc(alias = "maxConnections")]
    pub fn set_max_connections(&self, limit: Option<usize>) {
        self.inner.set(|configuration| &mut configuration.max_connections, limit);
    }

    /// Returns the maximum number of open connections; `None` is no limit.
    #[must_use]
    pub fn max_connections(&self) -> Option<usize> {
        self.inner.lock().configuration.max_connections
    }

    /// Sets the maximum number of opening handshakes under way.
    ///
    /// The default is 4096; `None` sets no limit. A handshake is under way from TCP accept until
    /// the socket is pending or the refused client has read its answer, including the time that a
    /// verifier takes. Further connections are refused with 503 before anything is read from them
    /// (over TLS closed without an answer, which would need a handshake), and reported by
    /// [`server_error`](Self::server_error) with
    /// [`Error::TooManyHandshakes`](crate::Error::TooManyHandshakes).
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{SslMode, WebSocketServer};
    ///
    /// let server = WebSocketServer::new("Server", SslMode::NonSecure);
    /// // Each handshake asks a database that serves 100 clients at a time.
    /// server.set_max_handshakes(Some(100));
    /// ```
    #[doc(alias = "maxHandshakes")]
    pub fn set_max_handshakes(&self, limit: Option<usize>) {
        self.inner.set(|configuration| &mut configuration.max_handshakes, limit);
    }

    /// Returns the maximum number of opening handshakes under way; `None` is no limit.
    #[must_use]
    pub fn max_handshakes(&self) -> Option<usize> {
        self.inner.lock().configuration.max_handshakes
    }

    /// Sets the timeout of opening handshakes, counted from TCP accept.
    ///
    /// The default is 10 s, for the whole handshake with TLS and verifier; `None` sets no limit. It
    /// applies to connections that are accepted from now on.
    ///
    /// # Qt
    ///
    /// `QWebSocketServer::setHandshakeTimeout()`, where a negative number sets no limit.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use slotwork::{SslMode, WebSocketServer};
    ///
    /// let server = WebSocketServer::new("Server", SslMode::NonSecure);
    /// // The verifier asks a service that takes up to 20 s.
    /// server.set_handshake_timeout(Some(Duration::from_secs(30)));
    /// ```
    #[doc(alias = "setHandshakeTimeout")]
    pub fn set_handshake_timeout(&self, timeout: Option<Duration>) {
        self.inner.set(|configuration| &mut configuration.handshake_timeout, timeout);
    }

    /// Returns the timeout of opening handshakes; `None` is no limit.
    #[doc(alias = "handshakeTimeoutMS")]
    #[doc(alias = "handshakeTimeout")]
    #[must_use]
    pub fn handshake_timeout(&self) -> Option<Duration> {
        self.inner.lock().configuration.handshake_timeout
    }
}

/// Limits of requests.
///
/// A request over a limit is refused as soon as that is certain, and reported by
/// [`server_error`](Self::server_error) with
/// [`CloseCode::TOO_MUCH_DATA`](crate::CloseCode::TOO_MUCH_DATA). Each setter applies to handshakes
/// that begin from now on. A socket keeps its request as long as it exists. Qt has no counterpart:
/// its limits are fixed.
impl WebSocketServer {
    /// Sets the maximum size of a request line, in bytes without CR LF.
    ///
    /// The default is 8 KiB. The request line has the path and the query. The highest limit is 32
    /// KiB; larger values are reduced to it. A longer line is refused with 414.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: the limit is 8 KiB.
    pub fn set_max_request_line_size(&self, size: usize) {
        self.inner.set(
            |configuration| &mut configuration.head_limits.request_line,
            size.min(MAX_REQUEST_LINE),
        );
    }

    /// Returns the maximum size of a request line, in bytes.
    #[must_use]
    pub fn max_request_line_size(&self) -> usize {
        self.inner.lock().configuration.head_limits.request_line
    }

    /// Sets the maximum size of each header line, in bytes without CR LF.
    ///
    /// The default is 16 KiB. A browser sends all cookies of a host in one line. A longer line is
    /// refused with 431. To allow more than about 30 KiB, raise
    /// [`set_max_header_size`](Self::set_max_header_size) as well.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: the limit is 8 KiB.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{SslMode, WebSocketServer};
    ///
    /// let server = WebSocketServer::new("Server", SslMode::NonSecure);
    /// // Large cookies.
    /// server.set_max_header_line_size(60 * 1024);
    /// server.set_max_header_size(80 * 1024);
    /// ```
    pub fn set_max_header_line_size(&self, size: usize) {
        self.inner.set(|configuration| &mut configuration.head_limits.header_line, size);
    }

    /// Returns the maximum size of each header line, in bytes.
    #[must_use]
    pub fn max_header_line_size(&self) -> usize {
        self.inner.lock().configuration.head_limits.header_line
    }

    /// Sets the maximum number of headers; the default is 100.
    ///
    /// A request with more headers is refused with 431.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: the limit is 100.
    pub fn set_max_header_count(&self, count: usize) {
        self.inner.set(|configuration| &mut configuration.head_limits.headers, count);
    }

    /// Returns the maximum number of headers.
    #[must_use]
    pub fn max_header_count(&self) -> usize {
        self.inner.lock().configuration.head_limits.headers
    }

    /// Sets the maximum size of a request's head, in bytes; the default is 32 KiB.
    ///
    /// The head is the request line and all headers, with their line ends. A larger one is refused
    /// with 431. The limit also bounds the memory that a client can fill before its request is
    /// complete.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: the limit is 819204 bytes.
    pub fn set_max_header_size(&self, size: usize) {
        self.inner.set(|configuration| &mut configuration.head_limits.head, size);
    }

    /// Returns the maximum size of a request's head, in bytes.
    #[must_use]
    pub fn max_header_size(&self) -> usize {
        self.inner.lock().configuration.head_limits.head
    }
}

impl Opening {
    /// Checks the limits for a connection that begins its handshake, and counts it.
    pub(crate) fn count(
        &mut self,
        server: &Inner,
        state: &State,
        counted: Result<Option<Counted>, Refusal>,
    ) -> Result<(), Refusal> {
        let counted = state.check_handshakes().and(counted)?;
        self.place = server.enter_peer(state, self.peer)?;
        self.counted = counted;
        Ok(())
    }
}

impl Inner {
    /// Refuses a connection over the limit of handshakes; over TLS without an answer.
    pub(crate) fn refuse_overflow(
        &self,
        mut opening: Opening,
        refusal: Refusal,
        begins_with_tls: bool,
    ) {
        // Counted before slots run, which may run a loop that refuses others.
        let answering = Arc::clone(&self.lock().overflow_answers);
        opening.report_refusal(&refusal);
        if begins_with_tls && self.mode == SslMode::Secure {
            return;
        }
        if Arc::strong_count(&answering) > MAX_OVERFLOW_ANSWERS {
            return opening.refuse_at_once(&refusal);
        }
        let answer = async move {
            opening.refuse(&refusal).await;
            drop(answering);
        };
        EventLoop::current().spawn(answer).detach();
    }
}

impl State {
    /// Fails when the limit of connections, or of pending ones, is reached.
    pub(crate) fn check_connections(&self, clients: &Clients) -> Result<(), Refusal> {
        if self.pending.len() >= self.configuration.max_pending {
            return Err(Refusal::TooManyPending);
        }
        match self.configuration.max_connections {
            Some(limit) if clients.len() + self.pending.len() >= limit => {
                Err(Refusal::TooManyConnections { limit })
            }
            _ => Ok(()),
        }
    }

    /// Fails when the limit of opening handshakes is reached.
    pub(crate) fn check_handshakes(&self) -> Result<(), Refusal> {
        match self.configuration.max_handshakes {
            Some(limit) if self.handshakes.len() >= limit => {
                Err(Refusal::TooManyHandshakes { limit })
            }
            _ => Ok(()),
        }
    }
}

/// How many clients over the limit may take time to read their answer.
const MAX_OVERFLOW_ANSWERS: usize = 256;
