//! Back-pressure of output: limit and policy, high-water mark, send buffer.

use crate::socket::WebSocket;
use crate::types::output::OutputPolicy;
use crate::types::stats::SocketStats;

/// Output and back-pressure.
impl WebSocket {
    /// Writes unsent output, as far as the kernel takes it now; never waits.
    ///
    /// Returns whether anything was written. Output is written at the end of each turn of the loop
    /// anyway; this is for a slot that is about to work for long.
    ///
    /// # Qt
    ///
    /// `QWebSocket::flush()`, which returns `true` without a connection, too.
    #[expect(clippy::must_use_candidate, reason = "it acts; the result is rarely needed")]
    pub fn flush(&self) -> bool {
        self.inner.session.flush()
    }

    /// Returns the size of the unsent output, in bytes, with frame headers.
    ///
    /// On another thread than the socket's, what its slots send counts from the end of their turn on.
    ///
    /// # Qt
    ///
    /// `QWebSocket::bytesToWrite()`, which counts a big message until the loop runs, also when the
    /// kernel has room; see [`send_text_message`](Self::send_text_message).
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::WebSocket;
    ///
    /// /// Skips frames of a video for clients that are behind.
    /// fn send_frame(socket: &WebSocket, frame: &[u8]) {
    ///     if socket.bytes_to_write() < 1024 * 1024 {
    ///         socket.send_binary_message(frame);
    ///     }
    /// }
    /// ```
    #[doc(alias = "bytesToWrite")]
    #[must_use]
    pub fn bytes_to_write(&self) -> usize {
        self.inner.session.bytes_to_write()
    }

    /// Sets the policy for output over the limit; the default is to close.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: its output has no limit.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{OutputPolicy, WebSocket};
    ///
    /// /// The latest price counts, not the ones before.
    /// fn send_prices(socket: &WebSocket) {
    ///     socket.set_output_policy(OutputPolicy::KeepLatest);
    ///     socket.set_output_limit(64 * 1024);
    /// }
    /// ```
    pub fn set_output_policy(&self, policy: OutputPolicy) {
        self.inner.session.change_settings(|settings| settings.output.policy = policy);
        if let Some(traffic) = self.inner.membership.traffic() {
            self.inner.session.count_drops(traffic);
        }
    }

    /// Returns the policy for output over the limit.
    #[must_use]
    pub fn output_policy(&self) -> OutputPolicy {
        self.inner.session.settings().output.policy
    }

    /// Sets the limit for unsent output, in bytes; the default is 16 MiB.
    ///
    /// Over it the [`output_policy`](Self::output_policy) applies. Output that the kernel has not
    /// taken counts, with frame headers. When no output waits, a message of any size is accepted,
    /// and so is the newest one with a policy that drops older ones: unsent output may exceed the
    /// limit by one message.
    ///
    /// # Examples
    ///
    /// A ticker; slow clients miss old prices:
    ///
    /// ```
    /// use slotwork::{OutputPolicy, SslMode, WebSocketServer};
    ///
    /// let server = WebSocketServer::new("Ticker", SslMode::NonSecure);
    /// server.new_connection().connect(|server, ()| {
    ///     while let Some(socket) = server.next_pending_connection() {
    ///         socket.set_output_policy(OutputPolicy::DropOldest);
    ///         socket.set_output_limit(256 * 1024);
    ///         socket.set_high_water_mark(64 * 1024);
    ///         socket.high_water_reached().connect(|socket, ()| {
    ///             log::warn!("{socket:?} is behind by {} bytes", socket.bytes_to_write());
    ///         });
    ///         socket.output_drained().connect(|socket, ()| {
    ///             log::info!("{socket:?} has dropped {} messages", socket.dropped_messages());
    ///         });
    ///     }
    /// });
    /// ```
    pub fn set_output_limit(&self, bytes: usize) {
        self.inner.session.change_settings(|settings| settings.output.limit = bytes);
    }

    /// Returns the limit for unsent output, in bytes.
    #[must_use]
    pub fn output_limit(&self) -> usize {
        self.inner.session.settings().output.limit
    }

    /// Returns the number of messages dropped over the output limit since opening.
    #[must_use]
    pub fn dropped_messages(&self) -> u64 {
        self.inner.session.dropped_messages()
    }

    /// Returns the number of messages that later ones of their topics have replaced.
    ///
    /// Since opening: those of topics with [`set_conflated`](crate::Topic::set_conflated) that
    /// waited for a slow peer. [`dropped_messages`](Self::dropped_messages) does not count them.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    #[must_use]
    pub fn conflated_messages(&self) -> u64 {
        self.inner.session.conflated_messages()
    }

    /// Returns the statistics of this socket.
    ///
    /// An idle socket pays nothing for them. The server counts messages and bytes
    /// ([`WebSocketServer::stats`](crate::WebSocketServer::stats)).
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::WebSocketServer;
    ///
    /// /// Returns the clients that are behind by more than a megabyte.
    /// fn slow_clients(server: &WebSocketServer) -> usize {
    ///     let clients = server.clients();
    ///     clients.iter().filter(|client| client.stats().bytes_to_write > 1_000_000).count()
    /// }
    /// ```
    #[must_use]
    pub fn stats(&self) -> SocketStats {
        self.inner.session.stats()
    }

    /// Sets the high-water mark for unsent output, in bytes; the default is 1 MiB.
    ///
    /// No message is refused over it: [`high_water_reached`](Self::high_water_reached) is emitted,
    /// and [`output_drained`](Self::output_drained) when half of it is left.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: programs look at `bytesToWrite()` when `bytesWritten` is emitted.
    pub fn set_high_water_mark(&self, bytes: usize) {
        self.inner.session.change_settings(|settings| settings.output.high_water_mark = bytes);
    }

    /// Returns the high-water mark for unsent output, in bytes.
    ///
    /// See [`set_high_water_mark`](Self::set_high_water_mark).
    #[must_use]
    pub fn high_water_mark(&self) -> usize {
        self.inner.session.settings().output.high_water_mark
    }

    /// Sets the size of the kernel's send buffer, in bytes.
    ///
    /// More output waits in the socket, and only that counts for
    /// [`bytes_to_write`](Self::bytes_to_write), [`output_policy`](Self::output_policy) and
    /// [`write_timeout`](Self::write_timeout). With a small buffer, such as 16 KiB, a policy that
    /// drops messages keeps stale ones out of the kernel, and the progress of a very slow reader
    /// shows sooner; with a large one big messages cost fewer calls. `None` is the system's
    /// default, which may be some MiB. It takes effect at once, for a client with the next
    /// [`open`](Self::open) as well.
    ///
    /// On Linux and Android it limits the unsent bytes (`TCP_NOTSENT_LOWAT`), by default to 512 KiB.
    /// Elsewhere it is the whole buffer (`SO_SNDBUF`), which is the system's until this is called, and
    /// `None` changes nothing; Windows takes all of a write while the buffer is not full.
    ///
    /// # Qt
    ///
    /// `QAbstractSocket::SendBufferSizeSocketOption`, which `QWebSocket` does not expose.
    #[doc(alias = "SendBufferSizeSocketOption")]
    pub fn set_send_buffer(&self, bytes: Option<usize>) {
        self.inner.session.set_send_buffer(bytes);
    }

    /// Returns the size of the kernel's send buffer, in bytes.
    ///
    /// `None` is the system's default.
    #[must_use]
    pub fn send_buffer(&self) -> Option<usize> {
        self.inner.session.settings().send_buffer
    }
}
