//! The byte stream below a connection: TLS, and the tunnels of proxies.

mod proxy;
mod streams;
#[cfg(feature = "tls")]
mod tls;
#[cfg(unix)]
mod unix_sockets;
