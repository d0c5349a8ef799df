//! The limits of a server that clients may reach.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// A limit that a client has reached, as `limit_reached` reports it.
///
/// # Qt
///
/// Qt has no counterpart.
///
/// # Examples
///
/// See [`WebSocketServer::limit_reached`](crate::WebSocketServer::limit_reached).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitReached {
    /// The limit.
    pub limit: Limit,
    /// The address of the peer; behind a proxy that of the proxy.
    ///
    /// `0.0.0.0:0` for a stream without an address.
    pub peer: SocketAddr,
    /// The address of the client, also behind trusted proxies; `None` if unknown.
    ///
    /// It is [`WebSocket::client_address`](crate::WebSocket::client_address). Of a client that is refused
    /// before its request, or its PROXY header, is read, a trusted proxy has not reported it yet.
    pub client: Option<IpAddr>,
}

/// The name of a limit for clients.
///
/// # Qt
///
/// Qt has no counterpart but for the pending connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// [`set_max_connections`](crate::WebSocketServer::set_max_connections): refused with 503.
    Connections,
    /// [`set_max_connections_per_address`]: refused with 429.
    ///
    /// [`set_max_connections_per_address`]: crate::WebSocketServer::set_max_connections_per_address
    ConnectionsPerAddress,
    /// [`set_max_handshakes`](crate::WebSocketServer::set_max_handshakes): refused with 503.
    Handshakes,
    /// [`set_max_pending_connections`]: refused with 503.
    ///
    /// [`set_max_pending_connections`]: crate::WebSocketServer::set_max_pending_connections
    PendingConnections,
    /// [`set_max_messages_per_second`]: reading is held back.
    ///
    /// [`set_max_messages_per_second`]: crate::WebSocketServer::set_max_messages_per_second
    MessagesPerSecond,
    /// [`set_max_bytes_per_second`]: reading is held back.
    ///
    /// [`set_max_bytes_per_second`]: crate::WebSocketServer::set_max_bytes_per_second
    BytesPerSecond,
}

impl Limit {
    /// Returns the limit as a name for labels, such as `messages_per_second`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::ConnectionsPerAddress => "connections_per_address",
            Self::Handshakes => "handshakes",
            Self::PendingConnections => "pending_connections",
            Self::MessagesPerSecond => "messages_per_second",
            Self::BytesPerSecond => "bytes_per_second",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Dashboards have these names: another one loses the history of a label.
    #[test]
    fn limits_have_the_names_of_their_labels() {
        for (limit, name) in [
            (Limit::Connections, "connections"),
            (Limit::ConnectionsPerAddress, "connections_per_address"),
            (Limit::Handshakes, "handshakes"),
            (Limit::PendingConnections, "pending_connections"),
            (Limit::MessagesPerSecond, "messages_per_second"),
            (Limit::BytesPerSecond, "bytes_per_second"),
        ] {
            assert_eq!(format!("{} {limit:>25}", limit.as_str()), format!("{name} {name:>25}"));
        }
    }
}
