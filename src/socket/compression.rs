//! The compression of messages (permessage-deflate, RFC 7692).

use crate::socket::WebSocket;
use crate::types::compression::{AgreedCompression, Compression};

/// Compression.
impl WebSocket {
    /// Offers compression to the server, from the next `open` on.
    ///
    /// `None`, the default, offers none. The offers are those of RFC 7692 §7.1 that fit the settings,
    /// and each [`open`](Self::open) makes them anew; a server without compression is used without.
    /// An answer that does not fit them ends the attempt with
    /// [`Error::InvalidAnswer`](crate::Error::InvalidAnswer). The settings have no effect on a socket
    /// that a server accepted, and their [budget](Compression::history_budget) none on clients: a
    /// server that does not limit its window makes the client keep up to 32 KiB.
    ///
    /// The header `Sec-WebSocket-Extensions` is the socket's own: a
    /// [`ClientRequest`](crate::ClientRequest) cannot set it.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: its clients offer no extension.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use slotwork::{Compression, WebSocket};
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// let socket = WebSocket::new();
    /// socket.set_compression(Compression::new());
    /// socket.connected().connect(|socket, ()| match socket.compression() {
    ///     Some(agreed) => println!("compressed: {agreed:?}"),
    ///     None => println!("the server does not compress"),
    /// });
    /// socket.open("wss://example.org/chat")?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "permessage-deflate")]
    #[doc(alias = "Sec-WebSocket-Extensions")]
    pub fn set_compression(&self, compression: impl Into<Option<Compression>>) {
        if let Some(end) = self.inner.client_end() {
            end.lock().compression = compression.into();
        }
    }

    /// Compresses messages from the next one on, or sends them plain.
    ///
    /// They are compressed by default, where both ends have agreed on it. The setting also holds for
    /// later connections of a client. For a message to several sockets see
    /// [`PreparedMessage::uncompressed`](crate::PreparedMessage::uncompressed).
    ///
    /// The length of a compressed message reveals whether its parts are alike, and with a history
    /// also whether it is like those before it. So a message that mixes a secret with text that
    /// others may choose is better sent plain (RFC 7692 §8).
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
    /// fn send_token(socket: &WebSocket, token: &str) {
    ///     socket.set_compressing(false);
    ///     socket.send_text_message(token);
    ///     socket.set_compressing(true);
    /// }
    /// ```
    pub fn set_compressing(&self, is_compressing: bool) {
        self.inner.session.set_compressing(is_compressing);
    }

    /// Returns whether messages are compressed where both ends have agreed on it.
    #[must_use]
    pub fn is_compressing(&self) -> bool {
        self.inner.session.is_compressing()
    }

    /// Returns the compression that both ends have agreed on.
    ///
    /// `None` without it, before the opening handshake, and after the end of the connection.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// See [`set_compression`](Self::set_compression).
    #[must_use]
    pub fn compression(&self) -> Option<AgreedCompression> {
        self.inner.session.compression()
    }
}
