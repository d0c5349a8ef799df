//! Conversions between the errors of rustls and [`TlsError`].

use std::io;

use rustls::{AlertDescription, CertificateError, PeerIncompatible};
use webpki::EndEntityCert;

use crate::types::tls::{TlsCertificate, TlsError};

/// Returns the reason of a failed handshake.
pub(crate) fn tls_error(error: &rustls::Error) -> TlsError {
    use PeerIncompatible::{
        ServerDoesNotSupportTls12Or13, ServerTlsVersionIsDisabledByOurConfig,
        SignatureAlgorithmsExtensionRequired, SupportedVersionsExtensionRequired, Tls12NotOffered,
        Tls12NotOfferedOrEnabled, Tls13RequiredForQuic,
    };
    match error {
        rustls::Error::PeerIncompatible(
            ServerDoesNotSupportTls12Or13
            | ServerTlsVersionIsDisabledByOurConfig
            | SupportedVersionsExtensionRequired
            // Before TLS 1.2 there was none (RFC 5246 §7.4.1.4.1).
            | SignatureAlgorithmsExtensionRequired
            | Tls12NotOffered
            | Tls12NotOfferedOrEnabled
            | Tls13RequiredForQuic,
        )
        | rustls::Error::AlertReceived(AlertDescription::ProtocolVersion) => {
            TlsError::UnsupportedProtocol
        }
        rustls::Error::NoCertificatesPresented => TlsError::NoPeerCertificate,
        rustls::Error::AlertReceived(alert) => TlsError::Alert(format!("{alert:?}")),
        error => TlsError::Other(error.to_string()),
    }
}

/// Returns the alert with which the peer has ended a connection, if there was one.
pub(crate) fn received_alert(error: &io::Error) -> Option<TlsError> {
    let cause = error.get_ref()?.downcast_ref()?;
    matches!(cause, rustls::Error::AlertReceived(_)).then(|| tls_error(cause))
}

/// Returns the error of a peer's certificate.
pub(crate) fn certificate_error(error: &webpki::Error, certificate: &TlsCertificate) -> TlsError {
    use webpki::Error::{
        CaUsedAsEndEntity, CertExpired, CertNotValidForName, CertNotValidYet,
        RequiredEkuNotFoundContext, UnknownIssuer,
    };
    let certificate = certificate.clone();
    match error {
        // The second one for certificates such as `openssl req -x509` makes.
        UnknownIssuer | CaUsedAsEndEntity if is_self_signed(&certificate) => {
            TlsError::SelfSignedCertificate(certificate)
        }
        UnknownIssuer => TlsError::UntrustedCertificate(certificate),
        CertExpired { .. } => TlsError::CertificateExpired(certificate),
        CertNotValidYet { .. } => TlsError::CertificateNotYetValid(certificate),
        CertNotValidForName(_) => TlsError::HostNameMismatch(certificate),
        CaUsedAsEndEntity | RequiredEkuNotFoundContext(_) => TlsError::InvalidPurpose(certificate),
        error => TlsError::InvalidCertificate { certificate, reason: error.to_string() },
    }
}

/// Returns the error with which rustls rejects a peer; it determines the alert.
pub(crate) fn rustls_error(error: &TlsError) -> rustls::Error {
    let cause = match error {
        TlsError::SelfSignedCertificate(_) | TlsError::UntrustedCertificate(_) => {
            CertificateError::UnknownIssuer
        }
        TlsError::CertificateExpired(_) => CertificateError::Expired,
        TlsError::CertificateNotYetValid(_) => CertificateError::NotValidYet,
        TlsError::HostNameMismatch(_) => CertificateError::NotValidForName,
        TlsError::InvalidPurpose(_) => CertificateError::InvalidPurpose,
        TlsError::WeakKey(_) => CertificateError::BadSignature,
        _ => CertificateError::BadEncoding,
    };
    cause.into()
}

/// Returns whether subject and issuer of the certificate are the same.
fn is_self_signed(certificate: &TlsCertificate) -> bool {
    let der = certificate.as_der().into();
    EndEntityCert::try_from(&der).is_ok_and(|parsed| parsed.issuer() == parsed.subject())
}
