//! Verifies the certificate of a server, for clients.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use webpki::EndEntityCert;

use crate::net::tls::error_conversion::{certificate_error, rustls_error};
use crate::net::tls::handshake_context;
use crate::net::tls::verify::certificate_fields::Purpose;
use crate::net::tls::verify::chain::{Chain, Findings};
use crate::net::tls::verify::trust_anchors::TrustAnchors;
use crate::types::tls::{TlsCertificate, TlsError};

/// Verifies servers as rustls does, but continues after errors that may be ignored.
#[derive(Debug)]
pub(crate) struct ServerVerifier {
    trust: TrustAnchors,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerVerifier {
    pub(crate) const fn new(trust: TrustAnchors, algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self { trust, algorithms }
    }

    /// Checks each rule, as far as that is possible.
    fn check(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        now: UnixTime,
    ) -> Findings {
        let certificate = || TlsCertificate::from_der(end_entity.as_ref());
        let chain = Chain {
            trust: &self.trust,
            algorithms: self.algorithms,
            purpose: Purpose::Server,
            end_entity,
            intermediates,
        };
        let mut findings = chain.check(now);
        let Ok(parsed) = EndEntityCert::try_from(end_entity) else { return findings };
        if let Err(error) = parsed.verify_is_valid_for_subject_name(server_name) {
            findings.errors.push(certificate_error(&error, &certificate()));
        }
        findings
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let findings = self.check(end_entity, intermediates, server_name, now);
        let Findings { mut errors, is_complete, validity } = findings;
        let is_ignored =
            |errors: &[_]| handshake_context::report_errors(errors, end_entity, intermediates);
        if errors.is_empty() {
            handshake_context::set_peer_validity(validity);
        } else if !is_ignored(&errors) {
            return Err(rustls_error(&errors.swap_remove(0)));
        } else if !is_complete {
            let certificate = TlsCertificate::from_der(end_entity.as_ref());
            let error = TlsError::InvalidCertificate { certificate, reason: NEVER_VALID.into() };
            is_ignored(std::slice::from_ref(&error));
            return Err(rustls_error(&error));
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// There is no time as of which the other rules could be checked.
const NEVER_VALID: &str = "the certificates of its chain were never valid at the same time";
