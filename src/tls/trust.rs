//! Whom one trusts.

use std::sync::{Arc, OnceLock};

use log::{debug, warn};
use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, RootCertStore};

use crate::error::Error;
use crate::tls::diagnosis::is_authority;
use crate::tls::pem;
use crate::tls_certificate::TlsCertificate;

/// Authorities, and certificates that are trusted by themselves.
#[derive(Clone, Debug)]
pub(super) struct Trust {
    pub(super) roots: Arc<RootCertStore>,
    /// What the program has named.
    named: Vec<TlsCertificate>,
}

impl Trust {
    /// Trusts what the program has named, and whom the system trusts if so wished.
    pub(super) fn new(named: Vec<TlsCertificate>, with_system: bool) -> Result<Self, Error> {
        let mut roots = if with_system { system_roots() } else { RootCertStore::empty() };
        for certificate in &named {
            let added = roots.add(CertificateDer::from(certificate.as_der().to_vec()));
            added.map_err(|error| {
                pem::unusable("a certificate that is to be trusted", &error.to_string())
            })?;
        }
        Ok(Self { roots: Arc::new(roots), named })
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
