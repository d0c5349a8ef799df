//! The byte stream below a connection: TLS, and the tunnels of proxies.

#[cfg(feature = "tls")]
mod tls;
mod tunnel;
