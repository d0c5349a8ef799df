//! Back-pressure: the output settings that a server's sockets begin with.
//!
//! The machinery is the session's (`session/output/`); sockets change their own (`socket/output.rs`).

use crate::server::WebSocketServer;
use crate::types::output_policy::OutputPolicy;

/// Output of the sockets.
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
        self.inner.change_socket_settings(|settings| settings.output.policy = policy);
    }

    /// Returns what becomes of messages for clients that read too slowly.
    #[must_use]
    pub fn output_policy(&self) -> OutputPolicy {
        self.inner.socket_settings().output.policy
    }

    /// Sets how much output may wait for each client that connects from now on, in bytes; the
    /// default is 16 MiB. See [`WebSocket::set_output_limit`](crate::WebSocket::set_output_limit).
    pub fn set_output_limit(&self, bytes: usize) {
        self.inner.change_socket_settings(|settings| settings.output.limit = bytes);
    }

    /// Returns how much output may wait for each client, in bytes.
    #[must_use]
    pub fn output_limit(&self) -> usize {
        self.inner.socket_settings().output.limit
    }

    /// Sets how much unsent output the operating system holds for each client that connects from now
    /// on, in bytes; the default is 512 KiB. See
    /// [`WebSocket::set_send_buffer`](crate::WebSocket::set_send_buffer).
    pub fn set_send_buffer(&self, bytes: Option<usize>) {
        self.inner.change_socket_settings(|settings| settings.send_buffer = bytes);
    }

    /// Returns how much unsent output the operating system holds for each client, in bytes.
    #[must_use]
    pub fn send_buffer(&self) -> Option<usize> {
        self.inner.socket_settings().send_buffer
    }
}
