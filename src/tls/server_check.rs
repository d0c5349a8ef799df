//! How a client checks the certificate of its server.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, SignatureScheme};

use crate::tls::diagnosis::diagnose_certificate;
use crate::tls::judge;
use crate::tls::trust::Trust;
use crate::tls::weak_key;
use crate::tls_certificate::TlsCertificate;
use crate::tls_error::TlsError;

/// Checks a server as rustls does, but goes on after an error that may be ignored.
#[derive(Debug)]
pub(super) struct ServerCheck {
    trust: Trust,
    algorithms: WebPkiSupportedAlgorithms,
}

/// What was found wrong, in the words of this crate and in those of rustls.
#[derive(Default)]
struct Findings {
    errors: Vec<TlsError>,
    first: Option<rustls::Error>,
}

impl ServerCheck {
    pub(super) const fn new(trust: Trust, algorithms: WebPkiSupportedAlgorithms) -> Self {
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
        let certificate = TlsCertificate::from_der(end_entity.as_ref());
        let mut findings = Findings::default();
        let parsed = match ParsedCertificate::try_from(end_entity) {
            Ok(parsed) => parsed,
            Err(error) => {
                findings.add(diagnose_certificate(&error, &certificate), error);
                return findings;
            }
        };
        if webpki::EndEntityCert::try_from(end_entity)
            .is_ok_and(|it| weak_key::is_weak(&it.subject_public_key_info()))
        {
            let error = TlsError::WeakKey(certificate.clone());
            findings.add(error, CertificateError::BadSignature.into());
        }
        self.check_chain(&parsed, intermediates, now, &certificate, &mut findings);
        if let Err(error) = verify_server_name(&parsed, server_name) {
            findings.add(diagnose_certificate(&error, &certificate), error);
        }
        findings
    }

    fn check_chain(
        &self,
        parsed: &ParsedCertificate<'_>,
        intermediates: &[CertificateDer<'_>],
        mut now: UnixTime,
        certificate: &TlsCertificate,
        findings: &mut Findings,
    ) {
        // Once for each error that looking at another time takes away, in the longest of chains.
        for _ in 0..MOST_ROUNDS {
            let result = verify_server_cert_signed_by_trust_anchor(
                parsed,
                &self.trust.roots,
                intermediates,
                now,
                self.algorithms.all,
            );
            let Err(error) = result else { return };
            if self.trust.is_named(certificate, &error) {
                return;
            }
            let another_time = valid_time(&error);
            findings.add(diagnose_certificate(&error, certificate), error);
            match another_time {
                Some(time) => now = time,
                None => return,
            }
        }
        let error = CertificateError::ApplicationVerificationFailure.into();
        findings.add(diagnose_certificate(&error, certificate), error);
    }
}

impl Findings {
    fn add(&mut self, error: TlsError, cause: rustls::Error) {
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
        self.first.get_or_insert(cause);
    }
}

/// Returns the time nearest to now at which the certificate was, or will be, valid.
fn valid_time(error: &rustls::Error) -> Option<UnixTime> {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::ExpiredContext {
            not_after, ..
        }) => Some(*not_after),
        rustls::Error::InvalidCertificate(CertificateError::NotValidYetContext {
            not_before,
            ..
        }) => Some(*not_before),
        _ => None,
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
        match findings.first {
            Some(error) if !judge::may_be_ignored(&findings.errors) => Err(error),
            _ => Ok(ServerCertVerified::assertion()),
        }
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

const MOST_ROUNDS: usize = 8;
