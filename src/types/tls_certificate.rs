//! Certificates in the encoding of TLS.

use std::fmt;
use std::sync::Arc;

/// The certificate of a server, a client or a certificate authority.
///
/// A handle that is cheap to clone. Two are equal when their bytes are.
///
/// # Qt
///
/// `QSslCertificate`.
///
/// # Examples
///
/// ```no_run
/// use slotwork::{Error, TlsCertificate, TlsConfig};
///
/// # fn main() -> Result<(), Error> {
/// let authority = TlsCertificate::from_pem_file("authority.pem")?;
/// let config = TlsConfig::new().ca_certificates(authority);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct TlsCertificate {
    der: Arc<[u8]>,
}

impl TlsCertificate {
    /// Makes a certificate of its DER encoding (X.690).
    ///
    /// It is parsed when it is used.
    #[must_use]
    pub fn from_der(der: impl Into<Vec<u8>>) -> Self {
        Self { der: der.into().into() }
    }

    /// Returns the DER encoding.
    #[doc(alias = "toDer")]
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }
}

impl fmt::Debug for TlsCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TlsCertificate({} bytes)", self.der.len())
    }
}
