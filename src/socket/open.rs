//! Makes clients and opens their connections: `open`, its task and outcome.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Waker;

use smol::future::FutureExt;

use crate::event_loop::EventLoop;
use crate::net::stream::Stream;
use crate::net::upgrade::client::{Opened, Opening};
use crate::protocol::handshake::url::without_secrets;
use crate::runtime::panics;
use crate::runtime::sync::MutexGuard;
use crate::runtime::timers::Sleep;
use crate::session::{ConnectionTask, Observer, SLOT_PANICKED, Session};
use crate::socket::WebSocket;
use crate::socket::client::client_request::ClientRequest;
use crate::socket::client::connect::connect;
use crate::socket::client::slots::{call_slots, is_wanted, report_open_error};
use crate::socket::client::state::{CheckedRequest, ClientEnd, ClientState};
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

    /// Begins to open a connection to a `ws` or `wss` URL; returns at once.
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
    /// is connecting or connected, without the feature `tls` [`Error::SecureModeNotSupported`] for
    /// a `wss` URL, and [`Error::EventLoopEnded`] when the thread on which the socket was made has
    /// ended. For a socket that a server accepted it is always `AlreadyOpen`.
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
        let request = check(request, &state)?;
        if !state.is_busy {
            // A slot of `disconnected`, in front of the attempt that waits for it.
            if state.waiting.is_some() {
                return Err(Error::AlreadyOpen);
            }
            return begin_attempt(&self.inner, end, state, request);
        }
        match self.inner.session.state() {
            SocketState::Connecting | SocketState::Connected => return Err(Error::AlreadyOpen),
            SocketState::Closing | SocketState::Unconnected => {}
        }
        state.waiting = Some(Box::new(request));
        let wakers = self.inner.session.set_has_successor(true);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Stops an attempt to connect; returns whether there was one.
    ///
    /// An `open` that waits is dropped. The signals follow from the event loop.
    pub(crate) fn stop_connecting(&self) -> bool {
        let Some(end) = self.inner.client_end() else { return false };
        drop_waiting(&self.inner, end.lock());
        let session = &self.inner.session;
        let was_connecting = session.stop_connecting(CloseCode::ABNORMAL_DISCONNECTION, "");
        if was_connecting {
            end.wake();
        }
        was_connecting
    }
}

/// The outcome of an attempt to connect.
enum Outcome {
    Opened(Stream, Opened),
    Failed(Error),
    /// `close` or `abort` was called.
    Unwanted,
}

/// An attempt to connect, which keeps the socket alive.
///
/// Dropped before its end, with the loop, it sets the socket's state to unconnected.
struct Attempt {
    inner: Arc<Inner>,
    /// The outcome is known: from here on the socket may be opened again.
    is_decided: bool,
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
        let _ = begin_attempt(inner, end, state, *request);
    }
}

