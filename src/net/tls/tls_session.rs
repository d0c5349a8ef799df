//! The negotiated values of a TLS connection: version, cipher suite, certificates.

use rustls::{CipherSuite, Connection, HandshakeKind, ProtocolVersion};

use crate::types::tls::TlsCertificate;

/// A version of TLS.
///
/// # Qt
///
/// `QSsl::SslProtocol`, of which only these two are secure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TlsProtocol {
    /// TLS 1.2 (RFC 5246).
    #[doc(alias = "TlsV1_2")]
    #[doc(alias = "TlsV1_2OrLater")]
    V1_2,
    /// TLS 1.3 (RFC 8446).
    #[doc(alias = "TlsV1_3")]
    #[doc(alias = "TlsV1_3OrLater")]
    V1_3,
}

/// The negotiated values of an open `wss` connection.
///
/// See [`WebSocket::tls_session`](crate::WebSocket::tls_session).
///
/// # Qt
///
/// The part of `QWebSocket::sslConfiguration()` that describes a connection: `sessionProtocol()`,
/// `sessionCipher()`, `peerCertificateChain()`.
#[derive(Clone, Debug)]
pub struct TlsSession {
    protocol: TlsProtocol,
    cipher: String,
    peer_certificates: Vec<TlsCertificate>,
    server_name: Option<String>,
    is_resumed: bool,
}

impl TlsSession {
    /// Reads the values of a connection after its handshake.
    pub(crate) fn of(connection: &Connection) -> Self {
        let protocol = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => TlsProtocol::V1_2,
            _ => TlsProtocol::V1_3,
        };
        let cipher = connection.negotiated_cipher_suite();
        let server_name = match connection {
            Connection::Server(server) => server.server_name().map(str::to_owned),
            Connection::Client(_) => None,
        };
        let certificates = connection.peer_certificates().unwrap_or_default();
        Self {
            protocol,
            cipher: cipher.map(|suite| format!("{:?}", suite.suite())).unwrap_or_default(),
            peer_certificates: certificates
                .iter()
                .map(|der| TlsCertificate::from_der(der.as_ref()))
                .collect(),
            server_name,
            is_resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }

    /// Makes a session of the values that are known during the handshake.
    pub(super) fn in_handshake(suite: CipherSuite, certificates: Vec<TlsCertificate>) -> Self {
        // RFC 8446 §B.4: the cipher suites of TLS 1.3 begin with 0x13.
        let [first, _] = u16::from(suite).to_be_bytes();
        Self {
            protocol: if first == 0x13 { TlsProtocol::V1_3 } else { TlsProtocol::V1_2 },
            cipher: format!("{suite:?}"),
            peer_certificates: certificates,
            server_name: None,
            is_resumed: false,
        }
    }

    /// Returns the version of TLS.
    #[doc(alias = "sessionProtocol")]
    #[must_use]
    pub const fn protocol(&self) -> TlsProtocol {
        self.protocol
    }

    /// Returns the name of the cipher suite, such as `TLS13_AES_256_GCM_SHA384`.
    #[doc(alias = "sessionCipher")]
    #[must_use]
    pub fn cipher(&self) -> &str {
        &self.cipher
    }

    /// Returns the peer's certificate, if it has sent one.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{OpeningHandshake, TlsCertificate};
    ///
    /// /// Returns whether a client has one of these certificates; to be called in a verifier.
    /// fn is_known(handshake: &OpeningHandshake, known: &[TlsCertificate]) -> bool {
    ///     let certificate = handshake.tls_session().and_then(|session| session.peer_certificate());
    ///     certificate.is_some_and(|certificate| known.contains(certificate))
    /// }
    /// ```
    #[doc(alias = "peerCertificate")]
    #[must_use]
    pub fn peer_certificate(&self) -> Option<&TlsCertificate> {
        self.peer_certificates.first()
    }

    /// Returns the peer's certificate and its intermediates, as sent; may be empty.
    #[doc(alias = "peerCertificateChain")]
    #[must_use]
    pub fn peer_certificates(&self) -> &[TlsCertificate] {
        &self.peer_certificates
    }

    /// Returns the host name of the client's SNI (RFC 6066 §3), on a server's side.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// Returns whether the connection resumed an earlier session.
    #[must_use]
    pub const fn is_resumed(&self) -> bool {
        self.is_resumed
    }
}
