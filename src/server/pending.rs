//! Pending connections: accepted, and not yet taken by `next_pending_connection`.

use slotwork_signals::Signal;

use crate::server::WebSocketServer;
use crate::server::state::Inner;
use crate::socket::WebSocket;

/// Pending connections.
impl WebSocketServer {
    /// Takes the next pending connection; `None` when there is none.
    ///
    /// Its messages are delivered from the loop's next turn on: connect its slots before. Nothing
    /// that the client sent earlier is lost. A connection that is taken on another thread than the
    /// server's delivers them once that thread has run its queue (its event loop does).
    ///
    /// # Qt
    ///
    /// `QWebSocketServer::nextPendingConnection()`, which loses what arrives before the slots are
    /// connected.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{SslMode, WebSocketServer};
    ///
    /// let server = WebSocketServer::new("Echo Server", SslMode::NonSecure);
    /// server.new_connection().connect(|server, ()| {
    ///     while let Some(socket) = server.next_pending_connection() {
    ///         socket.text_message_received().connect(|socket, text| {
    ///             socket.send_text_message(text);
    ///         });
    ///         socket.send_text_message("welcome");
    ///     }
    /// });
    /// ```
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

    /// Returns whether a connection is pending.
    ///
    /// # Examples
    ///
    /// In a test:
    ///
    /// ```
    /// use slotwork::signals::SignalSpy;
    /// use slotwork::{HostAddress, SslMode, WebSocket, WebSocketServer};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = WebSocketServer::new("Test Server", SslMode::NonSecure);
    /// server.listen(HostAddress::LocalHost, 0)?;
    /// let connections = SignalSpy::new(&server.new_connection());
    /// let client = WebSocket::new();
    /// client.open(server.server_url())?;
    ///
    /// connections.wait_for(1)?;
    /// assert!(server.has_pending_connections());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "hasPendingConnections")]
    #[must_use]
    pub fn has_pending_connections(&self) -> bool {
        !self.inner.lock().pending.is_empty()
    }
}

impl Inner {
    /// Takes the socket that is pending longest, and adds it to the clients.
    fn take_pending(&self) -> Option<WebSocket> {
        let mut state = self.lock();
        let socket = state.pending.pop_front()?;
        // Still locked: a shutdown finds the socket pending or among the clients.
        let needs_keepalive = self.clients.insert(&socket);
        drop(state);
        if needs_keepalive {
            self.start_keepalive();
        }
        Some(socket)
    }
}

/// Starts reading once this thread has run its current code, which connects slots.
fn start_reading_later(socket: &WebSocket) {
    let taken = Signal::<()>::new();
    let socket = socket.clone();
    taken.queued().connect(move |()| socket.start_reading());
    taken.emit(&());
}
