//! The client's part of a socket's state: settings and data of the connection.

use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::event_loop::LoopHandle;
#[cfg(feature = "tls")]
use crate::net::tls::{TlsConfig, TlsSession};
use crate::net::upgrade::client::Opening;
use crate::protocol::handshake::request::HandshakeRequest;
use crate::protocol::handshake::request_head::HeadLimits;
use crate::protocol::handshake::response::HandshakeResponse;
use crate::runtime::clock;
use crate::runtime::sync::{Mutex, MutexGuard};
use crate::socket::client::client_request::ClientRequest;
use crate::socket::client::reconnect::state::ReconnectState;
#[cfg(feature = "compression")]
use crate::types::compression::Compression;
use crate::types::connect_timings::ConnectTimings;
use crate::types::error::Error;
use crate::types::network_proxy::NetworkProxy;
#[cfg(feature = "tls")]
use crate::types::tls::TlsError;

/// The data of a socket that opens connections.
pub(crate) struct ClientEnd {
    pub(crate) event_loop: LoopHandle,
    state: Mutex<ClientState>,
}

/// The data that changes from one connection to the next.
pub(crate) struct ClientState {
    pub(crate) origin: Option<String>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) answer_limits: HeadLimits,
    pub(crate) proxy: Option<Box<NetworkProxy>>,
    #[cfg(feature = "compression")]
    pub(crate) compression: Option<Compression>,
    /// There is an attempt or a connection, of which the end was not reported.
    pub(crate) is_busy: bool,
    /// Counts the connections, and the attempts, of which the end was reported.
    pub(crate) ended: u64,
    /// A slot has panicked while connecting, which ends the attempt.
    pub(crate) has_panicked: bool,
    pub(crate) request: HandshakeRequest,
    pub(crate) peer_name: String,
    pub(crate) is_secure: bool,
    #[cfg(feature = "tls")]
    pub(crate) tls: TlsSettings,
    pub(crate) response: Option<HandshakeResponse>,
    pub(crate) subprotocol: Option<String>,
    pub(crate) peer: Option<SocketAddr>,
    /// The durations of the steps, if they are measured.
    pub(crate) timings: Option<Box<ConnectTimings>>,
    /// The `open` that waits for the end of the last connection to be reported.
    pub(crate) waiting: Option<Box<CheckedRequest>>,
    pub(crate) reconnect: Option<Box<ReconnectState>>,
    /// The waker of the task that connects, or waits to reconnect.
    connecting: Option<Waker>,
}

/// A checked request, and the opening handshake that is made of it.
pub(crate) struct CheckedRequest {
    pub(crate) opening: Opening,
    pub(crate) request: HandshakeRequest,
}

/// The TLS settings of a client.
#[cfg(feature = "tls")]
#[derive(Default)]
pub(crate) struct TlsSettings {
    pub(crate) config: Option<TlsConfig>,
    pub(crate) ignored: Vec<TlsError>,
    /// The session of a handshake while slots decide about its errors.
    pub(crate) in_handshake: Option<Box<TlsSession>>,
}

