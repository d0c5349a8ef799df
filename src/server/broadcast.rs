//! The clients of a server: who they are, messages for all, keepalive, shutdown.

use std::time::Duration;

use crate::protocol::prepared_message::PreparedMessage;
use crate::server::{WebSocketServer, keepalive};
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

    /// Sets how long a client may be idle before it is pinged; the default is 20 s.
    ///
    /// A client from which nothing has come for this long, at most a quarter longer, is sent a ping
    /// (RFC 6455 §5.5.2), in front of the output that waits. When nothing comes for as long again,
    /// counted from when the ping has left, its socket emits
    /// [`error_occurred`](WebSocket::error_occurred) with [`Error::KeepaliveTimeout`] and
    /// disconnects. Progress of output that waits is a sign of life as well: a slow reader is not
    /// ended. The pongs that answer these pings are not emitted. `None` turns it off.
    ///
    /// A new interval counts at once, also for the clients that are connected. An interval of zero
    /// counts as one of a millisecond.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: its programs send pings from a `QTimer`, or never notice.
    ///
    /// [`Error::KeepaliveTimeout`]: crate::Error::KeepaliveTimeout
    pub fn set_keepalive_interval(&self, interval: Option<Duration>) {
        let interval = interval.map(|interval| interval.max(SHORTEST_KEEPALIVE_INTERVAL));
        if self.inner.clients.set_keepalive_interval(interval) {
            keepalive::start(&self.inner.event_loop, &self.inner.clients);
        }
    }

    /// Returns how long a client may be idle before it is pinged; `None` when it is not.
    #[must_use]
    pub fn keepalive_interval(&self) -> Option<Duration> {
        self.inner.clients.keepalive_interval()
    }

    /// Ends the server together with its clients, in good order.
    ///
    /// The server stops listening and closes all its sockets, pending ones too, with
    /// [`CloseCode::GOING_AWAY`](crate::CloseCode::GOING_AWAY). Connections whose closing handshakes
    /// have not finished when `timeout` has elapsed end with 1006. [`closed`](Self::closed) is emitted
    /// when the last one has disconnected, also by a server that has no client or never listened,
    /// where [`close`](Self::close) emits nothing: each call is followed by the signal that it is done.
    ///
    /// The timeout bounds the program. Output that the operating system has taken by then can still be
    /// read by the peers while the loop runs, for up to 2 minutes.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: `QWebSocketServer::close()` leaves the clients alone.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use slotwork::{EventLoop, HostAddress, SslMode, WebSocketServer};
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// let server = WebSocketServer::new("Chat", SslMode::NonSecure);
    /// server.listen(HostAddress::LocalHost, 0)?;
    ///
    /// server.closed().connect(|_server, ()| EventLoop::current().quit());
    /// server.shutdown(Duration::from_secs(3));
    /// EventLoop::current().exec();
    /// # Ok(())
    /// # }
    /// ```
    pub fn shutdown(&self, timeout: Duration) {
        self.inner.shut_down(timeout);
    }
}

const SHORTEST_KEEPALIVE_INTERVAL: Duration = Duration::from_millis(1);
