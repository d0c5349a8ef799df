//! What a server sets for the sockets of its clients.

use std::time::Duration;

use crate::server::WebSocketServer;

/// Defaults for sockets.
impl WebSocketServer {
    /// Sets the write timeout of each client that connects from now on; the default is 30 s, `None`
    /// is no timeout. See [`WebSocket::set_write_timeout`](crate::WebSocket::set_write_timeout).
    pub fn set_write_timeout(&self, timeout: Option<Duration>) {
        self.inner.change_socket_settings(|settings| settings.timeouts.write = timeout);
    }

    /// Returns the write timeout of each client; `None` is no timeout.
    #[must_use]
    pub fn write_timeout(&self) -> Option<Duration> {
        self.inner.socket_settings().timeouts.write
    }

    /// Sets the closing timeout of each client that connects from now on; the default is 10 s,
    /// `None` is no timeout. See
    /// [`WebSocket::set_closing_timeout`](crate::WebSocket::set_closing_timeout).
    pub fn set_closing_timeout(&self, timeout: Option<Duration>) {
        self.inner.change_socket_settings(|settings| settings.timeouts.closing = timeout);
    }

    /// Returns the closing timeout of each client; `None` is no timeout.
    #[must_use]
    pub fn closing_timeout(&self) -> Option<Duration> {
        self.inner.socket_settings().timeouts.closing
    }

    /// Sets how long a frame may be that a client sends which connects from now on, in bytes.
    ///
    /// The default is 16 MiB. See
    /// [`WebSocket::set_max_allowed_incoming_frame_size`](crate::WebSocket::set_max_allowed_incoming_frame_size).
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: there each socket is set in a slot of `newConnection`.
    pub fn set_max_allowed_incoming_frame_size(&self, bytes: usize) {
        self.inner.change_socket_settings(|settings| settings.limits.max_frame_size = bytes);
    }

    /// Returns how long a frame may be that a client sends, in bytes.
    #[must_use]
    pub fn max_allowed_incoming_frame_size(&self) -> usize {
        self.inner.socket_settings().limits.max_frame_size
    }

    /// Sets how long a message may be that a client sends which connects from now on, in bytes; as
    /// [`set_max_allowed_incoming_frame_size`](Self::set_max_allowed_incoming_frame_size).
    pub fn set_max_allowed_incoming_message_size(&self, bytes: usize) {
        self.inner.change_socket_settings(|settings| settings.limits.max_message_size = bytes);
    }

    /// Returns how long a message may be that a client sends, in bytes.
    #[must_use]
    pub fn max_allowed_incoming_message_size(&self) -> usize {
        self.inner.socket_settings().limits.max_message_size
    }

    /// Sets the maximum size of the queue for slots that are not called at once, for each client that
    /// connects from now on, in bytes; the default is 128 KiB. See
    /// [`WebSocket::set_receive_queue_limit`](crate::WebSocket::set_receive_queue_limit).
    pub fn set_receive_queue_limit(&self, bytes: usize) {
        self.inner.change_socket_settings(|settings| settings.receive_queue_limit = bytes);
    }

    /// Returns the maximum size of the queue for slots that are not called at once, in bytes.
    #[must_use]
    pub fn receive_queue_limit(&self) -> usize {
        self.inner.socket_settings().receive_queue_limit
    }
}
