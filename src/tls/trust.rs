//! Whom one trusts.

use std::sync::{Arc, OnceLock};

use log::{debug, warn};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{CertificateError, RootCertStore};
use webpki::{EndEntityCert, KeyUsage};

use crate::error::Error;
use crate::tls::diagnosis::is_authority;
use crate::tls::pem;
use crate::tls_certificate::TlsCertificate;

/// Authorities, and certificates that are trusted by themselves.
#[derive(Clone, Debug)]
pub(super) struct Trust {
    /// The authorities.
    pub(super) roots: Arc<RootCertStore>,
    /// What the program has named.
    named: Vec<TlsCertificate>,
}

impl Trust {
    /// Trusts what the program has named, and whom the system trusts if so wished.
    pub(super) fn new(named: Vec<TlsCertificate>, with_system: bool) -> Result<Self, Error> {
        let mut roots = if with_system { system_roots() } else { RootCertStore::empty() };
        let authorities = anchors(named.iter().filter(|certificate| may_sign(certificate)))?;
        roots.extend(authorities.roots);
        // What cannot be used is told at once.
        anchors(&named)?;
        Ok(Self { roots: Arc::new(roots), named })
    }

    /// Returns all that the program has named, as if each were an authority.
    pub(super) fn named_as_roots(&self) -> Result<RootCertStore, Error> {
        anchors(&self.named)
    }

    /// Returns whether the certificate is one that was named itself, and only therefore trusted:
    /// nobody who is trusted signs it, or it is, as those of `openssl req -x509`, that of an
    /// authority. When it is valid was looked at before.
    pub(super) fn is_named(&self, certificate: &TlsCertificate, error: &rustls::Error) -> bool {
        let rustls::Error::InvalidCertificate(cause) = error else { return false };
        (matches!(cause, CertificateError::UnknownIssuer) || is_authority(cause))
            && self.named.contains(certificate)
    }
}

fn anchors<'a>(
    certificates: impl IntoIterator<Item = &'a TlsCertificate>,
) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(CertificateDer::from(certificate.as_der().to_vec())).map_err(|error| {
            pem::unusable("a certificate that is to be trusted", &error.to_string())
        })?;
    }
    Ok(roots)
}

/// Returns whether a certificate is that of an authority (RFC 5280 §4.2.1.9), or too old to say.
///
/// webpki takes every certificate that it is told to trust for an authority, and tells of none
/// whether it is one, but by refusing it as that of a peer.
fn may_sign(certificate: &TlsCertificate) -> bool {
    let der = certificate.as_der().into();
    let Ok(parsed) = EndEntityCert::try_from(&der) else { return true };
    let refusal = |time| {
        let usage = KeyUsage::server_auth();
        parsed.verify_for_usage(&[], &[], &[], time, usage, None, None).err()
    };
    // It is valid then, and so that is not what it is refused for.
    let refusal = match refusal(UnixTime::now()) {
        Some(webpki::Error::CertExpired { not_after, .. }) => refusal(not_after),
        Some(webpki::Error::CertNotValidYet { not_before, .. }) => refusal(not_before),
        other => other,
    };
    matches!(refusal, Some(webpki::Error::CaUsedAsEndEntity))
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