impl ClientEnd {
    pub(crate) fn new(event_loop: LoopHandle) -> Self {
        let state = ClientState {
            origin: None,
            connect_timeout: Some(DEFAULT_CONNECT_TIMEOUT),
            answer_limits: HeadLimits::default(),
            proxy: None,
            #[cfg(feature = "compression")]
            compression: None,
            is_busy: false,
            ended: 0,
            has_panicked: false,
            request: HandshakeRequest::default(),
            peer_name: String::new(),
            is_secure: false,
            #[cfg(feature = "tls")]
            tls: TlsSettings::default(),
            response: None,
            subprotocol: None,
            peer: None,
            timings: None,
            waiting: None,
            reconnect: None,
            connecting: None,
        };
        Self { event_loop, state: Mutex::new(state) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, ClientState> {
        self.state.lock()
    }

    /// Notes that the end of the connection, or of the attempt, is now reported.
    pub(crate) fn note_end(&self) {
        let mut state = self.lock();
        state.is_busy = false;
        state.ended += 1;
    }

    /// Returns how many connections and attempts have ended.
    pub(crate) fn ended_connections(&self) -> u64 {
        self.lock().ended
    }

    /// Returns the number of the connection: how many have ended before it.
    ///
    /// Without one, and while `open` waits, it is that of the next; also returns whether `open`
    /// waits.
    pub(crate) fn connection(&self) -> (u64, bool) {
        let state = self.lock();
        let is_waiting = state.waiting.is_some();
        (state.ended + u64::from(state.is_busy && is_waiting), is_waiting)
    }

    /// Returns whether `open` waits for the connection with this number.
    pub(crate) fn awaits(&self, number: u64) -> bool {
        let state = self.lock();
        let has_begun = state.ended > number || state.ended == number && state.is_busy;
        state.waiting.is_some() && !has_begun
    }

    /// Returns whether that `open` was dropped after the last connection had ended.
    ///
    /// Then no signal follows.
    pub(crate) fn has_dropped(&self, number: u64) -> bool {
        let state = self.lock();
        state.ended >= number && !state.is_busy && state.waiting.is_none()
    }

    /// Returns whether the socket has a connection, or is to have one.
    pub(crate) fn is_busy(&self) -> bool {
        let state = self.lock();
        state.is_busy || state.waiting.is_some()
    }

    /// Notes the error that ends the connection, or the attempt.
    pub(crate) fn note_failure(&self, error: &Error) {
        if let Some(reconnect) = &mut self.lock().reconnect {
            reconnect.note_failure(error.clone());
        }
    }

    /// Waits until the plan to reconnect has ended.
    pub(crate) fn poll_plan_ended(&self, plan: u64, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.reconnect.as_ref().is_none_or(|it| it.attempt(plan).is_none()) {
            return Poll::Ready(());
        }
        let former = state.connecting.replace(cx.waker().clone());
        drop(state);
        drop(former);
        Poll::Pending
    }

    /// Wakes the task that connects.
    pub(crate) fn wake(&self) {
        let waker = self.lock().connecting.take();
        waker.into_iter().for_each(Waker::wake);
    }

    /// Drops the waker of the task that connects, which keeps the task's memory.
    pub(crate) fn drop_waker(&self) {
        let waker = self.lock().connecting.take();
        drop(waker);
    }

    /// Returns whether the waker of a task that connects is kept.
    #[cfg(test)]
    pub(crate) fn keeps_task(&self) -> bool {
        self.lock().connecting.is_some()
    }

    /// Waits until the attempt is ended by `close`, `abort` or a panic.
    pub(crate) fn poll_unwanted(&self, is_wanted: impl Fn() -> bool, cx: &Context<'_>) -> Poll<()> {
        // The waker first: a call that ends the attempt after the check finds it.
        let waker = cx.waker().clone();
        let former = self.lock().connecting.replace(waker);
        drop(former);
        if is_wanted() { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl ClientState {
    /// Keeps the request of `open` to reconnect, or ends reconnecting.
    ///
    /// Returns the waker of the task that waits for an attempt, if it does.
    pub(crate) fn restart(&mut self, request: Option<ClientRequest>) -> Option<Waker> {
        let was_planned = self.reconnect.as_mut()?.restart(request);
        if was_planned && !self.is_busy { self.connecting.take() } else { None }
    }

    /// Returns whether the client waits to reconnect, or is reconnecting.
    pub(crate) fn is_reconnecting(&self) -> bool {
        self.reconnect.as_ref().is_some_and(|reconnect| reconnect.is_planned())
    }

    /// Returns the request of `open`, if it is kept to reconnect.
    pub(crate) fn kept(&self, request: &ClientRequest) -> Option<ClientRequest> {
        self.reconnect.as_ref().filter(|it| it.keeps_request()).map(|_| request.clone())
    }

    /// Takes over the data of a checked request; returns its opening handshake.
    pub(crate) fn adopt(&mut self, request: CheckedRequest) -> Opening {
        let CheckedRequest { opening, request } = request;
        self.request = request;
        self.peer_name = opening.url.name();
        self.is_secure = opening.url.is_secure;
        opening
    }

    /// Notes that the connection is open.
    pub(crate) fn note_open(&mut self) {
        if let Some(reconnect) = &mut self.reconnect {
            reconnect.note_open(clock::now());
        }
    }
}

/// For look-up, TCP, TLS and opening handshake together.
const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
