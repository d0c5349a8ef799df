//! Back-pressure: the output settings for the sockets of new clients.
//!
//! The machinery is in `session/output/`; each socket can change its own (`socket/output.rs`).

use crate::server::WebSocketServer;
use crate::server::configuration::change::sockets;
use crate::types::output::OutputPolicy;

/// Back-pressure.
impl WebSocketServer {
    /// Sets the output policy for clients that read too slowly.
    ///
    /// The default is to close. It applies to clients that connect from now on; each socket can
    /// change its own with [`WebSocket::set_output_policy`](crate::WebSocket::set_output_policy). A
    /// broadcast follows the policy of each client, and a slow one does not delay the others. The
    /// write timeout applies with each policy: a client that accepts no output at all is kept with
    /// [`set_write_timeout(None)`](Self::set_write_timeout).
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: its output buffer has no limit.
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
        self.inner.set(|configuration| &mut sockets(configuration).output.policy, policy);
    }

    /// Returns the output policy for clients that read too slowly.
    #[must_use]
    pub fn output_policy(&self) -> OutputPolicy {
        self.inner.socket_settings().output.policy
    }

    /// Sets the maximum size of a client's unsent output, in bytes.
    ///
    /// The default is 16 MiB. It applies to clients that connect from now on. See
    /// [`WebSocket::set_output_limit`](crate::WebSocket::set_output_limit).
    pub fn set_output_limit(&self, bytes: usize) {
        self.inner.set(|configuration| &mut sockets(configuration).output.limit, bytes);
    }

    /// Returns the maximum size of a client's unsent output, in bytes.
    #[must_use]
    pub fn output_limit(&self) -> usize {
        self.inner.socket_settings().output.limit
    }

    /// Sets the limit of unsent output in the kernel, in bytes.
    ///
    /// The default is 512 KiB on Linux and Android, and elsewhere the system's. It applies to clients
    /// that connect from now on; `None` is the system's default. See
    /// [`WebSocket::set_send_buffer`](crate::WebSocket::set_send_buffer).
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{SslMode, WebSocketServer};
    ///
    /// let server = WebSocketServer::new("Ticker", SslMode::NonSecure);
    /// // Old prices are of no use: few of them wait in the kernel.
    /// server.set_send_buffer(Some(16 * 1024));
    /// ```
    pub fn set_send_buffer(&self, bytes: Option<usize>) {
        self.inner.set(|configuration| &mut sockets(configuration).send_buffer, bytes);
    }

    /// Returns the limit of unsent output in the kernel, in bytes.
    #[must_use]
    pub fn send_buffer(&self) -> Option<usize> {
        self.inner.socket_settings().send_buffer
    }
}
