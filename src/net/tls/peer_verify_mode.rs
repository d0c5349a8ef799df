//! Whether a server asks its clients for certificates.

/// Whether a server asks its clients for certificates.
///
/// It is about servers alone: a client checks its server always, and what it may ignore it is told
/// with [`WebSocket::ignore_tls_errors`](crate::WebSocket::ignore_tls_errors). Neither side checks
/// whether a certificate was revoked.
///
/// # Qt
///
/// `QSslSocket::PeerVerifyMode`. There, a certificate that `QueryPeer` brings may be wrong, and
/// `VerifyNone` makes a client trust everybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerVerifyMode {
    /// Clients are not asked. This is the default.
    #[doc(alias = "VerifyNone")]
    #[doc(alias = "AutoVerifyPeer")]
    #[default]
    None,
    /// Clients are asked and may have none; one that comes must be right.
    #[doc(alias = "QueryPeer")]
    Optional,
    /// Clients without a certificate that is right are refused.
    #[doc(alias = "VerifyPeer")]
    Required,
}
