//! The subprotocols of a server (RFC 6455 §1.9).

use crate::protocol::handshake::grammar;
use crate::protocol::handshake::request::HandshakeRequest;
use crate::protocol::handshake::subprotocol::ChosenSubprotocol;
use crate::server::WebSocketServer;
use crate::server::state::State;
use crate::types::error::Error;

/// Subprotocols.
impl WebSocketServer {
    /// Sets the supported subprotocols, for requests that arrive from now on.
    ///
    /// The default is none. The first subprotocol in the client's list that is supported is agreed
    /// on; [`WebSocket::subprotocol`](crate::WebSocket::subprotocol) returns it, and
    /// [`HandshakeRequest::subprotocols`](crate::HandshakeRequest::subprotocols) the client's list.
    /// A client that offers none of them is accepted without one, and may end the connection.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSubprotocol`] when a name is not a token of HTTP (RFC 9110 §5.6.2); the old
    /// list stays.
    ///
    /// # Qt
    ///
    /// `QWebSocketServer::setSupportedSubprotocols()`, which takes any text.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{Error, SslMode, WebSocketServer};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let server = WebSocketServer::new("Chat", SslMode::NonSecure);
    /// server.set_supported_subprotocols(["chat.v2", "chat.v1"])?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "setSupportedSubprotocols")]
    pub fn set_supported_subprotocols(
        &self,
        subprotocols: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<(), Error> {
        let subprotocols: Vec<String> = subprotocols.into_iter().map(Into::into).collect();
        if let Some(wrong) = subprotocols.iter().find(|name| !grammar::is_token(name.as_bytes())) {
            return Err(Error::InvalidSubprotocol(wrong.clone()));
        }
        self.inner.set(|configuration| &mut configuration.subprotocols, subprotocols);
        Ok(())
    }

    /// Returns the subprotocol to agree on with a client; `None` without one.
    ///
    /// It is the first of [`supported_subprotocols`](Self::supported_subprotocols) that the request
    /// offers. The answer of another library has to name it in `Sec-WebSocket-Protocol`, before
    /// [`adopt_upgraded`](Self::adopt_upgraded) takes the connection.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: its server writes the answer itself.
    #[must_use]
    pub fn subprotocol_for(&self, request: &HandshakeRequest) -> Option<String> {
        self.inner.lock().choose_subprotocol(request)?.name(request).map(str::to_owned)
    }

    /// Returns the supported subprotocols; empty by default.
    #[doc(alias = "supportedSubprotocols")]
    #[must_use]
    pub fn supported_subprotocols(&self) -> Vec<String> {
        self.inner.lock().configuration.subprotocols.clone()
    }
}

impl State {
    /// Returns the subprotocol to agree on.
    pub(crate) fn choose_subprotocol(
        &self,
        request: &HandshakeRequest,
    ) -> Option<ChosenSubprotocol> {
        ChosenSubprotocol::choose(request, &self.configuration.subprotocols)
    }
}
