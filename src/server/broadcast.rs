//! The clients of a server, and broadcasts to all of them.
//!
//! The list itself is `socket::client_list`, and the encoded message `PreparedMessage`.

use std::sync::Weak;

use crate::protocol::prepared_message::PreparedMessage;
use crate::server::WebSocketServer;
use crate::server::state::Inner;
use crate::server::threads::parts::Parts;
use crate::socket::WebSocket;
use crate::types::output::SendStatus;

/// Clients.
impl WebSocketServer {
    /// Returns the sockets that were taken from this server and have not disconnected.
    ///
    /// With [`serve_on_threads`](Self::serve_on_threads) those of all threads, and for a part its own.
    /// The order is arbitrary. A socket is no longer among them when its
    /// [`disconnected`](WebSocket::disconnected) is emitted.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: its programs keep a list, and remove each socket in a slot of
    /// `disconnected()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{CloseCode, WebSocketServer};
    ///
    /// struct Banned;
    ///
    /// fn disconnect_banned(server: &WebSocketServer) {
    ///     for client in server.clients() {
    ///         if client.data::<Banned>().is_some() {
    ///             client.close(CloseCode::POLICY_VIOLATED, "banned");
    ///         }
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn clients(&self) -> Vec<WebSocket> {
        self.inner.all_clients()
    }

    /// Sends a text message to all [`clients`](Self::clients).
    ///
    /// Returns for how many clients it was queued. It is encoded once. For a message to some of
    /// them see [`PreparedMessage`].
    ///
    /// With [`serve_on_threads`](Self::serve_on_threads) it is handed to the clients of all threads,
    /// by one posted call for each thread, and those of other threads count although their output
    /// policy may still drop it. Messages that one thread broadcasts reach each client in order;
    /// those that a slot of another thread sends to a client may overtake them.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{SslMode, WebSocketServer};
    ///
    /// let server = WebSocketServer::new("Chat Server", SslMode::NonSecure);
    /// server.new_connection().connect(|server, ()| {
    ///     while let Some(socket) = server.next_pending_connection() {
    ///         server.broadcast_text(format!("{} clients", server.clients().len()));
    ///         socket.text_message_received().connect_to(server, |server, _sender, text| {
    ///             server.broadcast_text(text);
    ///         });
    ///     }
    /// });
    /// ```
    pub fn broadcast_text(&self, message: impl AsRef<str>) -> usize {
        self.inner.broadcast(&PreparedMessage::text(message))
    }

    /// Sends a binary message to all [`clients`](Self::clients).
    ///
    /// Otherwise as [`broadcast_text`](Self::broadcast_text).
    pub fn broadcast_binary(&self, message: impl AsRef<[u8]>) -> usize {
        self.inner.broadcast(&PreparedMessage::binary(message))
    }
}

impl Inner {
    /// Returns the clients of this server, and of all its parts.
    pub(crate) fn all_clients(&self) -> Vec<WebSocket> {
        let mut clients = self.clients.sockets();
        for server in self.parts().map(Parts::servers).into_iter().flatten() {
            clients.extend(server.clients.sockets());
        }
        clients
    }

    /// Sends a message to the clients of this server and of all its parts.
    ///
    /// Returns for how many clients it was queued here, or handed to a part.
    pub(crate) fn broadcast(&self, message: &PreparedMessage) -> usize {
        let mut count = self.broadcast_here(message);
        for part in self.parts().map(Parts::running).into_iter().flatten() {
            // A client that has its 101 by now is among those of the part when the call is made.
            if part.count.connections() == 0 {
                continue;
            }
            let clients = part.server.upgrade().map_or(0, |server| server.clients.len());
            let (server, message) = (Weak::clone(&part.server), message.clone());
            let is_handed = part.event_loop.run(move || {
                if let Some(server) = server.upgrade() {
                    server.broadcast_here(&message);
                }
            });
            count += if is_handed { clients } else { 0 };
        }
        count
    }

    fn broadcast_here(&self, message: &PreparedMessage) -> usize {
        let statuses = self.clients.sockets().into_iter().map(|it| it.send_prepared_owned(message));
        statuses.filter(|status| *status == SendStatus::Queued).count()
    }
}
