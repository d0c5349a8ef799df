//! Settings for the sockets of new clients: timeouts, sizes, receive queue.

use std::time::Duration;

use crate::server::WebSocketServer;
use crate::server::configuration::change::sockets;

/// Settings for the sockets of clients that connect from now on.
impl WebSocketServer {
    /// Sets the write timeout of new clients; `None` is no timeout.
    ///
    /// The default is 30 s. See
    /// [`WebSocket::set_write_timeout`](crate::WebSocket::set_write_timeout).
    pub fn set_write_timeout(&self, timeout: Option<Duration>) {
        self.inner.set(|configuration| &mut sockets(configuration).timeouts.write, timeout);
    }

    /// Returns the write timeout of new clients; `None` is no timeout.
    #[must_use]
    pub fn write_timeout(&self) -> Option<Duration> {
        self.inner.socket_settings().timeouts.write
    }

    /// Sets the closing timeout of new clients; `None` is no timeout.
    ///
    /// The default is 10 s. See
    /// [`WebSocket::set_closing_timeout`](crate::WebSocket::set_closing_timeout).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use slotwork::{SslMode, WebSocketServer};
    ///
    /// let server = WebSocketServer::new("Server", SslMode::NonSecure);
    /// // As in Qt.
    /// server.set_closing_timeout(Some(Duration::from_secs(3)));
    /// ```
    pub fn set_closing_timeout(&self, timeout: Option<Duration>) {
        self.inner.set(|configuration| &mut sockets(configuration).timeouts.closing, timeout);
    }

    /// Returns the closing timeout of new clients; `None` is no timeout.
    #[must_use]
    pub fn closing_timeout(&self) -> Option<Duration> {
        self.inner.socket_settings().timeouts.closing
    }

    /// Sets the maximum size of an incoming frame of new clients, in bytes.
    ///
    /// The default is 16 MiB. See
    /// [`WebSocket::set_max_allowed_incoming_frame_size`](crate::WebSocket::set_max_allowed_incoming_frame_size).
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: its programs set each socket in a slot of `newConnection`.
    pub fn set_max_allowed_incoming_frame_size(&self, bytes: usize) {
        self.inner.set(|configuration| &mut sockets(configuration).limits.max_frame_size, bytes);
    }

    /// Returns the maximum size of an incoming frame, in bytes.
    #[must_use]
    pub fn max_allowed_incoming_frame_size(&self) -> usize {
        self.inner.socket_settings().limits.max_frame_size
    }

    /// Sets the maximum size of an incoming message of new clients, in bytes.
    ///
    /// As [`set_max_allowed_incoming_frame_size`](Self::set_max_allowed_incoming_frame_size).
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{SslMode, WebSocketServer};
    ///
    /// let server = WebSocketServer::new("Chat Server", SslMode::NonSecure);
    /// // Larger messages close their connections with 1009.
    /// server.set_max_allowed_incoming_message_size(4 * 1024);
    /// ```
    pub fn set_max_allowed_incoming_message_size(&self, bytes: usize) {
        self.inner.set(|configuration| &mut sockets(configuration).limits.max_message_size, bytes);
    }

    /// Returns the maximum size of an incoming message, in bytes.
    #[must_use]
    pub fn max_allowed_incoming_message_size(&self) -> usize {
        self.inner.socket_settings().limits.max_message_size
    }

    /// Sets how many messages of a new client are read in a second.
    ///
    /// The default is no limit. A client that sends more is held back, not disconnected. See
    /// [`WebSocket::set_max_messages_per_second`](crate::WebSocket::set_max_messages_per_second).
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
    /// let server = WebSocketServer::new("Chat Server", SslMode::NonSecure);
    /// server.set_max_messages_per_second(Some(20));
    /// server.set_max_bytes_per_second(Some(64 * 1024));
    /// ```
    pub fn set_max_messages_per_second(&self, limit: Option<u32>) {
        let limit = limit.map(|limit| limit.max(1));
        self.inner.set(|configuration| &mut sockets(configuration).rates.messages, limit);
    }

    /// Returns how many messages of a new client are read in a second.
    #[must_use]
    pub fn max_messages_per_second(&self) -> Option<u32> {
        self.inner.socket_settings().rates.messages
    }

    /// Sets how many bytes of frames of a new client are read in a second.
    ///
    /// The default is no limit. See
    /// [`WebSocket::set_max_bytes_per_second`](crate::WebSocket::set_max_bytes_per_second).
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    pub fn set_max_bytes_per_second(&self, limit: Option<u64>) {
        let limit = limit.map(|limit| limit.max(1));
        self.inner.set(|configuration| &mut sockets(configuration).rates.bytes, limit);
    }

    /// Returns how many bytes of frames of a new client are read in a second.
    #[must_use]
    pub fn max_bytes_per_second(&self) -> Option<u64> {
        self.inner.socket_settings().rates.bytes
    }

    /// Sets the maximum size of the receive queue of new clients, in bytes.
    ///
    /// The queue holds messages for slots that are not called at once. The default is 128 KiB. See
    /// [`WebSocket::set_receive_queue_limit`](crate::WebSocket::set_receive_queue_limit).
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{SslMode, WebSocketServer};
    ///
    /// let server = WebSocketServer::new("Renderer", SslMode::NonSecure);
    /// // A worker thread takes long for each message: one at a time waits for it.
    /// server.set_receive_queue_limit(0);
    /// ```
    pub fn set_receive_queue_limit(&self, bytes: usize) {
        self.inner.set(|configuration| &mut sockets(configuration).receive_queue_limit, bytes);
    }

    /// Returns the maximum size of the receive queue, in bytes.
    #[must_use]
    pub fn receive_queue_limit(&self) -> usize {
        self.inner.socket_settings().receive_queue_limit
    }
}
