//! The WebSocket of one peer, as an object with signals.
//!
//! A socket is made in `accepted` (a server's client), `client` or `upgraded` (the handshake was
//! done elsewhere). Its handles share `state`; the other files are features that act on it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::{Arc, Weak};

use slotwork_signals::{Handle, SharedSender};

use crate::protocol::handshake::request::HandshakeRequest;
use crate::socket::state::Inner;
use crate::types::close_code::CloseCode;
use crate::types::error::Error;
use crate::types::peer_credentials::PeerCredentials;
use crate::types::socket_state::SocketState;
use crate::types::version::Version;

// In this order the methods are on the page of `WebSocket`; those of this file are its last.
mod open;

mod signals;

mod sending;

mod accepted;
pub(crate) mod client;
mod client_list;
#[cfg(feature = "compression")]
mod compression;
mod connection_count;
mod data;
mod driven;
mod emission;
mod memberships;
mod message_stream;
mod output;
mod reading;
mod settings;
mod state;
mod upgraded;

pub(crate) use accepted::{Accepted, Clients};
pub(crate) use connection_count::{Counted, ServerCount, ThreadCount};
pub(crate) use memberships::Memberships;
pub use message_stream::MessageStream;
pub(crate) use state::UserData;

/// The WebSocket of one peer.
///
/// A cheap handle: clones are the same socket, and any thread may use them. Calls never wait and
/// never run a slot; signals are emitted by the event loop on which the socket lives. That loop
/// keeps an open socket alive until it has emitted [`disconnected`](Self::disconnected): dropping a
/// handle closes nothing. Afterwards the slots of a server's socket are dropped.
///
/// # Qt
///
/// `QWebSocket`.
///
/// # Examples
///
/// ```
/// use slotwork::WebSocket;
///
/// fn greet(socket: &WebSocket) {
///     socket.text_message_received().connect(|socket, text| {
///         socket.send_text_message(text);
///     });
///     socket.disconnected().connect(|socket, ()| println!("gone: {:?}", socket.close_code()));
///     socket.send_text_message("welcome");
/// }
/// ```
#[derive(Clone)]
pub struct WebSocket {
    inner: Arc<Inner>,
}

/// A handle that does not keep its [`WebSocket`] alive.
///
/// # Qt
///
/// What `QPointer` is used for.
#[derive(Clone, Debug)]
pub struct WeakWebSocket {
    inner: Weak<Inner>,
}

