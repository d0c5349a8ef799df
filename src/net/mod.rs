//! From the kernel to a session: streams, TLS, proxies, opening handshakes.

pub(crate) mod connector;
pub(crate) mod proxy;
pub(crate) mod stream;
#[cfg(feature = "tls")]
pub(crate) mod tls;
pub(crate) mod upgrade;
