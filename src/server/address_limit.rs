//! The limit of connections per client address.
//!
//! A connection counts from TCP accept until it has disconnected, its opening handshake included, for
//! all threads of a server together. Without a limit nothing is counted.

use std::net::{IpAddr, SocketAddr};

use crate::net::stream::UNKNOWN_PEER;
use crate::protocol::handshake::refusal::Refusal;
use crate::protocol::handshake::request::HandshakeRequest;
use crate::server::WebSocketServer;
use crate::server::address_counts::AddressPlace;
use crate::server::configuration::Configuration;
use crate::server::state::Inner;

/// The limit of connections per address.
impl WebSocketServer {
    /// Sets the maximum number of connections from one client address.
    ///
    /// The default is `None`, no limit. A connection counts from TCP accept until it has disconnected:
    /// one address can occupy no more opening handshakes either. Further clients are refused with 429
    /// (RFC 6585 §4) before anything is read from them (over TLS closed without an answer), and
    /// reported by [`server_error`](Self::server_error) with
    /// [`Error::TooManyConnectionsPerAddress`](crate::Error::TooManyConnectionsPerAddress) and by
    /// [`limit_reached`](Self::limit_reached). It holds for all threads of
    /// [`serve_on_threads`](Self::serve_on_threads) together.
    ///
    /// An IPv6 address counts with its network of 64 bits, which one client usually has as a whole.
    /// Connections that began without a limit do not count, nor do peers without an address, such as
    /// those of Unix sockets. Behind a proxy all clients have the proxy's address.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{SslMode, WebSocketServer};
    ///
    /// let server = WebSocketServer::new("Chat", SslMode::NonSecure);
    /// // Many clients may share the address of their provider or company.
    /// server.set_max_connections_per_address(Some(100));
    /// ```
    #[doc(alias = "maxConnectionsPerIp")]
    pub fn set_max_connections_per_address(&self, limit: Option<usize>) {
        self.inner.set(|configuration| &mut configuration.max_per_address, limit);
    }

    /// Returns the maximum number of connections from one address; `None` is no limit.
    #[must_use]
    pub fn max_connections_per_address(&self) -> Option<usize> {
        self.inner.lock().configuration.max_per_address
    }
}

impl Inner {
    /// Counts a connection for its address, if that is known and has a limit.
    ///
    /// The request is there once it was read. Fails when the limit is reached.
    pub(crate) fn enter_address(
        &self,
        configuration: &Configuration,
        peer: SocketAddr,
        request: Option<&HandshakeRequest>,
    ) -> Result<Option<Box<AddressPlace>>, Refusal> {
        let Some(limit) = configuration.max_per_address else { return Ok(None) };
        let Some(address) = counted_address(configuration, peer, request) else { return Ok(None) };
        let place = self.addresses.enter(address, limit);
        place.map(Some).ok_or(Refusal::TooManyPerAddress { limit })
    }
}

/// Returns the address that a connection counts for; `None` while it is not known.
fn counted_address(
    _configuration: &Configuration,
    peer: SocketAddr,
    _request: Option<&HandshakeRequest>,
) -> Option<IpAddr> {
    (peer != UNKNOWN_PEER).then(|| peer.ip())
}
