//! The configuration of a server: all its settings in one value.
//!
//! `change.rs` has the only way to change one. So a setting that is added here reaches whatever
//! copies the configuration.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "tls")]
use crate::net::tls::{ServerSide, TlsConfig};
#[cfg(feature = "compression")]
use crate::protocol::deflate::history_budget::HistoryBudget;
use crate::protocol::handshake::request_head::HeadLimits;
use crate::server::origins::origin_policy::OriginPolicy;
use crate::server::pages::http_answer::PageHandler;
use crate::server::verifier::verdict::Verifier;
use crate::session::Settings;
#[cfg(feature = "compression")]
use crate::types::compression::Compression;
use crate::types::ip_network::IpNetwork;
#[cfg(feature = "proxy-protocol")]
use crate::types::proxy_protocol::ProxyProtocol;

pub(crate) mod change;

/// All settings of a server.
#[derive(Clone)]
pub(crate) struct Configuration {
    /// For the `Server` header.
    pub(crate) name: String,
    pub(crate) handshake_timeout: Option<Duration>,
    pub(crate) head_limits: HeadLimits,
    pub(crate) max_handshakes: Option<usize>,
    pub(crate) max_pending: usize,
    pub(crate) max_connections: Option<usize>,
    pub(crate) max_per_address: Option<usize>,
    pub(crate) keepalive_interval: Option<Duration>,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Tls>,
    /// `None` when it was never set.
    pub(crate) origin_policy: Option<OriginPolicy>,
    pub(crate) verifier: Option<Verifier>,
    pub(crate) page_handler: Option<Arc<PageHandler>>,
    pub(crate) subprotocols: Vec<String>,
    pub(crate) trusted_proxies: Vec<IpNetwork>,
    #[cfg(unix)]
    pub(crate) trusts_unix_peers: bool,
    #[cfg(feature = "proxy-protocol")]
    pub(crate) proxy_protocol: ProxyProtocol,
    #[cfg(feature = "compression")]
    pub(crate) compression: Option<Compression>,
    /// The same for all parts of a server.
    #[cfg(feature = "compression")]
    pub(crate) history_budget: HistoryBudget,
    /// Settings for sockets of new clients; `None` when all are the defaults.
    pub(crate) sockets: Option<Settings>,
}

/// A TLS configuration, and the rustls configuration made from it.
#[cfg(feature = "tls")]
#[derive(Clone)]
pub(crate) struct Tls {
    pub(crate) config: TlsConfig,
    pub(crate) server_side: ServerSide,
}

/// The configuration of a server, which `change.rs` alone writes.
pub(crate) struct Configured(Configuration);

impl Configured {
    pub(crate) fn new(configuration: Configuration) -> Self {
        Self(configuration)
    }

    pub(in crate::server::configuration) fn get_mut(&mut self) -> &mut Configuration {
        &mut self.0
    }
}

impl Deref for Configured {
    type Target = Configuration;

    fn deref(&self) -> &Configuration {
        &self.0
    }
}

impl Configuration {
    /// Returns the defaults, with the name of a server.
    pub(crate) fn new(name: String) -> Self {
        Self {
            name,
            handshake_timeout: Some(DEFAULT_HANDSHAKE_TIMEOUT),
            head_limits: HeadLimits::default(),
            max_handshakes: Some(DEFAULT_MAX_HANDSHAKES),
            max_pending: DEFAULT_MAX_PENDING,
            max_connections: None,
            max_per_address: None,
            keepalive_interval: Some(DEFAULT_KEEPALIVE_INTERVAL),
            #[cfg(feature = "tls")]
            tls: None,
            origin_policy: None,
            verifier: None,
            page_handler: None,
            subprotocols: Vec::new(),
            trusted_proxies: Vec::new(),
            #[cfg(unix)]
            trusts_unix_peers: false,
            #[cfg(feature = "proxy-protocol")]
            proxy_protocol: ProxyProtocol::default(),
            #[cfg(feature = "compression")]
            compression: None,
            #[cfg(feature = "compression")]
            history_budget: HistoryBudget::default(),
            sockets: None,
        }
    }
}

/// Qt's default.
const DEFAULT_MAX_PENDING: usize = 30;
/// Enough for all clients of a large server to reconnect at once: a few MiB.
const DEFAULT_MAX_HANDSHAKES: usize = 4096;
const DEFAULT_KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// Qt's default.
const DEFAULT_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
