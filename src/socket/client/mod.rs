//! What only the socket of a client can do: open a connection.

use std::sync::Arc;
use std::time::Duration;

use crate::event_loop::EventLoop;
use crate::protocol::handshake::grammar;
use crate::protocol::handshake::response::HandshakeResponse;
use crate::protocol::handshake::url::without_secrets;
use crate::session::Session;
use crate::socket::WebSocket;
use crate::socket::client::client_request::ClientRequest;
use crate::socket::client::state::ClientEnd;
use crate::socket::client_list::Membership;
use crate::socket::state::{End, Inner};
use crate::types::close_code::CloseCode;
use crate::types::error::Error;
use crate::types::mask_generator::MaskGenerator;
use crate::types::network_proxy::NetworkProxy;
use crate::types::role::Role;

pub(crate) mod client_request;
pub(crate) mod connect;
pub(crate) mod open;
pub(crate) mod state;
#[cfg(feature = "tls")]
pub(crate) mod tls;

/// Clients.
impl WebSocket {
    /// Makes a socket without a connection, for a client.
    ///
    /// It lives on the event loop of this thread, which emits its signals.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use slotwork::{Error, EventLoop, WebSocket};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let socket = WebSocket::new();
    /// socket.connected().connect(|socket, ()| {
    ///     socket.send_text_message("Hello, world!");
    /// });
    /// socket.text_message_received().connect(|socket, text| {
    ///     println!("{text}");
    ///     socket.close(1000, "");
    /// });
    /// socket.error_occurred().connect(|_socket, error| eprintln!("{error}"));
    /// socket.disconnected().connect(|_socket, ()| EventLoop::current().quit());
    ///
    /// socket.open("ws://localhost:1234")?;
    /// EventLoop::current().exec();
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn new() -> Self {
        let end = ClientEnd::new(EventLoop::current().handle());
        let session = Session::unconnected(Role::Client);
        let end = End::Client(Box::new(end));
        Self { inner: Arc::new(Inner::new(session, end, Membership::new(None))) }
    }

    /// Begins to open a connection to a `ws` or `wss` URL; returns at once.
    ///
    /// The state is [`Connecting`](crate::SocketState::Connecting) until
    /// [`connected`](Self::connected) is emitted, or
    /// [`error_occurred`](Self::error_occurred) and then [`disconnected`](Self::disconnected). The
    /// look-up of the host, TCP, TLS and the opening handshake have 10 s in all
    /// ([`set_connect_timeout`](Self::set_connect_timeout)); of a host with several addresses the
    /// first one that answers is taken. The loop keeps the socket alive until `disconnected`.
    /// After that it can be opened again, and has the slots that it had.
    ///
    /// The host may be an international name, which is encoded (UTS 46: `bücher.example` is
    /// `xn--bcher-kva.example`), or an IPv6 address with a zone, an interface's name or number
    /// (RFC 6874: `ws://[fe80::1%25eth0]/`). The zone is not sent.
    ///
    /// # Qt
    ///
    /// `QWebSocket::open()`. There a second call drops the connection without a word; here it is an
    /// error.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidUrl`], [`Error::UnsupportedScheme`], [`Error::AlreadyOpen`] before
    /// `disconnected`, and without the feature `tls` [`Error::SecureModeNotSupported`] for a `wss`
    /// URL, and [`Error::EventLoopEnded`] when the thread on which the socket was made has ended. For a
    /// socket that a server accepted it is always `AlreadyOpen`.
    ///
    /// But for `AlreadyOpen`, after which the connection goes on as it was, [`error`](Self::error)
    /// returns it and [`error_occurred`](Self::error_occurred) is emitted as well, before this returns;
    /// its slots in other threads follow. `disconnected` does not follow.
    pub fn open(&self, url: impl Into<String>) -> Result<(), Error> {
        self.open_request(ClientRequest::new(url))
    }

    /// Begins to open a connection, with headers and subprotocols; otherwise as
    /// [`open`](Self::open).
    ///
    /// # Errors
    ///
    /// As `open`, told in the same way, and [`Error::InvalidHeaderName`], [`Error::InvalidHeaderValue`],
    /// [`Error::InvalidSubprotocol`].
    #[doc(alias = "open")]
    pub fn open_request(&self, request: ClientRequest) -> Result<(), Error> {
        let result = self.begin_to_open(request);
        match &result {
            Ok(()) | Err(Error::AlreadyOpen) => {}
            Err(error) => open::tell_refusal(&self.inner, error),
        }
        result
    }

    fn begin_to_open(&self, request: ClientRequest) -> Result<(), Error> {
        let Some(end) = self.inner.client_end() else { return Err(Error::AlreadyOpen) };
        if end.event_loop.has_ended() {
            return Err(Error::EventLoopEnded);
        }
        let mut state = end.lock();
        let shown = without_secrets(request.url());
        let opening = request.checked(state.origin.clone(), state.answer_limits)?;
        if opening.url.is_secure && cfg!(not(feature = "tls")) {
            return Err(Error::SecureModeNotSupported);
        }
        let Some(request) = opening.handshake_request() else {
            return Err(Error::InvalidUrl(shown));
        };
        if state.is_busy || !self.inner.session.begin_connecting() {
            return Err(Error::AlreadyOpen);
        }
        state.is_busy = true;
        state.request = request;
        state.peer_name = opening.url.name();
        state.is_secure = opening.url.is_secure;
        (state.response, state.subprotocol, state.peer) = (None, None, None);
        drop(state);
        self.inner.forget_error();
        if open::start(&self.inner, end, opening) { Ok(()) } else { Err(Error::EventLoopEnded) }
    }

