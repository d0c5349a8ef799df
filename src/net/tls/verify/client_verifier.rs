//! How a server checks the certificates of its clients.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};

use crate::net::tls::error_conversion::refusal;
use crate::net::tls::peer_verify_mode::PeerVerifyMode;
use crate::net::tls::verify::certificate_fields::Purpose;
use crate::net::tls::verify::chain::{Chain, Findings};
use crate::net::tls::verify::trust_anchors::Trust;
use crate::net::tls::{handshake_context, pem, provider};
use crate::types::error::Error;

/// Checks clients, and reports what is wrong.
#[derive(Debug)]
struct ClientCheck {
    trust: Trust,
    algorithms: WebPkiSupportedAlgorithms,
    is_mandatory: bool,
    hints: Vec<DistinguishedName>,
}

/// Returns what checks clients in this mode.
pub(crate) fn client_check(
    mode: PeerVerifyMode,
    trust: Trust,
) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    if mode == PeerVerifyMode::None {
        return Ok(WebPkiClientVerifier::no_client_auth());
    }
    let hints = trust.named_as_roots()?.subjects();
    if hints.is_empty() {
        let reason = "without `ca_certificates` no client's certificate is right";
        return Err(pem::unusable("the peer verify mode", reason));
    }
    let algorithms = provider().signature_verification_algorithms;
    let is_mandatory = mode == PeerVerifyMode::Required;
    Ok(Arc::new(ClientCheck { trust, algorithms, is_mandatory, hints }))
}

impl ClientCertVerifier for ClientCheck {
    fn client_auth_mandatory(&self) -> bool {
        self.is_mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let Findings { errors, validity, .. } = Chain {
            trust: &self.trust,
            algorithms: self.algorithms,
            purpose: Purpose::Client,
            end_entity,
            intermediates,
        }
        .check(now);
        if let Some(error) = errors.first() {
            // Reported, and never ignored by a server.
            handshake_context::may_be_ignored(&errors, end_entity, intermediates);
            return Err(refusal(error));
        }
        handshake_context::note_validity(validity);
        Ok(ClientCertVerified::assertion())
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
