//! Connections that wait for `next_pending_connection`.

use slotwork_signals::Signal;

use crate::server::WebSocketServer;
use crate::server::state::Inner;
use crate::socket::WebSocket;

/// Pending connections.
impl WebSocketServer {
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

    /// Returns whether an accepted connection waits for `next_pending_connection`.
    #[doc(alias = "hasPendingConnections")]
    #[must_use]
    pub fn has_pending_connections(&self) -> bool {
        !self.inner.lock().pending.is_empty()
    }
}

impl Inner {
    /// Takes the socket that has waited longest: it is a client from now on.
    pub(crate) fn take_pending(&self) -> Option<WebSocket> {
        let mut state = self.lock();
        let socket = state.pending.pop_front()?;
        // Still locked: whoever shuts the server down finds it among the ones or the others.
        let needs_watch = self.clients.insert(&socket);
        drop(state);
        if needs_watch {
            self.start_keepalive();
        }
        Some(socket)
    }
}

/// Lets messages come in once this thread has run what it is doing, and so connected slots.
fn start_reading_later(socket: &WebSocket) {
    let taken = Signal::<()>::new();
    let socket = socket.clone();
    taken.connect_queued(move |()| socket.start_reading());
    taken.emit(&());
}
