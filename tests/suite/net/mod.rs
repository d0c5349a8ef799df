//! The byte stream below a connection: TLS, and the tunnels of proxies.

mod proxy;
mod proxy_answers;
mod streams;
#[cfg(feature = "tls")]
mod tls;
#[cfg(unix)]
mod unix_sockets;
