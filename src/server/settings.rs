//! What a server sets for the sockets of its clients.

use std::time::Duration;

use crate::server::WebSocketServer;
use crate::session::Settings;
use crate::types::output_policy::OutputPolicy;

/// Defaults for sockets.
impl WebSocketServer {
    /// Sets what becomes of messages for clients that read too slowly; the default is to close.
    ///
    /// It counts for clients that connect from now on, each of which can be set anew:
    /// [`WebSocket::set_output_policy`](crate::WebSocket::set_output_policy). So a broadcast does the
    /// right thing about each of them, and the others are not held up.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: there output waits without a limit.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{OutputPolicy, SslMode, WebSocketServer};
    ///
    /// let server = WebSocketServer::new("Ticker", SslMode::NonSecure);
    /// server.set_output_policy(OutputPolicy::DropOldest);
    /// server.set_output_limit(256 * 1024);
    /// ```
    pub fn set_output_policy(&self, policy: OutputPolicy) {
        self.change_socket_settings(|settings| settings.output.policy = policy);
    }

    /// Returns what becomes of messages for clients that read too slowly.
    #[must_use]
    pub fn output_policy(&self) -> OutputPolicy {
        self.socket_settings().output.policy
    }

    /// Sets how much output may wait for each client that connects from now on, in bytes; the
    /// default is 16 MiB. See [`WebSocket::set_output_limit`](crate::WebSocket::set_output_limit).
    pub fn set_output_limit(&self, bytes: usize) {
        self.change_socket_settings(|settings| settings.output.limit = bytes);
    }

    /// Returns how much output may wait for each client, in bytes.
    #[must_use]
    pub fn output_limit(&self) -> usize {
        self.socket_settings().output.limit
    }

    /// Sets how much unsent output the operating system holds for each client that connects from now
    /// on, in bytes; the default is 512 KiB. See
    /// [`WebSocket::set_send_buffer`](crate::WebSocket::set_send_buffer).
    pub fn set_send_buffer(&self, bytes: Option<usize>) {
        self.change_socket_settings(|settings| settings.send_buffer = bytes);
    }

    /// Returns how much unsent output the operating system holds for each client, in bytes.
    #[must_use]
    pub fn send_buffer(&self) -> Option<usize> {
        self.socket_settings().send_buffer
    }

    /// Sets the write timeout of each client that connects from now on; the default is 30 s, `None`
    /// is no timeout. See [`WebSocket::set_write_timeout`](crate::WebSocket::set_write_timeout).
    pub fn set_write_timeout(&self, timeout: Option<Duration>) {
        self.change_socket_settings(|settings| settings.timeouts.write = timeout);
    }

    /// Returns the write timeout of each client; `None` is no timeout.
    #[must_use]
    pub fn write_timeout(&self) -> Option<Duration> {
        self.socket_settings().timeouts.write
    }

    /// Sets the closing timeout of each client that connects from now on; the default is 10 s,
    /// `None` is no timeout. See
    /// [`WebSocket::set_closing_timeout`](crate::WebSocket::set_closing_timeout).
    pub fn set_closing_timeout(&self, timeout: Option<Duration>) {
        self.change_socket_settings(|settings| settings.timeouts.closing = timeout);
    }

    /// Returns the closing timeout of each client; `None` is no timeout.
    #[must_use]
    pub fn closing_timeout(&self) -> Option<Duration> {
        self.socket_settings().timeouts.closing
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
        self.change_socket_settings(|settings| settings.limits.max_frame_size = bytes);
    }

    /// Returns how long a frame may be that a client sends, in bytes.
    #[must_use]
    pub fn max_allowed_incoming_frame_size(&self) -> usize {
        self.socket_settings().limits.max_frame_size
    }

    /// Sets how long a message may be that a client sends which connects from now on, in bytes; as
    /// [`set_max_allowed_incoming_frame_size`](Self::set_max_allowed_incoming_frame_size).
    pub fn set_max_allowed_incoming_message_size(&self, bytes: usize) {
        self.change_socket_settings(|settings| settings.limits.max_message_size = bytes);
    }

    /// Returns how long a message may be that a client sends, in bytes.
    #[must_use]
    pub fn max_allowed_incoming_message_size(&self) -> usize {
        self.socket_settings().limits.max_message_size
    }

    /// Sets the maximum size of the queue for slots that are not called at once, for each client that
    /// connects from now on, in bytes; the default is 128 KiB. See
    /// [`WebSocket::set_receive_queue_limit`](crate::WebSocket::set_receive_queue_limit).
    pub fn set_receive_queue_limit(&self, bytes: usize) {
        self.change_socket_settings(|settings| settings.receive_queue_limit = bytes);
    }

    /// Returns the maximum size of the queue for slots that are not called at once, in bytes.
    #[must_use]
    pub fn receive_queue_limit(&self) -> usize {
        self.socket_settings().receive_queue_limit
    }

    fn change_socket_settings(&self, change: impl FnOnce(&mut Settings)) {
        change(self.inner.lock().socket_settings.get_or_insert_default());
    }

    fn socket_settings(&self) -> Settings {
        self.inner.lock().socket_settings.unwrap_or_default()
    }
}
