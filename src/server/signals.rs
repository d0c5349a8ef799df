//! The signals of a server.
//!
//! They are stored in `state`, and emitted where the event is.

use slotwork_signals::SignalRef;

use crate::server::WebSocketServer;
use crate::types::error::Error;

/// Signals.
impl WebSocketServer {
    /// Emitted for each connection after its opening handshake; it is then pending.
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

    /// Emitted after [`close`](Self::close) of a server that listened.
    ///
    /// Also emitted after each [`shutdown`](Self::shutdown), when the last client has disconnected.
    ///
    /// # Qt
    ///
    /// `QWebSocketServer::closed()`, which also follows a `close` of a server that did not listen.
    #[must_use]
    pub fn closed(&self) -> SignalRef<'_, Self, ()> {
        SignalRef::new(self, &self.inner.closed)
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
