//! What a client's socket knows of itself and of its connection.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::event_loop::LoopHandle;
#[cfg(feature = "tls")]
use crate::net::tls::{TlsConfig, TlsSession};
use crate::protocol::handshake::head::HeadLimits;
use crate::protocol::handshake::request::HandshakeRequest;
use crate::protocol::handshake::response::HandshakeResponse;
use crate::types::network_proxy::NetworkProxy;
#[cfg(feature = "tls")]
use crate::types::tls_error::TlsError;

/// What only a socket has that opens connections.
pub(crate) struct ClientEnd {
    pub(crate) event_loop: LoopHandle,
    state: Mutex<ClientState>,
}

/// What changes from one connection to the next.
pub(crate) struct ClientState {
    pub(crate) origin: Option<String>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) answer_limits: HeadLimits,
    pub(crate) proxy: Option<NetworkProxy>,
    /// Something is under way: connecting, or the life of a connection.
    pub(crate) is_busy: bool,
    /// A slot has panicked while the socket connects, which ends that.
    pub(crate) has_panicked: bool,
    pub(crate) request: HandshakeRequest,
    pub(crate) peer_name: String,
    pub(crate) is_secure: bool,
    #[cfg(feature = "tls")]
    pub(crate) tls: TlsSettings,
    pub(crate) response: Option<HandshakeResponse>,
    pub(crate) subprotocol: Option<String>,
    pub(crate) peer: Option<SocketAddr>,
    /// The task that connects, which looks whether it is still wanted.
    connecting: Option<Waker>,
}

/// What a client was told about TLS.
#[cfg(feature = "tls")]
#[derive(Default)]
pub(crate) struct TlsSettings {
    pub(crate) config: Option<TlsConfig>,
    pub(crate) ignored: Vec<TlsError>,
    /// What is known of a handshake while slots are asked about it.
    pub(crate) in_handshake: Option<Box<TlsSession>>,
}

impl ClientEnd {
    pub(crate) fn new(event_loop: LoopHandle) -> Self {
        let state = ClientState {
            origin: None,
            connect_timeout: Some(DEFAULT_CONNECT_TIMEOUT),
            answer_limits: HeadLimits::default(),
            proxy: None,
            is_busy: false,
            has_panicked: false,
            request: HandshakeRequest::default(),
            peer_name: String::new(),
            is_secure: false,
            #[cfg(feature = "tls")]
            tls: TlsSettings::default(),
            response: None,
            subprotocol: None,
            peer: None,
            connecting: None,
        };
        Self { event_loop, state: Mutex::new(state) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, ClientState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the task that connects look again.
    pub(crate) fn wake(&self) {
        let waker = self.lock().connecting.take();
        waker.into_iter().for_each(Waker::wake);
    }

    /// Forgets the task that connects: its memory stays as long as its waker does.
    pub(crate) fn forget_task(&self) {
        let waker = self.lock().connecting.take();
        drop(waker);
    }

    /// Returns whether a task is kept that connects.
    #[cfg(test)]
    pub(crate) fn is_awaited(&self) -> bool {
        self.lock().connecting.is_some()
    }

    /// Waits until the connection is not wanted any more.
    pub(crate) fn poll_unwanted(&self, is_wanted: impl Fn() -> bool, cx: &Context<'_>) -> Poll<()> {
        // The waker first: who calls it off after the question finds it.
        let waker = cx.waker().clone();
        let former = self.lock().connecting.replace(waker);
        drop(former);
        if is_wanted() { Poll::Pending } else { Poll::Ready(()) }
    }
}

/// For look-up, TCP and opening handshake together.
const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
