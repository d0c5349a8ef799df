//! What the handshakes of a server or a client need.

use std::fmt;
use std::sync::Arc;

use rustls::{ClientConfig, ServerConfig};

use crate::net::tls::verify::validity::PeerValidity;

/// How a server speaks TLS, in the terms of rustls.
#[derive(Clone)]
pub(crate) struct ServerSide {
    pub(crate) config: Arc<ServerConfig>,
}

/// How a client speaks TLS on one connection, in the terms of rustls.
pub(crate) struct ClientSide {
    pub(crate) config: Arc<ClientConfig>,
    /// Its check notes here how long sessions may last.
    pub(crate) validity: Arc<PeerValidity>,
}

impl fmt::Debug for ServerSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerSide").finish_non_exhaustive()
    }
}

impl fmt::Debug for ClientSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSide").finish_non_exhaustive()
    }
}
