//! Settings of a socket: limits, frame sizes and timeouts.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::socket::WebSocket;

/// Limits, frame sizes and timeouts.
impl WebSocket {
    /// Sets the maximum size of an incoming frame, in bytes; the default is 16 MiB.
    ///
    /// Takes effect with the next frame that the loop decodes. A longer frame closes the connection
    /// with [`CloseCode::TOO_MUCH_DATA`](crate::CloseCode::TOO_MUCH_DATA) as soon as its header has
    /// arrived; control frames have their own limit of 125 bytes.
    ///
    /// # Qt
    ///
    /// `QWebSocket::setMaxAllowedIncomingFrameSize()`. Qt's default of 2 GiB is no limit in
    /// practice, and it ignores values above that.
    #[doc(alias = "setMaxAllowedIncomingFrameSize")]
    pub fn set_max_allowed_incoming_frame_size(&self, bytes: usize) {
        self.inner.session.change_settings(|settings| settings.limits.max_frame_size = bytes);
    }

    /// Returns the maximum size of an incoming frame, in bytes.
    #[doc(alias = "maxAllowedIncomingFrameSize")]
    #[must_use]
    pub fn max_allowed_incoming_frame_size(&self) -> usize {
        self.inner.session.settings().limits.max_frame_size
    }

    /// Sets how many messages are read in a second; the default is no limit.
    ///
    /// Pings and pongs count as well. A peer that sends more is not disconnected: a second's worth is
    /// read at once, and then as many as are due, while TCP holds the peer back. For so long the close
    /// frame is not noticed either, and keepalive does not check the socket, as with
    /// [`pause_reading`](Self::pause_reading). 0 is raised to 1. The server's
    /// [`limit_reached`](crate::WebSocketServer::limit_reached) is emitted the first time. A change holds
    /// from the next message that is read: it does not shorten a wait that has begun.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::WebSocket;
    ///
    /// /// A client that has logged in may send more.
    /// fn on_login(socket: &WebSocket) {
    ///     socket.set_max_messages_per_second(Some(100));
    /// }
    /// ```
    #[doc(alias = "rateLimit")]
    pub fn set_max_messages_per_second(&self, limit: Option<u32>) {
        let limit = limit.map(|limit| limit.max(1));
        self.inner.session.change_settings(|settings| settings.rates.messages = limit);
    }

    /// Returns how many messages are read in a second; `None` is no limit.
    #[must_use]
    pub fn max_messages_per_second(&self) -> Option<u32> {
        self.inner.session.settings().rates.messages
    }

    /// Sets how many bytes of frames are read in a second; the default is no limit.
    ///
    /// Otherwise as [`set_max_messages_per_second`](Self::set_max_messages_per_second). Frame headers
    /// count, and compressed messages count as they are sent. One read takes up to 257 KiB, which are
    /// then paid for: the rate holds on the average.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: `setReadBufferSize()` makes longer messages fail.
    pub fn set_max_bytes_per_second(&self, limit: Option<u64>) {
        let limit = limit.map(|limit| limit.max(1));
        self.inner.session.change_settings(|settings| settings.rates.bytes = limit);
    }

    /// Returns how many bytes of frames are read in a second; `None` is no limit.
    #[must_use]
    pub fn max_bytes_per_second(&self) -> Option<u64> {
        self.inner.session.settings().rates.bytes
    }

    /// Sets the maximum size of an incoming message, in bytes; the default is 16 MiB.
    ///
    /// As [`set_max_allowed_incoming_frame_size`](Self::set_max_allowed_incoming_frame_size), for
    /// all frames of a message together. The size of a text is that of its UTF-8.
    ///
    /// # Qt
    ///
    /// `QWebSocket::setMaxAllowedIncomingMessageSize()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{SslMode, WebSocketServer};
    ///
    /// let server = WebSocketServer::new("Server", SslMode::NonSecure);
    /// server.new_connection().connect(|server, ()| {
    ///     while let Some(socket) = server.next_pending_connection() {
    ///         let is_upload = socket.resource_name() == "/upload";
    ///         let limit = if is_upload { 256 * 1024 * 1024 } else { 4 * 1024 };
    ///         socket.set_max_allowed_incoming_message_size(limit);
    ///         socket.set_max_allowed_incoming_frame_size(limit);
    ///     }
    /// });
    /// ```
    #[doc(alias = "setMaxAllowedIncomingMessageSize")]
    pub fn set_max_allowed_incoming_message_size(&self, bytes: usize) {
        self.inner.session.change_settings(|settings| settings.limits.max_message_size = bytes);
    }

