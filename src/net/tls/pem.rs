//! Certificates and keys in PEM files (RFC 7468).

use std::fs;
use std::path::Path;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use webpki::anchor_from_trusted_cert as anchor;

use crate::types::error::Error;
use crate::types::tls::TlsCertificate;

/// Certificates in PEM.
impl TlsCertificate {
    /// Reads the certificates in a PEM text (`-----BEGIN CERTIFICATE-----`).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidTlsConfig`] when there is none, or one is malformed.
    #[doc(alias = "fromData")]
    pub fn from_pem(pem: impl AsRef<[u8]>) -> Result<Vec<Self>, Error> {
        certificates(pem.as_ref(), "the certificate")
    }

    /// Reads the certificates in a PEM file.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidTlsConfig`], which names the file, when it cannot be read, has none, or one
    /// is malformed.
    ///
    /// # Qt
    ///
    /// `QSslCertificate::fromPath()`, which does not report files that it cannot use.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use slotwork::TlsCertificate;
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// for certificate in TlsCertificate::from_pem_file("ca-bundle.pem")? {
    ///     println!("{certificate:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "fromPath")]
    pub fn from_pem_file(path: impl AsRef<Path>) -> Result<Vec<Self>, Error> {
        let (pem, name) = read(path.as_ref(), "the certificate file")?;
        certificates(&pem, &name)
    }
}

/// Returns the content of a file, and its name in errors.
pub(super) fn read(path: &Path, kind: &str) -> Result<(Vec<u8>, String), Error> {
    let name = format!("{kind} {:?}", path.display().to_string());
    match fs::read(path) {
        Ok(bytes) => Ok((bytes, name)),
        Err(error) => Err(unusable(&name, &error.to_string())),
    }
}

pub(super) fn certificates(pem: &[u8], name: &str) -> Result<Vec<TlsCertificate>, Error> {
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let parsed = parsed.map_err(|error| unusable(name, &explain(&error)))?;
    if parsed.is_empty() {
        return Err(unusable(name, "it has no `BEGIN CERTIFICATE`"));
    }
    // The certificates of authorities may be of version 1, which `EndEntityCert` rejects.
    let is_broken = |it| webpki::EndEntityCert::try_from(it).is_err() && anchor(it).is_err();
    if parsed.iter().any(is_broken) {
        return Err(unusable(name, "a certificate in it is broken"));
    }
    Ok(parsed.iter().map(|der| TlsCertificate::from_der(der.as_ref())).collect())
}

/// Reads a private key: PKCS#8, PKCS#1 or SEC1.
pub(super) fn private_key(pem: &[u8], name: &str) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        _ if is_encrypted(pem) => {
            unusable(name, "the key is encrypted; decrypt it first, with `openssl pkey`")
        }
        pem::Error::NoItemsFound => unusable(
            name,
            "it has no `BEGIN PRIVATE KEY`, `BEGIN RSA PRIVATE KEY` or `BEGIN EC PRIVATE KEY`",
        ),
        error => unusable(name, &explain(&error)),
    })
}

fn is_encrypted(pem: &[u8]) -> bool {
    String::from_utf8_lossy(pem).contains("ENCRYPTED")
}

fn explain(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a section in it has no end".into(),
        error => format!("its PEM is broken: {error:?}"),
    }
}

pub(super) fn unusable(what: &str, reason: &str) -> Error {
    Error::InvalidTlsConfig { what: what.into(), reason: reason.into() }
}
