//! Whom a server admits, as programs set it.

use slotwork_signals::SignalRef;

use crate::protocol::handshake::grammar;
use crate::server::WebSocketServer;
use crate::server::origins::cors_authenticator::CorsAuthenticator;
use crate::server::origins::origin_policy::OriginPolicy;
use crate::types::error::Error;

pub(crate) mod cors_authenticator;
pub(crate) mod origin_policy;

/// Admission.
impl WebSocketServer {
    /// Sets which web pages may connect, for requests that come from now on.
    ///
    /// Others are refused with 403 and reported by [`server_error`](Self::server_error) with
    /// [`CloseCode::POLICY_VIOLATED`](crate::CloseCode::POLICY_VIOLATED). A slot of
    /// [`origin_authentication_required`](Self::origin_authentication_required) may decide
    /// otherwise. Without a policy and without such a slot every page may connect, and the first one
    /// is logged as a warning.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOrigin`] when one of a list is no origin; the old policy stays.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{Error, OriginPolicy, SslMode, WebSocketServer};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let server = WebSocketServer::new("Settings page", SslMode::NonSecure);
    /// server.set_origin_policy(OriginPolicy::Loopback)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_origin_policy(&self, policy: OriginPolicy) -> Result<(), Error> {
        policy.check()?;
        self.inner.lock().gate.origin_policy = Some(policy);
        Ok(())
    }

    /// Returns which web pages may connect; `None` when that was never set.
    #[must_use]
    pub fn origin_policy(&self) -> Option<OriginPolicy> {
        self.inner.lock().gate.origin_policy.clone()
    }

    /// Sets which subprotocols the server speaks, for requests that come from now on.
    ///
    /// The default is none. Of those that a client offers, the first that is among them is agreed
    /// on; [`WebSocket::subprotocol`](crate::WebSocket::subprotocol) tells it, and
    /// [`HandshakeRequest::subprotocols`](crate::HandshakeRequest::subprotocols) what was offered.
    /// A client that offers none of them is accepted without one, and may end the connection.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSubprotocol`] when a name is not a token of HTTP (RFC 9110 §5.6.2); the old
    /// ones stay.
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
        self.inner.lock().gate.subprotocols = subprotocols;
        Ok(())
    }

    /// Returns which subprotocols the server speaks.
    #[doc(alias = "supportedSubprotocols")]
    #[must_use]
    pub fn supported_subprotocols(&self) -> Vec<String> {
        self.inner.lock().gate.subprotocols.clone()
    }

    /// Emitted for each valid request before it is answered, with a question about its origin.
    ///
    /// Slots answer it with [`set_allowed`](CorsAuthenticator::set_allowed), before they return:
    /// connect them in the server's thread. A request that is refused gets a 403, and is reported by
    /// [`server_error`](Self::server_error) with
    /// [`CloseCode::POLICY_VIOLATED`](crate::CloseCode::POLICY_VIOLATED); after a panic in a slot it
    /// is a 500. Requests without an origin come with an empty one. A
    /// decision that has to wait for something is for [`set_verifier`](Self::set_verifier).
    ///
    /// # Qt
    ///
    /// `QWebSocketServer::originAuthenticationRequired()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{SslMode, WebSocketServer};
    ///
    /// let server = WebSocketServer::new("Chat", SslMode::NonSecure);
    /// server.origin_authentication_required().connect(|_server, cors| {
    ///     cors.set_allowed(cors.origin() == "https://chat.example.org");
    /// });
    /// ```
    #[doc(alias = "originAuthenticationRequired")]
    #[must_use]
    pub fn origin_authentication_required(&self) -> SignalRef<'_, Self, CorsAuthenticator> {
        SignalRef::new(self, &self.inner.origin_authentication_required)
    }
}
