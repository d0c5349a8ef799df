//! How a client checks the certificate of its server.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use webpki::EndEntityCert;

use crate::net::tls::error_conversion::{diagnose_certificate, refusal};
use crate::net::tls::handshake_context;
use crate::net::tls::verify::certificate_fields::Purpose;
use crate::net::tls::verify::chain::{Chain, Findings};
use crate::net::tls::verify::trust_anchors::Trust;
use crate::net::tls::verify::weak_key;
use crate::types::tls_certificate::TlsCertificate;
use crate::types::tls_error::TlsError;

/// Checks a server as rustls does, but goes on after an error that may be ignored.
#[derive(Debug)]
pub(crate) struct ServerCheck {
    trust: Trust,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCheck {
    pub(crate) const fn new(trust: Trust, algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self { trust, algorithms }
    }

    /// Looks at all of it, as far as that is possible.
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
        if weak_key::is_weak(&parsed.subject_public_key_info()) {
            findings.errors.insert(0, TlsError::WeakKey(certificate()));
        }
        if let Err(error) = parsed.verify_is_valid_for_subject_name(server_name) {
            findings.errors.push(diagnose_certificate(&error, &certificate()));
        }
        findings
    }
}

impl ServerCertVerifier for ServerCheck {
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
            |errors: &[_]| handshake_context::may_be_ignored(errors, end_entity, intermediates);
        if errors.is_empty() {
            handshake_context::note_validity(validity);
        } else if !is_ignored(&errors) {
            return Err(refusal(&errors.swap_remove(0)));
        } else if !is_complete {
            let certificate = TlsCertificate::from_der(end_entity.as_ref());
            let error = TlsError::InvalidCertificate { certificate, reason: NEVER_VALID.into() };
            is_ignored(std::slice::from_ref(&error));
            return Err(refusal(&error));
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

/// What was wrong then cannot be found out: there is no time as of which to look at the chain.
const NEVER_VALID: &str = "it and those that sign it were never valid at the same time";
