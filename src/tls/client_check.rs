//! How a server checks the certificates of its clients.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, SignatureScheme};

use crate::error::Error;
use crate::tls::diagnosis::diagnose_certificate;
use crate::tls::peer_verify_mode::PeerVerifyMode;
use crate::tls::trust::Trust;
use crate::tls::{judge, pem, provider};
use crate::tls_certificate::TlsCertificate;

/// Checks clients as rustls does, and tells what is wrong.
#[derive(Debug)]
struct ClientCheck {
    trust: Trust,
    check: Arc<dyn ClientCertVerifier>,
    /// No authority is trusted: whom the check trusts must be named.
    is_by_name: bool,
    hints: Vec<DistinguishedName>,
}

/// Returns what checks clients in this mode.
pub(super) fn client_check(
    mode: PeerVerifyMode,
    trust: Trust,
) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    let named = Arc::new(trust.named_as_roots()?);
    let (is_by_name, hints) = (trust.roots.is_empty(), named.subjects());
    // rustls makes no check that trusts nobody.
    let roots = if is_by_name { named } else { Arc::clone(&trust.roots) };
    let builder = WebPkiClientVerifier::builder_with_provider(roots, provider());
    let builder = match mode {
        PeerVerifyMode::None => return Ok(WebPkiClientVerifier::no_client_auth()),
        PeerVerifyMode::Optional => builder.allow_unauthenticated(),
        PeerVerifyMode::Required => builder,
    };
    let check = builder.build().map_err(|_| {
        let reason = "without `ca_certificates` no client's certificate is right";
        pem::unusable("the peer verify mode", reason)
    })?;
    Ok(Arc::new(ClientCheck { trust, check, is_by_name, hints }))
}

impl ClientCertVerifier for ClientCheck {
    fn offer_client_auth(&self) -> bool {
        self.check.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.check.client_auth_mandatory()
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
        let mut result = self.check.verify_client_cert(end_entity, intermediates, now);
        if result.is_ok() && self.is_by_name {
            result = Err(CertificateError::UnknownIssuer.into());
        }
        let Err(error) = &result else { return result };
        let certificate = TlsCertificate::from_der(end_entity.as_ref());
        if self.trust.is_named(&certificate, error) {
            return Ok(ClientCertVerified::assertion());
        }
        // Told, not asked: a server ignores nothing.
        judge::may_be_ignored(&[diagnose_certificate(error, &certificate)]);
        result
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.check.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.check.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.check.supported_verify_schemes()
    }
}
