//! The argument of a verifier: the request of a client and its address.

use std::net::{IpAddr, SocketAddr};

#[cfg(feature = "tls")]
use crate::net::tls::TlsSession;
use crate::protocol::handshake::request::HandshakeRequest;
use crate::types::peer_credentials::PeerCredentials;

/// The opening handshake of a client: its request, address and TLS session.
///
/// See [`WebSocketServer::set_verifier`](crate::WebSocketServer::set_verifier).
#[derive(Clone, Debug)]
pub struct OpeningHandshake {
    request: HandshakeRequest,
    peer: SocketAddr,
    client: Option<IpAddr>,
    credentials: Option<PeerCredentials>,
    #[cfg(feature = "tls")]
    tls_session: Option<TlsSession>,
}

impl OpeningHandshake {
    pub(crate) const fn new(
        request: HandshakeRequest,
        peer: SocketAddr,
        client: Option<IpAddr>,
        credentials: Option<PeerCredentials>,
        #[cfg(feature = "tls")] tls_session: Option<TlsSession>,
    ) -> Self {
        Self {
            request,
            peer,
            client,
            credentials,
            #[cfg(feature = "tls")]
            tls_session,
        }
    }

    /// Returns the request: the resource name, and all headers.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{SslMode, Verdict, WebSocketServer};
    ///
    /// let server = WebSocketServer::new("Chat", SslMode::NonSecure);
    /// server.set_verifier(async |_server, handshake| {
    ///     match handshake.request().resource_name() {
    ///         "/chat" => Verdict::accept(),
    ///         path => Verdict::refuse(404, format!("there is no {path}\n")),
    ///     }
    /// });
    /// ```
    #[must_use]
    pub const fn request(&self) -> &HandshakeRequest {
        &self.request
    }

    /// Returns the address of the peer; that of the proxy if there is one.
    ///
    /// It is 0.0.0.0, with port 0, for a stream without an address, such as a Unix socket.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::OpeningHandshake;
    ///
    /// /// Returns whether the client is a program of this machine.
    /// fn is_local(handshake: &OpeningHandshake) -> bool {
    ///     handshake.peer_address().is_loopback()
    /// }
    /// ```
    #[must_use]
    pub const fn peer_address(&self) -> IpAddr {
        self.peer.ip()
    }

    /// Returns the address of the client, also behind trusted proxies.
    ///
    /// It is the peer's address, unless the peer is one of
    /// [`set_trusted_proxies`](crate::WebSocketServer::set_trusted_proxies); `None` when those do
    /// not report it, and for a stream without an address.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::net::IpAddr;
    ///
    /// use slotwork::{OpeningHandshake, Verdict};
    ///
    /// fn verify(handshake: &OpeningHandshake, banned: &[IpAddr]) -> Verdict {
    ///     match handshake.client_address() {
    ///         Some(address) if !banned.contains(&address) => Verdict::accept(),
    ///         _ => Verdict::refuse(403, ""),
    ///     }
    /// }
    /// ```
    #[must_use]
    pub const fn client_address(&self) -> Option<IpAddr> {
        self.client
    }

    /// Returns the port of the peer.
    #[must_use]
    pub const fn peer_port(&self) -> u16 {
        self.peer.port()
    }

    /// Returns the credentials of the peer's process; `None` unless over a Unix socket.
    ///
    /// Otherwise as [`WebSocket::peer_credentials`](crate::WebSocket::peer_credentials).
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{SslMode, Verdict, WebSocketServer};
    ///
    /// let server = WebSocketServer::new("Chat", SslMode::NonSecure);
    /// server.set_verifier(async |_server, handshake| {
    ///     match handshake.peer_credentials() {
    ///         Some(peer) if peer.user_id == 1000 => Verdict::accept(),
    ///         _ => Verdict::refuse(403, ""),
    ///     }
    /// });
    /// ```
    #[must_use]
    pub const fn peer_credentials(&self) -> Option<PeerCredentials> {
        self.credentials
    }

    /// Returns the TLS session with the client's certificate; `None` without TLS.
    ///
    /// It is also `None` when another library has done TLS.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{OpeningHandshake, Verdict};
    ///
    /// /// Accepts clients with a certificate, which is then data of the socket.
    /// fn verify(handshake: &OpeningHandshake) -> Verdict {
    ///     match handshake.tls_session().and_then(|session| session.peer_certificate()) {
    ///         Some(certificate) => Verdict::accept_with(certificate.clone()),
    ///         None => Verdict::refuse(401, "a certificate is required\n"),
    ///     }
    /// }
    /// ```
    #[cfg(feature = "tls")]
    #[must_use]
    pub const fn tls_session(&self) -> Option<&TlsSession> {
        self.tls_session.as_ref()
    }
}
