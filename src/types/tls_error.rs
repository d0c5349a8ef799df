//! What can be wrong with the other end of a TLS handshake.

use crate::types::tls_certificate::TlsCertificate;

/// Why the other end of a TLS handshake is not to be trusted, or why there is no handshake at all.
///
/// Those about a certificate carry it: the peer's, or one of the chain that is out of its time. Of
/// these, [`is_ignorable`](Self::is_ignorable) says which a client may ignore, one by one, with
/// [`WebSocket::ignore_tls_errors`](crate::WebSocket::ignore_tls_errors).
///
/// # Qt
///
/// `QSslError`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The certificate is signed by itself, and not one that is trusted.
    #[error("the certificate is self-signed")]
    SelfSignedCertificate(TlsCertificate),
    /// The certificate is signed by somebody who is not trusted.
    #[doc(alias = "UnableToGetLocalIssuerCertificate")]
    #[error("the issuer of the certificate is not trusted")]
    UntrustedCertificate(TlsCertificate),
    /// The certificate has expired: the peer's, or one of the authorities' up to a trusted one.
    #[error("the certificate has expired")]
    CertificateExpired(TlsCertificate),
    /// The certificate is not valid yet: the peer's, or one of the authorities' up to a trusted one.
    #[error("the certificate is not valid yet")]
    CertificateNotYetValid(TlsCertificate),
    /// The certificate is that of another host.
    #[error("the certificate is not valid for this host name")]
    HostNameMismatch(TlsCertificate),
    /// The certificate is for another purpose: that of a client, say, or of an authority.
    #[error("the certificate is not valid for this purpose")]
    InvalidPurpose(TlsCertificate),
    /// The key of the certificate is too short to be safe: RSA with less than 2048 bits.
    #[error("the key of the certificate is too weak")]
    WeakKey(TlsCertificate),
    /// Something else is wrong with the certificate.
    #[error("the certificate is invalid: {reason}")]
    InvalidCertificate {
        /// The certificate.
        certificate: TlsCertificate,
        /// What is wrong with it.
        reason: String,
    },
    /// The peer has shown no certificate, and must.
    #[error("the peer sent no certificate")]
    NoPeerCertificate,
    /// The peer speaks neither TLS 1.2 nor TLS 1.3, or none of them that is allowed.
    #[error("no common TLS version")]
    UnsupportedProtocol,
    /// The peer does not speak TLS: HTTP without TLS, for instance.
    #[error("the peer does not speak TLS")]
    NotTls,
    /// The peer has ended the handshake, and says why (RFC 8446 §6.2).
    #[error("the peer ended the handshake: {0}")]
    Alert(String),
    /// Something else went wrong.
    #[error("{0}")]
    Other(String),
}

impl TlsError {
    /// Returns the certificate that the error is about, if it is about one.
    #[must_use]
    pub const fn certificate(&self) -> Option<&TlsCertificate> {
        match self {
            Self::SelfSignedCertificate(certificate)
            | Self::UntrustedCertificate(certificate)
            | Self::CertificateExpired(certificate)
            | Self::CertificateNotYetValid(certificate)
            | Self::HostNameMismatch(certificate)
            | Self::InvalidPurpose(certificate)
            | Self::WeakKey(certificate)
            | Self::InvalidCertificate { certificate, .. } => Some(certificate),
            Self::NoPeerCertificate
            | Self::UnsupportedProtocol
            | Self::NotTls
            | Self::Alert(_)
            | Self::Other(_) => None,
        }
    }

    /// Returns whether a client may ignore this: who signs the certificate of a server that is
    /// known by its certificate, when certificates of its chain are valid, and for which host.
    #[must_use]
    pub const fn is_ignorable(&self) -> bool {
        matches!(
            self,
            Self::SelfSignedCertificate(_)
                | Self::CertificateExpired(_)
                | Self::CertificateNotYetValid(_)
                | Self::HostNameMismatch(_)
        )
    }
}