    /// Returns the maximum size of an incoming message, in bytes.
    #[doc(alias = "maxAllowedIncomingMessageSize")]
    #[must_use]
    pub fn max_allowed_incoming_message_size(&self) -> usize {
        self.inner.session.settings().limits.max_message_size
    }

    /// Sets the size, in bytes, over which a message is fragmented.
    ///
    /// The default is 524 288, 512 KiB. The frames of a message have this size, but for the last
    /// one, and those of a text that end before a character that would be cut in two; peers
    /// reassemble them (RFC 6455 §5.4).
    ///
    /// # Qt
    ///
    /// `QWebSocket::setOutgoingFrameSize()`. Qt accepts 0 and ends with the next message; the type
    /// forbids it here. Qt cuts characters in two, which Qt 6.4 to 6.9.0 refuses to receive.
    #[doc(alias = "setOutgoingFrameSize")]
    pub fn set_outgoing_frame_size(&self, bytes: NonZeroUsize) {
        self.inner.session.change_settings(|settings| settings.outgoing_frame_size = bytes);
    }

    /// Returns the size, in bytes, over which a message is fragmented.
    #[doc(alias = "outgoingFrameSize")]
    #[must_use]
    pub fn outgoing_frame_size(&self) -> NonZeroUsize {
        self.inner.session.settings().outgoing_frame_size
    }

    /// Sets the timeout for output without progress; the default is 30 s.
    ///
    /// `None` is no timeout. It runs from the peer's last activity: output that it has
    /// acknowledged, or anything that it has sent. The connection of a slow reader is kept, however
    /// long a message takes; that of a peer that neither reads nor sends is ended with
    /// [`Error::WriteTimeout`](crate::Error::WriteTimeout) and 1006. Its unsent output is lost;
    /// what the kernel has taken remains readable for up to 2 minutes.
    ///
    /// On Linux and Android the kernel measures what is acknowledged (`TCP_USER_TIMEOUT`, RFC
    /// 5482). Elsewhere, and for 4 timeouts at the most on Linux, progress is that the kernel takes
    /// more output, so that a peer needs to read half of the [`send_buffer`](Self::send_buffer) in
    /// that time.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: its output has no timeout.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use slotwork::WebSocket;
    ///
    /// /// A device that sleeps for minutes while its connection stays open.
    /// fn allow_sleep(device: &WebSocket) {
    ///     device.set_write_timeout(Some(Duration::from_secs(600)));
    /// }
    /// ```
    pub fn set_write_timeout(&self, timeout: Option<Duration>) {
        self.inner.session.change_timeouts(|timeouts| timeouts.write = timeout);
    }

    /// Returns the timeout for output without progress; `None` is no timeout.
    #[must_use]
    pub fn write_timeout(&self) -> Option<Duration> {
        self.inner.session.settings().timeouts.write
    }

    /// Sets the timeout for the peer's close frame; the default is 10 s.
    ///
    /// `None` is no timeout. It begins when our close frame was handed to the kernel, behind all
    /// other output, and begins anew with all input; in all it is 60 s, or this timeout if that is
    /// longer. Then [`disconnected`](Self::disconnected) is emitted, with 1006 (RFC 6455 §7.1.5).
    /// The peer can still read what was sent: the descriptor stays open in the background until it
    /// has, for 2 minutes at the most, while input is read and dropped.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: its closing handshake has a timeout only since 6.9.3, of 3 s.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use slotwork::{CloseCode, WebSocket};
    ///
    /// /// The peer has 1 s to answer.
    /// fn close_soon(socket: &WebSocket) {
    ///     socket.set_closing_timeout(Some(Duration::from_secs(1)));
    ///     socket.close(CloseCode::NORMAL, "");
    /// }
    /// ```
    pub fn set_closing_timeout(&self, timeout: Option<Duration>) {
        self.inner.session.change_timeouts(|timeouts| timeouts.closing = timeout);
    }

    /// Returns the timeout for the peer's close frame; `None` is no timeout.
    #[must_use]
    pub fn closing_timeout(&self) -> Option<Duration> {
        self.inner.session.settings().timeouts.closing
    }
}
