//! Certificates and TLS errors, also in builds without TLS.

use std::fmt;
use std::sync::Arc;

/// The certificate of a server, a client or a certificate authority.
///
/// A handle that is cheap to clone. Two are equal when their bytes are.
///
/// # Qt
///
/// `QSslCertificate`.
///
/// # Examples
///
/// ```no_run
/// use slotwork::{Error, TlsCertificate, TlsConfig};
///
/// # fn main() -> Result<(), Error> {
/// let authority = TlsCertificate::from_pem_file("authority.pem")?;
/// let config = TlsConfig::new().ca_certificates(authority);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct TlsCertificate {
    der: Arc<[u8]>,
}

impl TlsCertificate {
    /// Makes a certificate of its DER encoding (X.690).
    ///
    /// It is parsed when it is used.
    #[must_use]
    pub fn from_der(der: impl Into<Vec<u8>>) -> Self {
        Self { der: der.into().into() }
    }

    /// Returns the DER encoding.
    #[doc(alias = "toDer")]
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }
}

impl fmt::Debug for TlsCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TlsCertificate({} bytes)", self.der.len())
    }
}

/// The reason why a TLS handshake failed, or its peer is not trusted.
///
/// Errors about a certificate carry it: the peer's, or one of its chain that is not valid at this
/// time. Those that are [ignorable](Self::is_ignorable) can be ignored one by one by a client, with
/// [`WebSocket::ignore_tls_errors`](crate::WebSocket::ignore_tls_errors).
///
/// # Qt
///
/// `QSslError`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The certificate is self-signed, and not a trust anchor.
    #[error("the certificate is self-signed")]
    SelfSignedCertificate(TlsCertificate),
    /// The issuer of the certificate is not trusted.
    #[doc(alias = "UnableToGetLocalIssuerCertificate")]
    #[error("the issuer of the certificate is not trusted")]
    UntrustedCertificate(TlsCertificate),
    /// A certificate of the chain has expired.
    #[error("the certificate has expired")]
    CertificateExpired(TlsCertificate),
    /// A certificate of the chain is not valid yet.
    #[error("the certificate is not valid yet")]
    CertificateNotYetValid(TlsCertificate),
    /// The certificate is not valid for the host name.
    #[error("the certificate is not valid for this host name")]
    HostNameMismatch(TlsCertificate),
    /// The certificate is not valid for this purpose.
    ///
    /// It is that of a client or an authority, for example, or its key is not for signatures (RFC
    /// 5280 §4.2.1.3, §4.2.1.9 and §4.2.1.12).
    #[error("the certificate is not valid for this purpose")]
    InvalidPurpose(TlsCertificate),
    /// The key of the certificate is too short: RSA with less than 2048 bits.
    #[error("the key of the certificate is too weak")]
    WeakKey(TlsCertificate),
    /// The certificate is invalid in another way.
    #[error("the certificate is invalid: {reason}")]
    InvalidCertificate {
        /// The certificate.
        certificate: TlsCertificate,
        /// The defect.
        reason: String,
    },
    /// The peer sent no certificate, although one is required.
    #[error("the peer sent no certificate")]
    NoPeerCertificate,
    /// The peer supports neither TLS 1.2 nor TLS 1.3, or not the one that is allowed.
    #[error("no common TLS version")]
    UnsupportedProtocol,
    /// The peer does not speak TLS: HTTP without TLS, for instance.
    #[error("the peer does not speak TLS")]
    NotTls,
    /// The peer ended the handshake with this alert (RFC 8446 §6.2).
    #[error("the peer ended the handshake: {0}")]
    Alert(String),
    /// Another error of the TLS library.
    #[error("{0}")]
    Other(String),
}

impl TlsError {
    /// Returns the certificate that the error concerns, if any.
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

    /// Returns whether a client can ignore the error.
    ///
    /// True for self-signed certificates, certificates outside their validity period, and those of
    /// another host.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// `QSslError::certificate()` is null for errors of no certificate; only doubts about one can
    /// be ignored.
    #[test]
    fn errors_of_a_certificate_have_it() {
        let certificate = TlsCertificate::from_der([1, 2, 3]);
        let of = |make: fn(TlsCertificate) -> TlsError| make(certificate.clone());
        let ignorable = [
            of(TlsError::SelfSignedCertificate),
            of(TlsError::CertificateExpired),
            of(TlsError::CertificateNotYetValid),
            of(TlsError::HostNameMismatch),
        ];
        let severe = [
            of(TlsError::UntrustedCertificate),
            of(TlsError::InvalidPurpose),
            of(TlsError::WeakKey),
            of(|certificate| TlsError::InvalidCertificate { certificate, reason: String::new() }),
        ];
        let others = [
            TlsError::NoPeerCertificate,
            TlsError::UnsupportedProtocol,
            TlsError::NotTls,
            TlsError::Alert(String::new()),
            TlsError::Other(String::new()),
        ];

        for error in ignorable.iter().chain(&severe) {
            assert_eq!(error.certificate(), Some(&certificate), "{error:?}");
        }
        for error in &others {
            assert_eq!(error.certificate(), None, "{error:?}");
        }
        assert!(ignorable.iter().all(TlsError::is_ignorable));
        assert!(!severe.iter().chain(&others).any(TlsError::is_ignorable));
    }
}
