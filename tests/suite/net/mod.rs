//! The byte stream below a connection: TLS, and the tunnels of proxies.

mod proxy;
#[cfg(feature = "tls")]
mod tls;
