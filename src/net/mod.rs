//! From the kernel to a session: streams, TLS, proxies, opening handshakes.

pub(crate) mod connector;
pub(crate) mod proxy;
#[cfg(feature = "proxy-protocol")]
pub(crate) mod proxy_protocol;
pub(crate) mod stream;
#[cfg(feature = "tls")]
pub(crate) mod tls;
pub(crate) mod upgrade;
