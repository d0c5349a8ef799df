//! What a client's socket knows of itself and of its connection.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::event_loop::LoopHandle;
use crate::handshake::head::HeadLimits;
use crate::handshake::request::HandshakeRequest;
use crate::handshake::response::HandshakeResponse;
use crate::network_proxy::NetworkProxy;
use crate::socket::inner::Endpoint;
#[cfg(feature = "tls")]
use crate::socket::secure::TlsSettings;

/// What only a socket has that opens connections.
pub(super) struct ClientEnd {
    pub(super) event_loop: LoopHandle,
    state: Mutex<ClientState>,
}

/// What changes from one connection to the next.
pub(super) struct ClientState {
    pub(super) origin: Option<String>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) answer_limits: HeadLimits,
    pub(super) proxy: Option<NetworkProxy>,
    /// Something is under way: connecting, or the life of a connection.
    pub(super) is_busy: bool,
    /// A slot has panicked while the socket connects, which ends that.
    pub(super) has_panicked: bool,
    pub(super) request: HandshakeRequest,
    pub(super) peer_name: String,
    pub(super) is_secure: bool,
    #[cfg(feature = "tls")]
    pub(super) tls: TlsSettings,
    pub(super) response: Option<HandshakeResponse>,
    pub(super) subprotocol: Option<String>,
    pub(super) peer: Option<Endpoint>,
    /// The task that connects, which looks whether it is still wanted.
    connecting: Option<Waker>,
}

impl ClientEnd {
    pub(super) fn new(event_loop: LoopHandle) -> Self {
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

    pub(super) fn lock(&self) -> MutexGuard<'_, ClientState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the task that connects look again.
    pub(super) fn wake(&self) {
        let waker = self.lock().connecting.take();
        waker.into_iter().for_each(Waker::wake);
    }

    /// Forgets the task that connects: its memory stays as long as its waker does.
    pub(super) fn forget_task(&self) {
        let waker = self.lock().connecting.take();
        drop(waker);
    }

    /// Returns whether a task is kept that connects.
    #[cfg(test)]
    pub(super) fn is_awaited(&self) -> bool {
        self.lock().connecting.is_some()
    }

    /// Waits until the connection is not wanted any more.
    pub(super) fn poll_unwanted(&self, is_wanted: impl Fn() -> bool, cx: &Context<'_>) -> Poll<()> {
        // The waker first: who calls it off after the question finds it.
        let waker = cx.waker().clone();
        let former = self.lock().connecting.replace(waker);
        drop(former);
        if is_wanted() { Poll::Pending } else { Poll::Ready(()) }
    }
}

/// For look-up, TCP and opening handshake together.
const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
