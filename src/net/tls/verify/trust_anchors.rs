//! Trust anchors: those of the system, and those that the program has named.

use std::sync::{Arc, OnceLock};

use log::{debug, warn};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{RequiredEkuNotFoundContext, VerifiedPath};
use x509_cert::Version;

use crate::net::tls::pem;
use crate::net::tls::verify::certificate_fields::{Details, Purpose};
use crate::net::tls::verify::chain::Link;
use crate::types::error::Error;
use crate::types::tls_certificate::TlsCertificate;

/// Authorities, and certificates that are trusted by themselves.
#[derive(Clone, Debug)]
pub(crate) struct Trust {
    /// The authorities.
    pub(crate) roots: Arc<RootCertStore>,
    /// Those of them that the program has named.
    authorities: Vec<Authority>,
    /// What the program has named.
    named: Vec<TlsCertificate>,
}

/// An authority that the program has named.
#[derive(Clone, Debug)]
struct Authority {
    anchor: TrustAnchor<'static>,
    certificate: TlsCertificate,
    details: Details,
}

impl Trust {
    /// Trusts what the program has named, and whom the system trusts if so wished.
    pub(crate) fn new(named: Vec<TlsCertificate>, with_system: bool) -> Result<Self, Error> {
        let mut roots = if with_system { system_roots() } else { RootCertStore::empty() };
        // What cannot be used is reported at once.
        let anchors = anchors(&named)?.roots;
        let authorities: Vec<_> =
            anchors.into_iter().zip(&named).filter_map(Authority::new).collect();
        roots.extend(authorities.iter().map(|authority| authority.anchor.clone()));
        Ok(Self { roots: Arc::new(roots), authorities, named })
    }

    /// Returns all that the program has named, as if each were an authority.
    pub(crate) fn named_as_roots(&self) -> Result<RootCertStore, Error> {
        anchors(&self.named)
    }

    /// Returns whether the program has named this very certificate.
    pub(crate) fn is_named(&self, certificate: &TlsCertificate) -> bool {
        self.named.contains(certificate)
    }

    /// Returns the authorities that the program has named.
    pub(crate) fn named_authorities(&self) -> impl Iterator<Item = Link> {
        self.authorities.iter().map(Authority::link)
    }

    /// Returns the authority at the end of a path if the program has named it, and `None` for one
    /// of the system.
    ///
    /// webpki knows no more of an authority than its name and its key. Two certificates may have
    /// both in common: one that allows the path is enough.
    pub(crate) fn authority(
        &self,
        path: &VerifiedPath<'_>,
        purpose: Purpose,
        time: UnixTime,
    ) -> Result<Option<Link>, webpki::Error> {
        let candidates = self.authorities.iter().filter(|it| it.anchor == *path.anchor());
        let mut outcome = Ok(None);
        for authority in candidates {
            outcome = authority.check(path, purpose, time).map(|()| Some(authority.link()));
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }
}

impl Authority {
    /// RFC 5280 §6.1.4 leaves it to programs whether one of version 1 is that of an authority.
    fn new((anchor, certificate): (TrustAnchor<'static>, &TlsCertificate)) -> Option<Self> {
        let details = Details::of(certificate);
        if details.as_ref().is_none_or(|details| details.version != Version::V3) {
            warn!("a certificate that is to be trusted is not of version 3: it is no authority's");
        }
        let details = details.filter(|details| details.is_authority)?;
        Some(Self { anchor, certificate: certificate.clone(), details })
    }

    fn link(&self) -> Link {
        Link { certificate: self.certificate.clone(), details: Some(self.details.clone()) }
    }

    /// Checks what the certificate says of itself (RFC 5280 §6.1.4).
    fn check(
        &self,
        path: &VerifiedPath<'_>,
        purpose: Purpose,
        time: UnixTime,
    ) -> Result<(), webpki::Error> {
        let validity = self.details.validity;
        if time < validity.begin() {
            return Err(webpki::Error::CertNotValidYet { time, not_before: validity.begin() });
        }
        if time > validity.end() {
            return Err(webpki::Error::CertExpired { time, not_after: validity.end() });
        }
        // Those that name themselves as their issuer do not count.
        let between = path.intermediate_certificates().filter(|it| it.issuer() != it.subject());
        if !self.details.allows_authorities(between.count()) {
            return Err(webpki::Error::PathLenConstraintViolated);
        }
        if !self.details.allows(purpose) {
            return Err(wrong_purpose(purpose));
        }
        Ok(())
    }
}

pub(crate) const fn wrong_purpose(purpose: Purpose) -> webpki::Error {
    webpki::Error::RequiredEkuNotFoundContext(RequiredEkuNotFoundContext {
        required: purpose.key_usage(),
        present: Vec::new(),
    })
}

fn anchors(certificates: &[TlsCertificate]) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(CertificateDer::from(certificate.as_der().to_vec())).map_err(|error| {
            pem::unusable("a certificate that is to be trusted", &error.to_string())
        })?;
    }
    Ok(roots)
}
/// Returns whom the system trusts, read once.
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
