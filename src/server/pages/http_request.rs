//! The request that a page handler answers.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::protocol::handshake::request::HandshakeRequest;

/// An HTTP request that does not ask for a WebSocket.
///
/// Its method is `GET` or `HEAD`, and it has no body. See
/// [`WebSocketServer::set_page_handler`](crate::WebSocketServer::set_page_handler). Shown with
/// `{:?}`, it lists the names of the headers without their values, and the path without the query.
///
/// # Qt
///
/// `QHttpServerRequest`.
///
/// # Examples
///
/// ```
/// use slotwork::HttpRequest;
///
/// /// Returns whether a script of this machine sends the request.
/// fn is_local_script(request: &HttpRequest) -> bool {
///     request.peer_address().is_loopback() && request.header("X-Script").is_some()
/// }
/// ```
#[doc(alias = "QHttpServerRequest")]
pub struct HttpRequest {
    request: HandshakeRequest,
    is_head: bool,
    peer: SocketAddr,
    client: Option<IpAddr>,
}

impl HttpRequest {
    pub(crate) fn new(
        request: HandshakeRequest,
        is_head: bool,
        peer: SocketAddr,
        client: Option<IpAddr>,
    ) -> Self {
        Self { request, is_head, peer, client }
    }

    /// Returns the method, `GET` or `HEAD`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{HttpAnswer, HttpRequest};
    ///
    /// fn answer(request: &HttpRequest) -> HttpAnswer {
    ///     println!("{} {}", request.method(), request.path());
    ///     HttpAnswer::new(204)
    /// }
    /// ```
    #[must_use]
    pub const fn method(&self) -> &'static str {
        if self.is_head { "HEAD" } else { "GET" }
    }

    /// Returns path and query as they were sent, such as `/metrics?verbose=1`.
    ///
    /// It begins with a slash and is visible ASCII; percent-escapes are not decoded.
    #[must_use]
    pub fn resource_name(&self) -> &str {
        self.request.resource_name()
    }

    /// Returns the path as it was sent, without the query.
    ///
    /// It is not the path of a file: `..` and percent-escapes are as the client has sent them.
    ///
    /// # Qt
    ///
    /// `QHttpServerRequest::url()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{HttpAnswer, HttpRequest};
    ///
    /// fn answer(request: &HttpRequest) -> Option<HttpAnswer> {
    ///     (request.path() == "/health").then(|| HttpAnswer::new(200))
    /// }
    /// ```
    #[must_use]
    pub fn path(&self) -> &str {
        let resource = self.resource_name();
        resource.split_once('?').map_or(resource, |(path, _)| path)
    }

    /// Returns the query as it was sent; empty without one.
    ///
    /// # Qt
    ///
    /// `QHttpServerRequest::query()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::HttpRequest;
    ///
    /// fn is_verbose(request: &HttpRequest) -> bool {
    ///     request.query().split('&').any(|field| field == "verbose=1")
    /// }
    /// ```
    #[must_use]
    pub fn query(&self) -> &str {
        self.resource_name().split_once('?').map_or("", |(_, query)| query)
    }

    /// Returns the host, and the port if there is one, that the client wanted to reach.
    ///
    /// It is empty for a request of HTTP/1.0 without a `Host` header. A client can send any name.
    #[must_use]
    pub fn host(&self) -> &str {
        self.request.host()
    }

    /// Returns the value of the first header of this name (case-insensitive).
    ///
    /// Bytes that are not UTF-8 are replaced with U+FFFD.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.request.header(name)
    }

    /// Returns the bytes of the first header of this name (case-insensitive).
    ///
    /// # Qt
    ///
    /// `QHttpServerRequest::value()`.
    #[must_use]
    pub fn raw_header(&self, name: &str) -> Option<&[u8]> {
        self.request.raw_header(name)
    }

    /// Returns all headers, as names and values.
    ///
    /// # Qt
    ///
    /// `QHttpServerRequest::headers()`.
    pub fn raw_headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.request.raw_headers()
    }

    /// Returns the address of the peer; that of the proxy if there is one.
    ///
    /// It is 0.0.0.0, with port 0, for a stream without an address, such as a Unix socket.
    ///
    /// # Qt
    ///
    /// `QHttpServerRequest::remoteAddress()`.
    #[doc(alias = "remoteAddress")]
    #[must_use]
    pub const fn peer_address(&self) -> IpAddr {
        self.peer.ip()
    }

    /// Returns the address of the client, also behind trusted proxies.
    ///
    /// It is that of [`OpeningHandshake::client_address`](crate::OpeningHandshake::client_address).
    #[must_use]
    pub const fn client_address(&self) -> Option<IpAddr> {
        self.client
    }

    /// Returns the port of the peer.
    ///
    /// # Qt
    ///
    /// `QHttpServerRequest::remotePort()`.
    #[doc(alias = "remotePort")]
    #[must_use]
    pub const fn peer_port(&self) -> u16 {
        self.peer.port()
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method())
            .field("path", &self.path())
            .field("headers", &self.raw_headers().map(|(name, _)| name).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
