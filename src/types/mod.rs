//! Public values: settings, errors and outcomes, without behaviour of their own.
//!
//! They do no I/O, know no task and no signal. A file is named after its type, or after the family
//! that shares it; an enumeration that belongs to no family has a short file of its own.

pub(crate) mod authenticator;
pub(crate) mod close_code;
#[cfg(feature = "compression")]
pub(crate) mod compression;
pub(crate) mod connect_timings;
pub(crate) mod error;
pub(crate) mod host_address;
pub(crate) mod ip_network;
pub(crate) mod limit;
pub(crate) mod mask_generator;
pub(crate) mod message;
pub(crate) mod network_proxy;
pub(crate) mod output;
pub(crate) mod peer_credentials;
#[cfg(feature = "proxy-protocol")]
pub(crate) mod proxy_protocol;
pub(crate) mod reconnect;
pub(crate) mod role;
pub(crate) mod socket_state;
pub(crate) mod ssl_mode;
pub(crate) mod stats;
pub(crate) mod tls;
#[cfg(unix)]
pub(crate) mod unix_address;
pub(crate) mod version;