fn drop_waiting(inner: &Inner, mut state: MutexGuard<'_, ClientState>) {
    if state.waiting.take().is_some() {
        let wakers = inner.session.set_has_successor(false);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

fn check(request: ClientRequest, state: &ClientState) -> Result<CheckedRequest, Error> {
    let shown = without_secrets(request.url());
    #[cfg_attr(not(feature = "compression"), expect(unused_mut, reason = "without compression"))]
    let mut opening = request.checked(state.origin.clone(), state.answer_limits)?;
    #[cfg(feature = "compression")]
    {
        opening.compression = state.compression;
    }
    if opening.url.is_secure && cfg!(not(feature = "tls")) {
        return Err(Error::SecureModeNotSupported);
    }
    let request = opening.handshake_request().ok_or(Error::InvalidUrl(shown))?;
    Ok(CheckedRequest { opening, request })
}

/// Begins the attempt of a socket without a connection.
///
/// An `open` that waits is dropped.
fn begin_attempt(
    inner: &Arc<Inner>,
    end: &ClientEnd,
    mut state: MutexGuard<'_, ClientState>,
    request: CheckedRequest,
) -> Result<(), Error> {
    let wakers = inner.session.begin_connecting().ok_or(Error::AlreadyOpen)?;
    let CheckedRequest { opening, request } = request;
    state.waiting = None;
    state.is_busy = true;
    state.request = request;
    state.peer_name = opening.url.name();
    state.is_secure = opening.url.is_secure;
    (state.response, state.subprotocol, state.peer) = (None, None, None);
    drop(state);
    wakers.into_iter().for_each(Waker::wake);
    inner.clear_error();
    if start(inner, end, opening) { Ok(()) } else { Err(Error::EventLoopEnded) }
}

/// Starts the attempt on the socket's loop; false when that has ended.
fn start(inner: &Arc<Inner>, end: &ClientEnd, opening: Opening) -> bool {
    let attempt = Attempt { inner: Arc::clone(inner), is_decided: false };
    end.event_loop.run(move || {
        EventLoop::current().spawn(run(attempt, opening)).detach();
    })
}

async fn run(mut attempt: Attempt, opening: Opening) {
    let inner = &Arc::clone(&attempt.inner);
    let Some(end) = inner.client_end() else { return };
    end.lock().has_panicked = false;
    call_slots(inner, |inner| inner.state_changed(SocketState::Connecting));
    let timeout = end.lock().connect_timeout;
    let unwanted = async {
        poll_fn(|cx| end.poll_unwanted(|| is_wanted(inner), cx)).await;
        Outcome::Unwanted
    };
    let expire = async {
        match timeout {
            Some(timeout) => Sleep::new(timeout).await,
            None => std::future::pending().await,
        }
        Outcome::Failed(Error::ConnectTimeout(timeout.unwrap_or_default()))
    };
    let connected = async {
        match connect(inner, end, opening).await {
            Ok((stream, opened)) => Outcome::Opened(stream, opened),
            Err(error) => Outcome::Failed(error),
        }
    };
    let outcome = unwanted.or(connected).or(expire).await;
    attempt.is_decided = true;
    end.drop_waker();
    match outcome {
        _ if end.lock().has_panicked => end_attempt(inner, Some(Error::SlotPanicked)),
        Outcome::Opened(stream, opened) => begin_session(inner, end, stream, opened),
        Outcome::Failed(error) => end_attempt(inner, Some(error)),
        Outcome::Unwanted => end_attempt(inner, None),
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let Self { inner, is_decided } = self;
        let Some(end) = inner.client_end().filter(|_| !*is_decided) else { return };
        // On another thread this is still the call of `open`, which runs no slot.
        if end.event_loop.is_current() {
            return end_attempt(inner, None);
        }
        inner.session.stop_connecting(CloseCode::ABNORMAL_DISCONNECTION, "");
        let mut state = end.lock();
        state.is_busy = false;
        drop_waiting(inner, state);
    }
}

/// Opens the session, and emits `connected`.
fn begin_session(inner: &Arc<Inner>, end: &ClientEnd, stream: Stream, opened: Opened) {
    let Opened { response, agreed, leftover } = opened;
    let mut state = end.lock();
    (state.response, state.subprotocol) = (Some(response), agreed.subprotocol);
    drop(state);
    if !inner.session.open(stream, agreed.extensions) {
        return end_attempt(inner, None);
    }
    let ended = end.ended_connections();
    let driver = ConnectionTask::new(Arc::clone(inner), leftover);
    EventLoop::spawn_guarded(driver).detach();
    call_slots(inner, |inner| inner.state_changed(SocketState::Connected));
    // In a loop inside a slot it may have ended, and the next connection begun.
    if end.ended_connections() != ended {
        return;
    }
    // Qt: CLI-21; `connected` is emitted before the first message: that is read in a turn of its
    // own, after this, or in a loop inside a slot.
    inner.session.start_reading();
    call_slots(inner, |inner| inner.emit_lazy(|signals| signals.connected.emit(&())));
}

/// Ends an attempt without a connection.
///
/// The error is not emitted after `close` or `abort`.
fn end_attempt(inner: &Arc<Inner>, error: Option<Error>) {
    let (code, reason) = match error {
        Some(Error::SlotPanicked) => (CloseCode::BAD_OPERATION, SLOT_PANICKED),
        _ => (CloseCode::ABNORMAL_DISCONNECTION, ""),
    };
    let was_wanted = inner.session.stop_connecting(code, reason);
    if let Some(error) = error.filter(|_| was_wanted) {
        call_slots(inner, |inner| inner.failed(error));
    }
    call_slots(inner, |inner| inner.state_changed(SocketState::Unconnected));
    panics::catch("a slot of a socket", || Inner::ended(inner));
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use crate::event_loop::EventLoop;
    use crate::socket::WebSocket;
    use crate::socket::client::state::ClientEnd;

    /// The task that connects is several KiB; its waker keeps all of it.
    #[test]
    fn nothing_is_kept_of_the_task_that_has_connected() -> Result<(), Box<dyn std::error::Error>> {
        let refusing = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let socket = WebSocket::new();
        let disconnected = socket.disconnected().next();

        socket.open(format!("ws://{refusing}"))?;
        EventLoop::current().run_until(disconnected);

        assert!(!socket.inner.client_end().is_some_and(ClientEnd::keeps_task));
        Ok(())
    }
}
