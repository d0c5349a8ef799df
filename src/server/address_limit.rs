//! The limit of connections per client address.
//!
//! A connection counts from TCP accept until it has disconnected, its opening handshake included, for
//! all threads of a server together. Without a limit nothing is counted.

use std::net::{IpAddr, SocketAddr};

use crate::protocol::handshake::refusal::Refusal;
use crate::protocol::handshake::request::HandshakeRequest;
use crate::server::WebSocketServer;
use crate::server::address_counts::AddressPlace;
use crate::server::opening::Opening;
use crate::server::proxies::known_address;
use crate::server::state::{Inner, State};

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
    /// Connections that were open before there was a limit do not count, nor do peers without an
    /// address, such as those of Unix sockets. A client of a
    /// [trusted proxy](Self::set_trusted_proxies) counts for
    /// [its own address](crate::OpeningHandshake::client_address), from its request on, or from its PROXY
    /// header on; if that is not known, for the proxy's, as all clients of other proxies do.
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
    /// Counts an accepted connection for its peer's address, if that has a limit.
    ///
    /// Clients of trusted proxies are counted once their requests are read. Fails when the limit is
    /// reached.
    pub(crate) fn enter_peer(
        &self,
        state: &State,
        peer: SocketAddr,
    ) -> Result<Option<Box<AddressPlace>>, Refusal> {
        let Some(limit) = state.configuration.max_per_address else { return Ok(None) };
        if state.is_trusted_proxy(peer) { Ok(None) } else { self.enter(known_address(peer), limit) }
    }

    fn enter(
        &self,
        address: Option<IpAddr>,
        limit: usize,
    ) -> Result<Option<Box<AddressPlace>>, Refusal> {
        let Some(address) = address else { return Ok(None) };
        let place = self.addresses.enter(address, limit);
        place.map(Some).ok_or(Refusal::TooManyPerAddress { limit })
    }
}

impl Opening {
    /// Counts the connection for the client in its PROXY header.
    ///
    /// One that is itself a proxy is counted once its client's request is read.
    #[cfg(feature = "proxy-protocol")]
    pub(crate) fn enter_forwarded(&mut self, server: &Inner) -> Result<(), Refusal> {
        let state = server.lock();
        if let (None, Some(limit), Some(client)) =
            (&self.place, state.configuration.max_per_address, self.client_before_request(&state))
        {
            self.place = server.enter(Some(client), limit)?;
        }
        Ok(())
    }

    /// Counts the connection for its client's address, unless it counts already.
    ///
    /// Returns that address; `None` when it is not known.
    pub(crate) fn enter_client(
        &mut self,
        server: &Inner,
        state: &State,
        request: &HandshakeRequest,
    ) -> Result<Option<IpAddr>, Refusal> {
        let client = self.client_address(state, request);
        if self.is_forwarded(state) {
            self.client = Some(Box::new(client));
        }
        if self.place.is_none()
            && let Some(limit) = state.configuration.max_per_address
        {
            // Clients that hide their address from the proxy share the limit of the proxy.
            let counted = client.or_else(|| known_address(self.peer));
            self.place = server.enter(counted, limit)?;
        }
        Ok(client)
    }
}
