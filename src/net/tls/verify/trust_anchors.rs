//! Trust anchors: those of the system's trust store, and configured ones.

use std::sync::{Arc, OnceLock};

use log::{debug, warn};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::VerifiedPath;
use x509_cert::Version;

use crate::net::tls::pem;
use crate::net::tls::verify::certificate_fields::{CertificateFields, ParsedCertificate, Purpose};
use crate::types::error::Error;
use crate::types::tls::TlsCertificate;

/// Authorities, and certificates of peers that are trusted themselves.
#[derive(Clone, Debug)]
pub(crate) struct TrustAnchors {
    /// All authorities.
    pub(crate) roots: Arc<RootCertStore>,
    /// The authorities that the program configures.
    authorities: Vec<Authority>,
    /// The certificates that the program configures.
    configured: Vec<TlsCertificate>,
}

/// An authority that the program configures.
#[derive(Clone, Debug)]
struct Authority {
    anchor: TrustAnchor<'static>,
    certificate: TlsCertificate,
    fields: CertificateFields,
}

impl TrustAnchors {
    /// Makes them of configured certificates, with or without the system's trust store.
    pub(crate) fn new(configured: Vec<TlsCertificate>, with_system: bool) -> Result<Self, Error> {
        let mut roots = if with_system { system_roots() } else { RootCertStore::empty() };
        // An unusable certificate is an error of the configuration, not of each handshake.
        let anchors = anchors(&configured)?.roots;
        let mut authorities: Vec<_> =
            anchors.into_iter().zip(&configured).filter_map(Authority::new).collect();
        // The system's trust is not limited by another certificate for the same name and key.
        authorities.retain(|authority| !roots.roots.contains(&authority.anchor));
        roots.extend(authorities.iter().map(|authority| authority.anchor.clone()));
        Ok(Self { roots: Arc::new(roots), authorities, configured })
    }

    /// Returns the configured certificates, as if each were an authority.
    pub(crate) fn configured_as_roots(&self) -> Result<RootCertStore, Error> {
        anchors(&self.configured)
    }

    /// Returns whether the program configures this very certificate.
    pub(crate) fn is_configured(&self, certificate: &TlsCertificate) -> bool {
        self.configured.contains(certificate)
    }

    /// Returns the authorities that the program configures.
    pub(crate) fn configured_authorities(&self) -> impl Iterator<Item = ParsedCertificate> {
        self.authorities.iter().map(Authority::certificate)
    }

    /// Returns the authority at the end of a path; `None` for one of the system.
    ///
    /// webpki knows only name and key of an authority. Two certificates may have both in common:
    /// one that allows the path is enough.
    pub(crate) fn authority(
        &self,
        path: &VerifiedPath<'_>,
        purpose: Purpose,
        time: UnixTime,
    ) -> Result<Option<ParsedCertificate>, webpki::Error> {
        let candidates = self.authorities.iter().filter(|it| it.anchor == *path.anchor());
        let mut outcome = Ok(None);
        for authority in candidates {
            outcome = authority.check(path, purpose, time).map(|()| Some(authority.certificate()));
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }
}

impl Authority {
    /// Returns `None` for a certificate that is not an authority's.
    ///
    /// RFC 5280 §6.1.4 leaves certificates of version 1 to the implementation.
    fn new((anchor, certificate): (TrustAnchor<'static>, &TlsCertificate)) -> Option<Self> {
        let fields = CertificateFields::read(certificate);
        if fields.as_ref().is_none_or(|fields| fields.version != Version::V3) {
            warn!(
                "a trusted certificate is unreadable or not of version 3, so it is not an authority's"
            );
        }
        let fields = fields.filter(CertificateFields::is_authority)?;
        Some(Self { anchor, certificate: certificate.clone(), fields })
    }

    fn certificate(&self) -> ParsedCertificate {
        ParsedCertificate {
            certificate: self.certificate.clone(),
            fields: Some(self.fields.clone()),
        }
    }

    /// Checks the path by the fields of the authority's certificate (RFC 5280 §6.1.4).
    fn check(
        &self,
        path: &VerifiedPath<'_>,
        purpose: Purpose,
        time: UnixTime,
    ) -> Result<(), webpki::Error> {
        let validity = self.fields.validity;
        if time < validity.begin() {
            return Err(webpki::Error::CertNotValidYet { time, not_before: validity.begin() });
        }
        if time > validity.end() {
            return Err(webpki::Error::CertExpired { time, not_after: validity.end() });
        }
        // Self-issued certificates do not count.
        let between = path.intermediate_certificates().filter(|it| it.issuer() != it.subject());
        if !self.fields.allows_intermediates(between.count()) {
            return Err(webpki::Error::PathLenConstraintViolated);
        }
        if !self.fields.allows_purpose(purpose) {
            return Err(purpose.error());
        }
        if self.fields.has_unknown_critical_extension {
            return Err(webpki::Error::UnsupportedCriticalExtension);
        }
        Ok(())
    }
}

fn anchors(certificates: &[TlsCertificate]) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots
            .add(CertificateDer::from(certificate.as_der().to_vec()))
            .map_err(|error| pem::unusable("a trusted certificate", &error.to_string()))?;
    }
    Ok(roots)
}

/// Returns the system's trust store, which is read once.
fn system_roots() -> RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    let roots = ROOTS.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            warn!("some certificates of the system cannot be read: {error}");
        }
        let mut roots = RootCertStore::empty();
        let (count, unusable) = roots.add_parsable_certificates(found.certs);
        debug!("the system trusts {count} authorities; {unusable} more cannot be used");
        if count == 0 {
            // Without an error where there is nothing to be read at all.
            warn!("the system trusts nobody: only certificates that the program names are trusted");
        }
        roots
    });
    roots.clone()
}
