//! Trusted proxies: the addresses of the clients behind them.

use std::net::{IpAddr, SocketAddr};
#[cfg(feature = "proxy-protocol")]
use std::sync::Arc;

#[cfg(feature = "proxy-protocol")]
use crate::net::proxy_protocol::{self, Failure};
use crate::net::stream::UNKNOWN_PEER;
use crate::protocol::handshake::forwarded;
use crate::protocol::handshake::request::HandshakeRequest;
use crate::server::WebSocketServer;
#[cfg(feature = "proxy-protocol")]
use crate::server::handshake_deadline::Deadline;
use crate::server::opening::Opening;
#[cfg(feature = "proxy-protocol")]
use crate::server::refusals::report;
use crate::server::state::State;
#[cfg(feature = "proxy-protocol")]
use crate::types::error::Error;
use crate::types::ip_network::IpNetwork;
#[cfg(feature = "proxy-protocol")]
use crate::types::proxy_protocol::ProxyProtocol;
#[cfg(feature = "proxy-protocol")]
use crate::types::stats::RefusalReason;

/// Proxies.
impl WebSocketServer {
    /// Sets the proxies that are trusted to report the addresses of their clients.
    ///
    /// By default there are none, and [`WebSocket::client_address`],
    /// [`OpeningHandshake::client_address`] and [`HttpRequest::client_address`] are the address of
    /// the peer. For a request of a trusted proxy they are the rightmost address in
    /// `X-Forwarded-For` or `Forwarded` (RFC 7239) that is not in these networks. The headers of
    /// other peers are ignored.
    ///
    /// The search from the right ends at an address that is hidden (`unknown`, `_name`) or malformed:
    /// then the client's address is `None`. It is also `None` when both headers exist and differ,
    /// because a client can send the one that the proxy does not set; a proxy should remove that
    /// one. Name only networks of which each host is yours.
    ///
    /// It takes effect for later requests.
    ///
    /// [`WebSocket::client_address`]: crate::WebSocket::client_address
    /// [`OpeningHandshake::client_address`]: crate::OpeningHandshake::client_address
    /// [`HttpRequest::client_address`]: crate::HttpRequest::client_address
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: programs read the headers of `request()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{Error, SslMode, WebSocketServer};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let server = WebSocketServer::new("Chat", SslMode::NonSecure);
    /// server.set_trusted_proxies(["10.0.0.0/8".parse()?, "::1".parse()?]);
    /// server.new_connection().connect(|server, ()| {
    ///     while let Some(socket) = server.next_pending_connection() {
    ///         println!("{:?} behind {:?}", socket.client_address(), socket.peer_address());
    ///     }
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_trusted_proxies(&self, proxies: impl IntoIterator<Item = IpNetwork>) {
        let proxies = proxies.into_iter().collect();
        self.inner.set(|configuration| &mut configuration.trusted_proxies, proxies);
    }

    /// Returns the networks of the trusted proxies.
    #[must_use]
    pub fn trusted_proxies(&self) -> Vec<IpNetwork> {
        self.inner.lock().configuration.trusted_proxies.clone()
    }

    /// Sets whether trusted proxies begin connections with a PROXY header.
    ///
    /// The default is [`ProxyProtocol::Off`]. With [`ProxyProtocol::Required`] each connection from a
    /// network of [`set_trusted_proxies`](Self::set_trusted_proxies) begins with a header of version
    /// 1 or 2, in front of TLS and within the
    /// [`handshake_timeout`](Self::handshake_timeout). One that does not is closed, and reported by
    /// [`server_error`](Self::server_error) with [`Error::InvalidProxyHeader`]. Connections of other
    /// peers are served as they are; a header of theirs is a malformed request.
    ///
    /// The client's address is that of the header. If it is again a trusted proxy, such as an HTTP
    /// proxy behind a load balancer, the request's own headers count. A header without an address
    /// (`UNKNOWN`, `LOCAL`), as of health checks, leaves that of the proxy, and the request's headers do
    /// not count.
    ///
    /// It concerns connections that the server accepts and those of
    /// [`handle_connection`](Self::handle_connection), from the next one on; streams of
    /// [`handle_stream`](Self::handle_stream) have no such header any more.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{Error, ProxyProtocol, SslMode, WebSocketServer};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let server = WebSocketServer::new("Chat", SslMode::NonSecure);
    /// server.set_trusted_proxies(["10.0.0.1".parse()?]);
    /// server.set_proxy_protocol(ProxyProtocol::Required);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "proxy-protocol")]
    pub fn set_proxy_protocol(&self, protocol: ProxyProtocol) {
        self.inner.set(|configuration| &mut configuration.proxy_protocol, protocol);
    }

    /// Returns whether trusted proxies begin connections with a PROXY header.
    #[cfg(feature = "proxy-protocol")]
    #[must_use]
    pub fn proxy_protocol(&self) -> ProxyProtocol {
        self.inner.lock().configuration.proxy_protocol
    }
}

impl Opening {
    /// Returns the address of the client; `None` when it is not known.
    pub(crate) fn client_address(
        &self,
        state: &State,
        request: &HandshakeRequest,
    ) -> Option<IpAddr> {
        let (peer, is_proxy) = self.forwarded_peer(state);
        let address = known_address(peer);
        if is_proxy {
            return forwarded::client_address(request, address, |address| state.trusts(address));
        }
        address
    }

    /// Returns the address of the client, as far as it is known without the request.
    ///
    /// `None` when a proxy is still to report it.
    pub(crate) fn client_before_request(&self, state: &State) -> Option<IpAddr> {
        let (peer, is_proxy) = self.forwarded_peer(state);
        known_address(peer).filter(|_| !is_proxy)
    }

    /// Returns whether the request is one of a trusted proxy.
    pub(crate) fn is_forwarded(&self, state: &State) -> bool {
        self.forwarded_peer(state).1
    }

    /// Returns the peer in the PROXY header, without one that of the connection.
    ///
    /// Also returns whether it forwards requests of others: not in a proxy's own connection.
    fn forwarded_peer(&self, state: &State) -> (SocketAddr, bool) {
        #[cfg(feature = "proxy-protocol")]
        if let Some(header) = &self.forwarded {
            let is_proxy = |client| state.is_trusted_proxy(client);
            return header.map_or((self.peer, false), |client| (client, is_proxy(client)));
        }
        (self.peer, self.is_of_proxy(state))
    }

    /// Returns whether the connection is that of a trusted proxy.
    fn is_of_proxy(&self, state: &State) -> bool {
        #[cfg(unix)]
        if state.configuration.trusts_unix_peers && self.stream.is_unix() {
            return true;
        }
        state.is_trusted_proxy(self.peer)
    }

    /// Returns whether the connection begins with a PROXY header.
    #[cfg(feature = "proxy-protocol")]
    pub(crate) fn expects_proxy_header(&self, state: &State) -> bool {
        let protocol = state.configuration.proxy_protocol;
        protocol == ProxyProtocol::Required && self.is_of_proxy(state)
    }

    /// Reads the PROXY header, and counts the connection for the client in it.
    ///
    /// `None` after a failure or a refusal, which is reported.
    #[cfg(feature = "proxy-protocol")]
    pub(crate) async fn read_proxy_header(mut self, deadline: &mut Deadline) -> Option<Self> {
        let received = std::mem::take(&mut self.received);
        let header = Box::pin(proxy_protocol::read_header(&mut self.stream, received));
        let peer = self.peer;
        match deadline.limit(header).await {
            Some(Ok((client, rest))) => {
                self.forwarded = Some(Box::new(client));
                self.received = rest;
                let server = self.server.upgrade()?;
                if let Err(refusal) = self.enter_forwarded(&server) {
                    server.refuse_overflow(self, refusal, true);
                    return None;
                }
                return Some(self);
            }
            Some(Err(Failure::Invalid(reason))) => {
                let error = Error::InvalidProxyHeader { peer, reason: reason.into() };
                report(&self.server, RefusalReason::BadRequest, &error);
            }
            Some(Err(Failure::Broken(source))) => {
                let error = Error::HandshakeBroken { peer, source: Arc::new(source) };
                report(&self.server, RefusalReason::Interrupted, &error);
            }
            Some(Err(Failure::NoData)) => log::debug!("{peer} connected and sent nothing"),
            None => deadline.report(&self.server, peer),
        }
        None
    }
}

impl State {
    /// Returns whether the peer is a trusted proxy; one without an address is not.
    pub(crate) fn is_trusted_proxy(&self, peer: SocketAddr) -> bool {
        known_address(peer).is_some_and(|address| self.trusts(address))
    }

    /// Returns the address of a peer's client, unless a proxy is still to report it.
    pub(crate) fn client_before_request(&self, peer: SocketAddr) -> Option<IpAddr> {
        known_address(peer).filter(|address| !self.trusts(*address))
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.configuration.trusted_proxies.iter().any(|network| network.contains(address))
    }
}

/// Returns the address of a peer that has one.
pub(crate) fn known_address(peer: SocketAddr) -> Option<IpAddr> {
    (peer != UNKNOWN_PEER).then(|| peer.ip().to_canonical())
}
