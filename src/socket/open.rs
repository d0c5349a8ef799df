//! Makes clients and opens their connections: `open`, also behind a `close`.

use std::sync::Arc;
use std::task::Waker;

use crate::event_loop::EventLoop;
use crate::session::Session;
use crate::socket::WebSocket;
use crate::socket::client::attempt::{Target, begin, check, drop_waiting};
use crate::socket::client::client_request::ClientRequest;
use crate::socket::client::slots::report_open_error;
use crate::socket::client::state::ClientEnd;
use crate::socket::client_list::Membership;
use crate::socket::state::{End, Inner};
use crate::types::close_code::CloseCode;
use crate::types::error::Error;
use crate::types::role::Role;
use crate::types::socket_state::SocketState;

/// Opening.
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
    ///     socket.close_normally();
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

    /// Begins to open a connection to a `ws`, `wss` or `ws+unix` URL; returns at once.
    ///
    /// The state is [`Connecting`](crate::SocketState::Connecting) until
    /// [`connected`](Self::connected) is emitted, or
    /// [`error_occurred`](Self::error_occurred) and then [`disconnected`](Self::disconnected). The
    /// timeout for look-up, TCP, TLS and opening handshake together is 10 s
    /// ([`set_connect_timeout`](Self::set_connect_timeout)); of a host with several addresses the
    /// first one that accepts is used. The loop keeps the socket alive until `disconnected`. After
    /// that it can be opened again, and keeps its slots.
    ///
    /// The host may be an international name, which is encoded (UTS 46: `bücher.example` is
    /// `xn--bcher-kva.example`), or an IPv6 address with a zone, an interface's name or number
    /// (RFC 6874: `ws://[fe80::1%25eth0]/`). The zone is not sent.
    ///
    /// On Unix, `ws+unix:/run/chat.sock:/room?name=1` opens the request `/room?name=1` at the
    /// [Unix socket](crate::WebSocketServer::listen_unix) `/run/chat.sock`, as in Node's ws. The path is
    /// absolute and percent-encoded (a colon is `%3A`); `@name` is an abstract name of Linux. The host in
    /// the request is `localhost`, there is no TLS, and a proxy is not used.
    ///
    /// # Opening again
    ///
    /// After [`close`](Self::close), [`abort`](Self::abort) or a failure this may be called at
    /// once. The attempt begins when `disconnected` of the last connection has been emitted;
    /// until then [`state`](Self::state), [`error`](Self::error),
    /// [`close_code`](Self::close_code) and the addresses are those of that connection, whose
    /// messages are still delivered. `close` and `abort` drop an `open` that waits, and so does the
    /// end of the thread; another `open` replaces it. No signal reports that. A slot of
    /// `disconnected` that reconnects does not replace it: its `open` is refused with
    /// [`Error::AlreadyOpen`]. A peer that does not answer `close` delays the attempt by up to the
    /// [`closing_timeout`](Self::closing_timeout); `abort` waits for no peer.
    ///
    /// # Qt
    ///
    /// `QWebSocket::open()`. There a call while the socket is connecting or connected silently
    /// drops the connection; here it is an error. `m_socket.abort(); m_socket.open(url);` is the
    /// same here.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidUrl`], [`Error::UnsupportedScheme`], [`Error::AlreadyOpen`] while the socket
    /// is connecting or connected (an attempt to reconnect by itself is aborted instead), without the
    /// feature `tls` [`Error::SecureModeNotSupported`] for a `wss` URL, and [`Error::EventLoopEnded`]
    /// when the thread on which the socket was made has ended. For a socket that a server accepted it
    /// is always `AlreadyOpen`.
    ///
    /// `AlreadyOpen` does not change the connection. Any other error is also returned by
    /// [`error`](Self::error), and emitted by [`error_occurred`](Self::error_occurred) before this
    /// returns; slots in other threads run later. `disconnected` does not follow, and an `open` that
    /// waits is kept.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{EventLoop, WebSocket};
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// let socket = WebSocket::new();
    /// socket.connected().connect(|_socket, ()| println!("connected"));
    /// socket.error_occurred().connect(|_socket, error| eprintln!("{error}"));
    /// socket.disconnected().connect(|_socket, ()| EventLoop::current().quit());
    ///
    /// socket.open("ws://127.0.0.1:1234/chat")?;
    /// # socket.abort();
    /// EventLoop::current().exec();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A client that changes to another server, whatever the state of its socket:
    ///
    /// ```
    /// use slotwork::{Error, WebSocket};
    ///
    /// fn change_server(socket: &WebSocket, url: &str) -> Result<(), Error> {
    ///     socket.abort();
    ///     socket.open(url)
    /// }
    /// ```
    pub fn open(&self, url: impl Into<String>) -> Result<(), Error> {
        self.open_request(ClientRequest::new(url))
    }

    /// Begins to open a connection, with headers and subprotocols.
    ///
    /// Otherwise as [`open`](Self::open).
    ///
    /// # Errors
    ///
    /// As `open`, reported in the same way, and [`Error::InvalidHeaderName`],
    /// [`Error::InvalidHeaderValue`], [`Error::InvalidSubprotocol`].
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{ClientRequest, Error, WebSocket};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let socket = WebSocket::new();
    /// let request = ClientRequest::new("ws://127.0.0.1:1234/").header("Authorization", "Bearer 1234");
    /// socket.open_request(request)?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "open")]
    pub fn open_request(&self, request: ClientRequest) -> Result<(), Error> {
        let result = self.begin_to_open(request);
        match &result {
            Ok(()) | Err(Error::AlreadyOpen) => {}
            Err(error) => report_open_error(&self.inner, error),
        }
        result
    }

    fn begin_to_open(&self, request: ClientRequest) -> Result<(), Error> {
        let Some(end) = self.inner.client_end() else { return Err(Error::AlreadyOpen) };
        if end.event_loop.has_ended() {
            return Err(Error::EventLoopEnded);
        }
        let mut state = end.lock();
        let kept = state.kept(&request);
        let request = Box::new(check(request, &state)?);
        if !state.is_busy {
            // A slot of `disconnected`, in front of the attempt that waits for it.
            if state.waiting.is_some() {
                return Err(Error::AlreadyOpen);
            }
            let waker = state.restart(kept);
            let result = begin(&self.inner, end, state, Target::Checked(request));
            waker.into_iter().for_each(Waker::wake);
            return result;
        }
        let session = &self.inner.session;
        let stopped = if state.is_reconnecting() { session.give_way() } else { None };
        match session.state() {
            SocketState::Connecting | SocketState::Connected => return Err(Error::AlreadyOpen),
            SocketState::Closing | SocketState::Unconnected => {}
        }
        state.restart(kept);
        state.waiting = Some(request);
        let gives_way = stopped.is_some();
        let wakers = stopped.unwrap_or_else(|| session.set_has_successor(true));
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        if gives_way {
            end.wake();
        }
        Ok(())
    }

    /// Stops an attempt to connect; returns whether there was one.
    ///
    /// An `open` that waits is dropped, and reconnecting ends. The signals follow from the event
    /// loop.
    pub(crate) fn stop_connecting(&self) -> bool {
        let Some(end) = self.inner.client_end() else { return false };
        let mut state = end.lock();
        let waker = state.restart(None);
        drop_waiting(&self.inner, state);
        waker.into_iter().for_each(Waker::wake);
        let session = &self.inner.session;
        let was_connecting = session.stop_connecting(CloseCode::ABNORMAL_DISCONNECTION, "");
        if was_connecting {
            end.wake();
        }
        was_connecting
    }
}

/// Begins the attempt that has waited for `disconnected`, if there is one.
///
/// It is dropped when the loop has ended, and by an `open` in a slot of `disconnected`.
pub(crate) fn begin_waiting(inner: &Arc<Inner>, end: &ClientEnd) {
    let mut state = end.lock();
    if state.is_busy {
        return;
    }
    if end.event_loop.has_ended() {
        return drop_waiting(inner, state);
    }
    if let Some(request) = state.waiting.take() {
        // An error means that the loop has ended meanwhile.
        let _ = begin(inner, end, state, Target::Checked(request));
    }
}
