//! Whether proxies begin connections with a header of the PROXY protocol.
//!
//! Its own file, as the feature of the same name has.

/// Whether trusted proxies begin connections with a header of the PROXY protocol.
///
/// Load balancers that forward TCP send the address of their client in it: version 1 or 2 of
/// <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>. See
/// [`WebSocketServer::set_proxy_protocol`](crate::WebSocketServer::set_proxy_protocol).
///
/// # Qt
///
/// Qt has no counterpart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyProtocol {
    /// No connection begins with a header. This is the default.
    #[default]
    Off,
    /// Each connection of a trusted proxy begins with a header, or is closed.
    Required,
}
