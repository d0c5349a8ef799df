//! TLS settings of the command line.

use std::path::Path;

use anyhow::Result;
use slotwork::{TlsCertificate, TlsConfig, TlsIdentity};

use crate::options::Tls;

impl Tls {
    /// Makes the configuration of a client.
    pub(crate) fn client_config(&self) -> Result<TlsConfig> {
        let config = match &self.ca {
            Some(path) => TlsConfig::new().ca_certificates(TlsCertificate::from_pem_file(path)?),
            None => TlsConfig::new(),
        };
        Ok(match &self.cert {
            Some(path) => config.add_identity(self.identity(path)?),
            None => config,
        })
    }

    /// Returns the certificate of a file, with its key from the same or another one.
    pub(crate) fn identity(&self, certificate: &Path) -> Result<TlsIdentity> {
        let key = self.key.as_deref().unwrap_or(certificate);
        Ok(TlsIdentity::from_pem_files(certificate, key)?)
    }
}
