//! The compression of messages (permessage-deflate, RFC 7692).

use crate::protocol::deflate::terms::Agreed;
use crate::protocol::handshake::extensions;
use crate::protocol::handshake::permessage_deflate::{Parameters, answer};
use crate::protocol::handshake::request::HandshakeRequest;
use crate::server::WebSocketServer;
use crate::server::configuration::Configuration;
use crate::types::compression::Compression;

/// Compression.
impl WebSocketServer {
    /// Compresses messages, for clients that connect from now on and support it.
    ///
    /// `None`, the default, accepts no compression. Otherwise the first acceptable
    /// `permessage-deflate` of the client's offers is agreed on (RFC 7692 §5.1, §7.1);
    /// [`WebSocket::compression`](crate::WebSocket::compression) returns the outcome. A client that
    /// offers none, or none that is acceptable, is accepted without compression. A server on
    /// several threads has one [budget](Compression::history_budget) for all of them.
    ///
    /// The header `Sec-WebSocket-Extensions` is the server's own: a [`Verdict`](crate::Verdict)
    /// cannot set it. One that is malformed (RFC 6455 §9.1) is refused with 400, with or without
    /// this setting.
    ///
    /// Safari 15.0 to 15.3 sends broken compressed data; a verifier can refuse it by its `User-Agent`.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: its server ignores all extensions.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{Compression, SslMode, WebSocketServer};
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// let server = WebSocketServer::new("Chat", SslMode::NonSecure);
    /// server.set_compression(Compression::new().history(4 * 1024)?);
    /// server.new_connection().connect(|server, ()| {
    ///     while let Some(socket) = server.next_pending_connection() {
    ///         if let Some(agreed) = socket.compression() {
    ///             println!("compressed, {} bytes of history", agreed.history_sent());
    ///         }
    ///     }
    /// });
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "permessage-deflate")]
    #[doc(alias = "Sec-WebSocket-Extensions")]
    pub fn set_compression(&self, compression: impl Into<Option<Compression>>) {
        self.inner.set(|configuration| &mut configuration.compression, compression.into());
    }

    /// Returns the settings for compression; `None` without it.
    #[must_use]
    pub fn compression(&self) -> Option<Compression> {
        self.inner.lock().configuration.compression
    }
}

impl Configuration {
    /// Accepts an offer of the client, if the server compresses.
    pub(crate) fn accept_compression(
        &self,
        request: &HandshakeRequest,
    ) -> Option<(Parameters, Agreed)> {
        let settings = self.compression.as_ref()?;
        answer::accept(request.raw_values(extensions::HEADER), settings, &self.history_budget)
    }
}
