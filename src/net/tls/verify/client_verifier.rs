//! Verifies the certificates of clients, for servers.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};

use crate::net::tls::error_conversion::rustls_error;
use crate::net::tls::verify::certificate_fields::Purpose;
use crate::net::tls::verify::chain::{Chain, Findings};
use crate::net::tls::verify::trust_anchors::TrustAnchors;
use crate::net::tls::{handshake_context, pem, provider};
use crate::types::error::Error;

/// Whether a server requests certificates from its clients.
///
/// It concerns servers only: clients always verify their server, and ignore errors only by
/// [`WebSocket::ignore_tls_errors`](crate::WebSocket::ignore_tls_errors). Neither side checks for
/// revocation.
///
/// # Qt
///
/// `QSslSocket::PeerVerifyMode`. There, `QueryPeer` accepts invalid certificates, and `VerifyNone`
/// makes a client accept any server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerVerifyMode {
    /// No certificate is requested. This is the default.
    #[doc(alias = "VerifyNone")]
    #[doc(alias = "AutoVerifyPeer")]
    #[default]
    None,
    /// A certificate is requested and may be missing; one that is sent must be valid.
    #[doc(alias = "QueryPeer")]
    Optional,
    /// Clients without a valid certificate are rejected.
    #[doc(alias = "VerifyPeer")]
    Required,
}

/// Verifies clients, and reports each error.
#[derive(Debug)]
struct ClientVerifier {
    trust: TrustAnchors,
    algorithms: WebPkiSupportedAlgorithms,
    is_mandatory: bool,
    hints: Vec<DistinguishedName>,
}

/// Returns the verifier of a mode.
///
/// # Errors
///
/// When clients are to be verified, but there is no trust anchor for them.
pub(crate) fn client_verifier(
    mode: PeerVerifyMode,
    trust: TrustAnchors,
) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    if mode == PeerVerifyMode::None {
        return Ok(WebPkiClientVerifier::no_client_auth());
    }
    let hints = trust.configured_as_roots()?.subjects();
    if hints.is_empty() {
        let reason = "without `ca_certificates` no client's certificate is valid";
        return Err(pem::unusable("the peer verify mode", reason));
    }
    let algorithms = provider().signature_verification_algorithms;
    let is_mandatory = mode == PeerVerifyMode::Required;
    Ok(Arc::new(ClientVerifier { trust, algorithms, is_mandatory, hints }))
}

impl ClientCertVerifier for ClientVerifier {
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
            // Reported, but never ignored by a server.
            handshake_context::report_errors(&errors, end_entity, intermediates);
            return Err(rustls_error(error));
        }
        handshake_context::set_peer_validity(validity);
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
