//! What the handshakes of a server need.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::UnixTime;
use rustls::server::danger::ClientCertVerifier;
use rustls::{HandshakeKind, ServerConfig, ServerConnection};

/// How a server speaks TLS, in the terms of rustls.
#[derive(Clone)]
pub(crate) struct ServerSide {
    config: Arc<ServerConfig>,
    /// None where clients are not asked for certificates, or rustls alone is told how to check them.
    check: Option<Arc<dyn ClientCertVerifier>>,
}

impl ServerSide {
    pub(super) fn new(config: ServerConfig, check: Arc<dyn ClientCertVerifier>) -> Self {
        let check = Some(check).filter(|check| check.offer_client_auth());
        Self { config: Arc::new(config), check }
    }

    /// Takes a configuration that is used as it is.
    pub(super) const fn ready(config: Arc<ServerConfig>) -> Self {
        Self { config, check: None }
    }

    pub(crate) const fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }

    /// Checks the certificate of a client that has resumed a session.
    ///
    /// rustls does not: each session brings tickets for the next ones, and a client whose
    /// certificate has expired would go on for ever.
    pub(crate) fn check_resumed(&self, connection: &ServerConnection) -> Result<(), rustls::Error> {
        let Some(check) = &self.check else { return Ok(()) };
        match connection.peer_certificates() {
            Some([end_entity, intermediates @ ..])
                if connection.handshake_kind() == Some(HandshakeKind::Resumed) =>
            {
                check.verify_client_cert(end_entity, intermediates, UnixTime::now()).map(drop)
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for ServerSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerSide").finish_non_exhaustive()
    }
}