impl WebSocket {
    /// Returns whether messages can be sent: the state is [`SocketState::Connected`].
    #[doc(alias = "isValid")]
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.state() == SocketState::Connected
    }

    /// Returns the state of the connection.
    #[must_use]
    pub fn state(&self) -> SocketState {
        self.inner.session.state()
    }

    /// Returns the last error since the socket was opened; `None` without one.
    ///
    /// It stays after `disconnected`, and is cleared when the next attempt to connect begins.
    #[must_use]
    pub fn error(&self) -> Option<Error> {
        self.inner.error()
    }

    /// Returns the text of the last error; empty when there was none.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::WebSocket;
    ///
    /// let socket = WebSocket::new();
    /// socket.disconnected().connect(|socket, ()| match socket.error() {
    ///     // Such as "cannot connect to 127.0.0.1:9: Connection refused".
    ///     Some(_) => eprintln!("{}", socket.error_string()),
    ///     None => println!("closed: {:?}", socket.close_code()),
    /// });
    /// ```
    #[doc(alias = "errorString")]
    #[must_use]
    pub fn error_string(&self) -> String {
        self.error().map(|error| error.with_causes()).unwrap_or_default()
    }

    /// Returns the address of the peer, also after the connection has ended.
    ///
    /// It is `None` only for a socket that was never connected, and for a stream without an address,
    /// such as a Unix socket.
    ///
    /// # Qt
    ///
    /// `QWebSocket::peerAddress()`, which shows IPv4 peers of a dual-stack server as
    /// `::ffff:a.b.c.d`; here it is the IPv4 address.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::WebSocket;
    ///
    /// fn on_disconnected(socket: &WebSocket, (): &()) {
    ///     if let Some(address) = socket.peer_address() {
    ///         println!("{address}, port {} has disconnected", socket.peer_port());
    ///     }
    /// }
    /// ```
    #[doc(alias = "peerAddress")]
    #[must_use]
    pub fn peer_address(&self) -> Option<IpAddr> {
        self.inner.peer().map(|peer| peer.address)
    }

    /// Returns the credentials of the peer's process; `None` unless over a Unix socket.
    ///
    /// The kernel reports them, so that a server can authorize clients by their users. Linux, Android,
    /// macOS and the BSDs have them. They are known from the opening handshake on and remain after the end
    /// of the connection. `None` also for a stream of another library
    /// ([`WebSocketServer::handle_stream`](crate::WebSocketServer::handle_stream)).
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{CloseCode, WebSocket};
    ///
    /// fn on_new_socket(socket: &WebSocket, users: &[u32]) {
    ///     if socket.peer_credentials().is_none_or(|peer| !users.contains(&peer.user_id)) {
    ///         socket.close(CloseCode::POLICY_VIOLATED, "");
    ///     }
    /// }
    /// ```
    #[doc(alias = "SO_PEERCRED")]
    #[doc(alias = "getpeereid")]
    #[must_use]
    pub fn peer_credentials(&self) -> Option<PeerCredentials> {
        self.inner.session.peer_credentials()
    }

    /// Returns the address of a server's client, also behind trusted proxies.
    ///
    /// It is the peer's address, unless the peer is one of
    /// [`set_trusted_proxies`](crate::WebSocketServer::set_trusted_proxies) of the server. `None`
    /// when those do not report it, for a stream without an address, and for a socket that opens
    /// connections itself. It does not change, and remains after the end of the connection.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: programs read the headers of `request()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::net::IpAddr;
    ///
    /// use slotwork::{CloseCode, WebSocket};
    ///
    /// fn on_new_socket(socket: &WebSocket, banned: &[IpAddr]) {
    ///     if socket.client_address().is_none_or(|address| banned.contains(&address)) {
    ///         socket.close(CloseCode::POLICY_VIOLATED, "");
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn client_address(&self) -> Option<IpAddr> {
        self.inner.client_address()
    }

    /// Returns the port of the peer; 0 without one.
    #[doc(alias = "peerPort")]
    #[must_use]
    pub fn peer_port(&self) -> u16 {
        self.inner.peer().map_or(0, |peer| peer.port)
    }

    /// Returns the local address of the connection.
    ///
    /// Otherwise as [`peer_address`](Self::peer_address); it is also `None` for a stream that is not
    /// TCP.
    #[doc(alias = "localAddress")]
    #[must_use]
    pub fn local_address(&self) -> Option<IpAddr> {
        self.inner.local().map(|local| local.address)
    }

    /// Returns the local port of the connection; 0 without one.
    #[doc(alias = "localPort")]
    #[must_use]
    pub fn local_port(&self) -> u16 {
        self.inner.local().map_or(0, |local| local.port)
    }

    /// Returns the path and the query of the request, such as `/chat?room=1`.
    ///
    /// # Qt
    ///
    /// `QWebSocket::resourceName()`, which is the whole URL on the server's side.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{CloseCode, SslMode, WebSocketServer};
    ///
    /// let server = WebSocketServer::new("Server", SslMode::NonSecure);
    /// server.new_connection().connect(|server, ()| {
    ///     while let Some(socket) = server.next_pending_connection() {
    ///         match socket.resource_name().as_str() {
    ///             "/echo" => _ = socket.text_message_received().connect(|socket, text| {
    ///                 socket.send_text_message(text);
    ///             }),
    ///             _ => _ = socket.close(CloseCode::POLICY_VIOLATED, "no such service"),
    ///         }
    ///     }
    /// });
    /// ```
    #[doc(alias = "resourceName")]
    #[must_use]
    pub fn resource_name(&self) -> String {
        self.inner.request().resource_name().into()
    }

    /// Returns the URL of the request, made of its `Host` header and resource name.
    ///
    /// It has no user name, no password and no fragment: those are not part of the request.
    ///
    /// # Qt
    ///
    /// `QWebSocket::requestUrl()`, which for a client is the URL that `open` was called with.
    #[doc(alias = "requestUrl")]
    #[must_use]
    pub fn request_url(&self) -> String {
        let request = self.inner.request();
        if request.host().is_empty() {
            return String::new();
        }
        request.request_url(self.inner.is_secure())
    }

    /// Returns the client's origin (RFC 6454); `None` without an `Origin` header.
    ///
    /// Browsers always send a true one; other programs may send anything. For a client it is the
    /// last value of [`set_origin`](Self::set_origin), before `open` too.
    ///
    /// # Qt
    ///
    /// `QWebSocket::origin()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::WebSocket;
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// let socket = WebSocket::new();
    /// socket.set_origin("https://chat.example")?;
    ///
    /// assert_eq!(socket.origin().as_deref(), Some("https://chat.example"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn origin(&self) -> Option<String> {
        match self.inner.client_end() {
            Some(end) => end.lock().origin.clone(),
            None => self.inner.request().origin().map(Into::into),
        }
    }

    /// Returns the request of the opening handshake, with its headers.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::WebSocket;
    ///
    /// fn language(socket: &WebSocket) -> String {
    ///     let request = socket.request();
    ///     let language = request.header("Accept-Language");
    ///     language.map_or_else(|| "en".into(), |language| language.into_owned())
    /// }
    /// ```
    #[doc(alias = "handshakeOptions")]
    #[must_use]
    pub fn request(&self) -> HandshakeRequest {
        self.inner.request()
    }

    /// Returns the negotiated subprotocol; `None` without one.
    #[must_use]
    pub fn subprotocol(&self) -> Option<String> {
        self.inner.subprotocol()
    }

    /// Returns the protocol version of the connection.
    #[must_use]
    pub fn version(&self) -> Version {
        Version::V13
    }

    /// Returns the code with which the connection is closing or has ended.
    ///
    /// It is `None` while the socket is open, the code given to [`close`](Self::close) or the one
    /// of the peer's close frame while it closes, [`CloseCode::MISSING_STATUS_CODE`] when that
    /// frame carried none, our code after a protocol violation by the peer, and
    /// [`CloseCode::ABNORMAL_DISCONNECTION`] when the connection ended otherwise without the peer's
    /// close frame (RFC 6455 §7.1.5).
    ///
    /// # Qt
    ///
    /// `QWebSocket::closeCode()`, which is 1000 in the place of `None`, 1005 and 1006. The codes of
    /// either side, and ours after a violation, are the same there.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{CloseCode, WebSocket};
    ///
    /// fn on_disconnected(socket: &WebSocket, (): &()) {
    ///     match socket.close_code() {
    ///         Some(CloseCode::NORMAL | CloseCode::GOING_AWAY) => println!("the peer has left"),
    ///         Some(CloseCode::ABNORMAL_DISCONNECTION) => println!("the connection was lost"),
    ///         code => println!("closed: {code:?} {}", socket.close_reason()),
    ///     }
    /// }
    /// ```
    #[doc(alias = "closeCode")]
    #[must_use]
    pub fn close_code(&self) -> Option<CloseCode> {
        self.inner.session.close_code()
    }

    /// Returns the close reason; often empty.
    #[doc(alias = "closeReason")]
    #[must_use]
    pub fn close_reason(&self) -> String {
        self.inner.session.close_reason()
    }
}

