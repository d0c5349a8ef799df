//! The signals of a server.
//!
//! They are stored in `state`, and emitted where the event is.

use slotwork_signals::SignalRef;

use crate::server::WebSocketServer;
use crate::types::error::Error;
use crate::types::limit::LimitReached;

/// Signals.
impl WebSocketServer {
    /// Emitted for each connection after its opening handshake; it is then pending.
    ///
    /// With [`serve_on_threads`](Self::serve_on_threads) the part of each thread emits it instead.
    ///
    /// # Examples
    ///
    /// A slot that is a method; `server.new_connection().connect_to(&chat, Chat::on_new_connection)`
    /// connects it:
    ///
    /// ```
    /// use std::rc::Rc;
    ///
    /// use slotwork::{WebSocket, WebSocketServer};
    ///
    /// struct Chat;
    ///
    /// impl Chat {
    ///     fn on_new_connection(self: &Rc<Self>, server: &WebSocketServer, (): &()) {
    ///         while let Some(socket) = server.next_pending_connection() {
    ///             socket.text_message_received().connect_to(self, Self::on_text);
    ///         }
    ///     }
    ///
    ///     fn on_text(self: &Rc<Self>, sender: &WebSocket, text: &str) {
    ///         println!("{sender:?}: {text}");
    ///     }
    /// }
    /// ```
    #[doc(alias = "newConnection")]
    #[must_use]
    pub fn new_connection(&self) -> SignalRef<'_, Self, ()> {
        SignalRef::new(self, &self.inner.new_connection)
    }

    /// Emitted when the server could not listen, and for each client that was refused.
    ///
    /// A refused client never ends the server or delays the others.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{Error, SslMode, WebSocketServer};
    ///
    /// let server = WebSocketServer::new("Server", SslMode::NonSecure);
    /// server.server_error().connect(|_server, error| match error {
    ///     // Health checks.
    ///     Error::HandshakeRefused { status: 426, .. } => {}
    ///     _ => eprintln!("refused: {error}"),
    /// });
    /// ```
    #[doc(alias = "serverError")]
    #[must_use]
    pub fn server_error(&self) -> SignalRef<'_, Self, Error> {
        SignalRef::new(self, &self.inner.server_error)
    }

    /// Emitted after [`close`](Self::close) of a server that listened.
    ///
    /// Also emitted after each [`shutdown`](Self::shutdown), when the last client has disconnected.
    ///
    /// # Qt
    ///
    /// `QWebSocketServer::closed()`, which also follows a `close` of a server that did not listen.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{EventLoop, HostAddress, SslMode, WebSocketServer};
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// let server = WebSocketServer::new("Server", SslMode::NonSecure);
    /// server.closed().connect(|_server, ()| EventLoop::current().quit());
    /// server.listen(HostAddress::LocalHost, 0)?;
    ///
    /// server.close();
    /// EventLoop::current().exec();
    /// assert!(!server.is_listening());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn closed(&self) -> SignalRef<'_, Self, ()> {
        SignalRef::new(self, &self.inner.closed)
    }

    /// Emitted when a client has reached a limit of this server.
    ///
    /// For each client that is refused over a limit of connections or handshakes, behind
    /// [`server_error`](Self::server_error); and for the first time that a connection is held back by
    /// [`set_max_messages_per_second`](Self::set_max_messages_per_second) or
    /// [`set_max_bytes_per_second`](Self::set_max_bytes_per_second). The limits of a socket, such as the
    /// maximum size of a message, are reported by
    /// [`WebSocket::error_occurred`](crate::WebSocket::error_occurred). On several threads the part
    /// emits it, and this server as well.
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
    /// server.set_max_connections_per_address(Some(20));
    /// server.set_max_messages_per_second(Some(50));
    /// server.limit_reached().connect(|_server, reached| {
    ///     let client = reached.client.unwrap_or(reached.peer.ip());
    ///     log::warn!("{client} has reached the limit of {}", reached.limit);
    /// });
    /// ```
    #[must_use]
    pub fn limit_reached(&self) -> SignalRef<'_, Self, LimitReached> {
        SignalRef::new(self, &self.inner.limit_reached)
    }

    /// Emitted when no connection can be accepted, once until one can.
    ///
    /// The server tries again by itself, after 10 ms, then at growing intervals of up to 500 ms.
    ///
    /// # Qt
    ///
    /// `QWebSocketServer::acceptError()`, after which Qt accepts nothing more by itself.
    #[doc(alias = "acceptError")]
    #[must_use]
    pub fn accept_error(&self) -> SignalRef<'_, Self, Error> {
        SignalRef::new(self, &self.inner.accept_error)
    }
}
