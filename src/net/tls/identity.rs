//! Certificates with their private keys, and which of them is sent.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, SignatureScheme};

use crate::net::tls::{pem, provider};
use crate::types::error::Error;
use crate::types::tls::TlsCertificate;

/// A certificate and its private key, with which an endpoint authenticates itself.
///
/// The certificate is followed by its intermediates, without the trust anchor. A cheap handle.
///
/// # Qt
///
/// `QSslConfiguration::setLocalCertificateChain()` and `setPrivateKey()` together. A key that does
/// not match is reported at once, not by handshakes that fail.
///
/// # Examples
///
/// ```no_run
/// use slotwork::{Error, SslMode, TlsConfig, TlsIdentity, WebSocketServer};
///
/// # fn main() -> Result<(), Error> {
/// let identity = TlsIdentity::from_pem_files("localhost.cert", "localhost.key")?;
/// let server = WebSocketServer::new("Chat", SslMode::Secure);
/// server.set_tls_config(TlsConfig::new().add_identity(identity))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TlsIdentity {
    key: Arc<CertifiedKey>,
}

impl TlsIdentity {
    /// Reads a certificate chain and its private key from PEM files.
    ///
    /// The two files may be the same.
    ///
    /// The key is one of RSA, ECDSA or Ed25519, in PKCS#8 (`BEGIN PRIVATE KEY`), PKCS#1
    /// (`BEGIN RSA PRIVATE KEY`) or SEC1 (`BEGIN EC PRIVATE KEY`), and not encrypted.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidTlsConfig`], which names the file: it cannot be read, has no such section, is
    /// malformed, or the key does not match the first certificate.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::TlsIdentity;
    ///
    /// match TlsIdentity::from_pem_files("no-such.cert", "no-such.key") {
    ///     Ok(identity) => println!("{} certificates", identity.certificates().len()),
    ///     // It names the file.
    ///     Err(error) => eprintln!("{error}"),
    /// }
    /// ```
    #[doc(alias = "setLocalCertificate")]
    #[doc(alias = "setLocalCertificateChain")]
    #[doc(alias = "setPrivateKey")]
    pub fn from_pem_files(
        certificates: impl AsRef<Path>,
        private_key: impl AsRef<Path>,
    ) -> Result<Self, Error> {
        let (chain, chain_name) = pem::read(certificates.as_ref(), "the certificate file")?;
        let (key, key_name) = pem::read(private_key.as_ref(), "the key file")?;
        Self::parse(&chain, &chain_name, &key, &key_name)
    }

    /// Reads a certificate chain and its private key from PEM texts.
    ///
    /// Otherwise as [`from_pem_files`](Self::from_pem_files).
    ///
    /// # Errors
    ///
    /// As `from_pem_files`.
    pub fn from_pem(
        certificates: impl AsRef<[u8]>,
        private_key: impl AsRef<[u8]>,
    ) -> Result<Self, Error> {
        let (chain, key) = (certificates.as_ref(), private_key.as_ref());
        Self::parse(chain, "the certificate", key, "the private key")
    }

    fn parse(chain: &[u8], chain_name: &str, key: &[u8], key_name: &str) -> Result<Self, Error> {
        let chain = pem::certificates(chain, chain_name)?;
        let key = pem::private_key(key, key_name)?;
        let chain = chain.iter().map(|it| CertificateDer::from(it.as_der().to_vec())).collect();
        let key = provider().key_provider.load_private_key(key);
        let key = CertifiedKey::new(chain, key.map_err(|_| pem::unusable(key_name, WRONG_KEY))?);
        match key.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {
                Ok(Self { key: Arc::new(key) })
            }
            Err(rustls::Error::InconsistentKeys(_)) => {
                Err(pem::unusable(key_name, &format!("it is not the key of {chain_name}")))
            }
            // It can be parsed (`pem::certificates`), so it is one that only authorities may have.
            Err(_) => Err(pem::unusable(chain_name, WRONG_CERTIFICATE)),
        }
    }

    /// Returns the certificates: that of the key first, then its intermediates.
    #[doc(alias = "localCertificateChain")]
    #[must_use]
    pub fn certificates(&self) -> Vec<TlsCertificate> {
        self.key.cert.iter().map(|der| TlsCertificate::from_der(der.as_ref())).collect()
    }

    const fn key(&self) -> &Arc<CertifiedKey> {
        &self.key
    }

    /// Returns whether the certificate is valid for this host.
    fn is_valid_for(&self, host: &ServerName<'_>) -> bool {
        let parsed = self.key.cert.first().map(webpki::EndEntityCert::try_from);
        let Some(Ok(certificate)) = parsed else { return false };
        certificate.verify_is_valid_for_subject_name(host).is_ok()
    }
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity").field("certificates", &self.key.cert.len()).finish()
    }
}

/// Selects one of several identities in a handshake.
#[derive(Debug)]
pub(super) struct CertificateResolver(Vec<TlsIdentity>);

impl CertificateResolver {
    pub(super) const fn new(identities: Vec<TlsIdentity>) -> Self {
        Self(identities)
    }

    /// Returns the first that `fits`, or else the first.
    ///
    /// Those with signature schemes that the peer does not support are left out.
    fn choose(
        &self,
        schemes: &[SignatureScheme],
        fits: impl Fn(&TlsIdentity) -> bool,
    ) -> Option<Arc<CertifiedKey>> {
        let usable = || self.0.iter().filter(|it| it.key().key.choose_scheme(schemes).is_some());
        let chosen = usable().find(|identity| fits(identity)).or_else(|| usable().next());
        chosen.map(|identity| Arc::clone(identity.key()))
    }
}

/// Selects by the server name of the client (SNI, RFC 6066 §3), or else the first.
impl ResolvesServerCert for CertificateResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let host = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        self.choose(hello.signature_schemes(), |identity| {
            host.as_ref().is_some_and(|host| identity.is_valid_for(host))
        })
    }
}

/// Selects the first, whichever authorities the server lists.
impl ResolvesClientCert for CertificateResolver {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.choose(schemes, |_| true)
    }

    fn has_certs(&self) -> bool {
        !self.0.is_empty()
    }
}

const WRONG_CERTIFICATE: &str = "its first certificate is not of version 3, or has a critical \
                                 extension that is not known";
const WRONG_KEY: &str = "the key is broken, or not one of RSA with 2048 bits or more, of ECDSA with \
                         P-256 or P-384, or of Ed25519";