impl WeakWebSocket {
    /// Returns the socket, unless it was dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::WebSocket;
    /// use slotwork::signals::Handle;
    ///
    /// struct Partner(slotwork::WeakWebSocket);
    ///
    /// /// Two sockets that know each other, without keeping each other in memory.
    /// fn pair(a: &WebSocket, b: &WebSocket) {
    ///     a.set_data(Partner(b.downgrade()));
    ///     b.set_data(Partner(a.downgrade()));
    ///     a.text_message_received().connect(|a, text| {
    ///         if let Some(b) = a.data::<Partner>().and_then(|partner| partner.0.upgrade()) {
    ///             b.send_text_message(text);
    ///         }
    ///     });
    /// }
    /// ```
    #[must_use]
    pub fn upgrade(&self) -> Option<WebSocket> {
        Some(WebSocket { inner: self.inner.upgrade()? })
    }
}

impl Handle for WebSocket {
    type Weak = WeakWebSocket;

    fn downgrade(&self) -> WeakWebSocket {
        WeakWebSocket { inner: Arc::downgrade(&self.inner) }
    }

    fn upgrade(weak: &WeakWebSocket) -> Option<Self> {
        weak.upgrade()
    }

    fn shared(&self) -> Option<SharedSender> {
        Some(self.shared_sender())
    }

    fn is_emitted_here(&self) -> bool {
        match self.inner.client_end() {
            Some(end) => end.event_loop.is_current(),
            None => self.inner.session.is_of_this_thread(),
        }
    }
}

/// Two handles are equal when they refer to the same socket.
impl PartialEq for WebSocket {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

impl Eq for WebSocket {}

impl Hash for WebSocket {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.inner).hash(state);
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.inner.peer() {
            Some(peer) => write!(f, "WebSocket({peer}, {:?})", self.state()),
            None => write!(f, "WebSocket({:?})", self.state()),
        }
    }
}
