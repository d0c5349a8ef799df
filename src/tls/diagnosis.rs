//! Tells what rustls found wrong in the words of this crate.

use std::io;

use rustls::{AlertDescription, CertificateError, OtherError, PeerIncompatible};
use webpki::EndEntityCert;

use crate::tls_certificate::TlsCertificate;
use crate::tls_error::TlsError;

/// Tells why a handshake failed.
pub(crate) fn diagnose(error: &rustls::Error) -> TlsError {
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

/// Tells with which alert the peer has ended a connection, if it has.
pub(crate) fn received_alert(error: &io::Error) -> Option<TlsError> {
    let cause = error.get_ref()?.downcast_ref()?;
    matches!(cause, rustls::Error::AlertReceived(_)).then(|| diagnose(cause))
}

/// Tells what is wrong with a certificate.
pub(super) fn diagnose_certificate(
    error: &rustls::Error,
    certificate: &TlsCertificate,
) -> TlsError {
    use CertificateError::{
        Expired, ExpiredContext, InvalidPurpose, InvalidPurposeContext, NotValidForName,
        NotValidForNameContext, NotValidYet, NotValidYetContext, UnknownIssuer,
    };
    let certificate = certificate.clone();
    let rustls::Error::InvalidCertificate(cause) = error else {
        return TlsError::InvalidCertificate { certificate, reason: error.to_string() };
    };
    let is_self_signed = || is_self_signed(&certificate);
    match cause {
        UnknownIssuer if is_self_signed() => TlsError::SelfSignedCertificate(certificate),
        // Such as `openssl req -x509` makes.
        cause if is_authority(cause) && is_self_signed() => {
            TlsError::SelfSignedCertificate(certificate)
        }
        UnknownIssuer => TlsError::UntrustedCertificate(certificate),
        Expired | ExpiredContext { .. } => TlsError::CertificateExpired(certificate),
        NotValidYet | NotValidYetContext { .. } => TlsError::CertificateNotYetValid(certificate),
        NotValidForName | NotValidForNameContext { .. } => TlsError::HostNameMismatch(certificate),
        InvalidPurpose | InvalidPurposeContext { .. } => TlsError::InvalidPurpose(certificate),
        cause if is_authority(cause) => TlsError::InvalidPurpose(certificate),
        cause => TlsError::InvalidCertificate { certificate, reason: format!("{cause}") },
    }
}

/// Returns whether the certificate is that of an authority, which is none for a peer.
pub(super) fn is_authority(cause: &CertificateError) -> bool {
    let CertificateError::Other(OtherError(cause)) = cause else { return false };
    matches!(cause.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

/// Returns whether the certificate names itself as the one that signs it.
fn is_self_signed(certificate: &TlsCertificate) -> bool {
    let der = certificate.as_der().into();
    EndEntityCert::try_from(&der).is_ok_and(|parsed| parsed.issuer() == parsed.subject())
}