    /// Sets the origin that this client gives, from the next `open` on; the default is none.
    ///
    /// # Qt
    ///
    /// The argument of `QWebSocket`'s constructor.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidHeaderValue`] when no header can carry it.
    pub fn set_origin(&self, origin: impl Into<String>) -> Result<(), Error> {
        let origin = origin.into();
        if !grammar::is_printable(origin.as_bytes()) {
            return Err(Error::InvalidHeaderValue(origin));
        }
        if let Some(end) = self.inner.client_end() {
            end.lock().origin = Some(origin).filter(|origin| !origin.is_empty());
        }
        Ok(())
    }

    /// Sets how long look-up, TCP and opening handshake may take in all; the default is 10 s.
    ///
    /// `None` waits for ever. It counts from the next `open` on.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: a server that says nothing keeps a client waiting.
    pub fn set_connect_timeout(&self, timeout: Option<Duration>) {
        if let Some(end) = self.inner.client_end() {
            end.lock().connect_timeout = timeout;
        }
    }

    /// Returns how long look-up, TCP and opening handshake may take in all.
    ///
    /// It is `None` also for a socket that a server accepted.
    #[must_use]
    pub fn connect_timeout(&self) -> Option<Duration> {
        self.inner.client_end().and_then(|end| end.lock().connect_timeout)
    }

    /// Sets the maximum number of headers of an answer, from the next `open` on; the default is 100.
    ///
    /// One with more, of the server or of a proxy, ends the attempt with [`Error::InvalidAnswer`].
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: its limits are fixed.
    pub fn set_max_header_count(&self, count: usize) {
        if let Some(end) = self.inner.client_end() {
            end.lock().answer_limits.headers = count;
        }
    }

    /// Sets the maximum size of an answer's head, in bytes, from the next `open` on; the default is
    /// 32 KiB.
    ///
    /// It is that of the status line and all headers together. What is longer is an error, as with
    /// [`set_max_header_count`](Self::set_max_header_count).
    pub fn set_max_header_size(&self, size: usize) {
        if let Some(end) = self.inner.client_end() {
            end.lock().answer_limits.head = size;
        }
    }

    /// Sets the proxy through which the server is reached, from the next `open` on; the default is
    /// none.
    ///
    /// [`peer_address`](Self::peer_address) and [`peer_port`](Self::peer_port) are the proxy's then,
    /// [`peer_name`](Self::peer_name) is the server's host.
    ///
    /// # Qt
    ///
    /// `QWebSocket::setProxy()`; `None` is `QNetworkProxy::NoProxy`.
    #[doc(alias = "setProxy")]
    pub fn set_proxy(&self, proxy: Option<NetworkProxy>) {
        if let Some(end) = self.inner.client_end() {
            end.lock().proxy = proxy;
        }
    }

    /// Returns the proxy through which the server is reached.
    #[must_use]
    pub fn proxy(&self) -> Option<NetworkProxy> {
        self.inner.client_end().and_then(|end| end.lock().proxy.clone())
    }

    /// Sets what makes the masking keys of this client; see [`MaskGenerator`].
    ///
    /// # Qt
    ///
    /// `QWebSocket::setMaskGenerator()`, which also makes the key of the opening handshake.
    #[doc(alias = "maskGenerator")]
    #[doc(alias = "setMaskGenerator")]
    pub fn set_mask_generator(&self, generator: impl MaskGenerator) {
        self.inner.session.set_mask_generator(Some(Box::new(generator)));
    }

    /// Returns the server's answer to the opening handshake, with its headers.
    ///
    /// There is one when the connection was opened, or refused with an HTTP status; `None` before,
    /// and for a socket that a server accepted.
    #[must_use]
    pub fn handshake_response(&self) -> Option<HandshakeResponse> {
        self.inner.client_end().and_then(|end| end.lock().response.clone())
    }

    /// Returns the host that was given to `open`, in the form in which it is looked up.
    ///
    /// An international name is encoded (`xn--bcher-kva.example`), an IPv6 address has no brackets and
    /// keeps its zone (`fe80::1%eth0`). Empty for a socket that a server accepted.
    #[doc(alias = "peerName")]
    #[must_use]
    pub fn peer_name(&self) -> String {
        self.inner.client_end().map(|end| end.lock().peer_name.clone()).unwrap_or_default()
    }

    /// Returns the subprotocol on which client and server have agreed; `None` when on none.
    #[must_use]
    pub fn subprotocol(&self) -> Option<String> {
        self.inner.subprotocol()
    }

    /// Stops connecting, if that is under way; the signals follow from the event loop.
    pub(crate) fn stop_connecting(&self) -> bool {
        let Some(end) = self.inner.client_end() else { return false };
        let session = &self.inner.session;
        let was_connecting = session.stop_connecting(CloseCode::ABNORMAL_DISCONNECTION, "");
        if was_connecting {
            end.wake();
        }
        was_connecting
    }
}

impl Default for WebSocket {
    fn default() -> Self {
        Self::new()
    }
}
