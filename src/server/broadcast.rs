//! The clients of a server: who they are, messages for all, keepalive, shutdown.

use crate::protocol::prepared_message::PreparedMessage;
use crate::server::WebSocketServer;
use crate::socket::WebSocket;
use crate::types::send_status::SendStatus;

/// Clients.
impl WebSocketServer {
    /// Returns the sockets that were taken from this server and have not disconnected.
    ///
    /// They come in no particular order. A socket is no longer among them when its
    /// [`disconnected`](WebSocket::disconnected) is emitted.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: its programs keep a list, and take each socket out in a slot of
    /// `disconnected()`.
    #[must_use]
    pub fn clients(&self) -> Vec<WebSocket> {
        self.inner.clients.sockets()
    }

    /// Sends a text message to all [`clients`](Self::clients); returns how many it was queued for.
    ///
    /// It is encoded once. For a message to some of them see [`PreparedMessage`].
    pub fn broadcast_text(&self, message: impl AsRef<str>) -> usize {
        self.broadcast(&PreparedMessage::text(message))
    }

    /// Sends a binary message to all [`clients`](Self::clients), as
    /// [`broadcast_text`](Self::broadcast_text).
    pub fn broadcast_binary(&self, message: impl AsRef<[u8]>) -> usize {
        self.broadcast(&PreparedMessage::binary(message))
    }

    fn broadcast(&self, message: &PreparedMessage) -> usize {
        let clients = self.clients();
        clients.iter().filter(|client| client.send_prepared(message) == SendStatus::Queued).count()
    }
}
