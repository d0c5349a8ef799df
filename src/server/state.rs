//! The state that all handles of a server share, and its signals.
//!
//! Data alone: the files of the features act on it. It imports only the types of their values.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use slab::Slab;
use slotwork_signals::{Connection, Signal};
use smol::Task;

use crate::event_loop::LoopHandle;
use crate::net::stream::Listener;
#[cfg(feature = "tls")]
use crate::net::tls::{ServerSide, TlsConfig};
use crate::protocol::handshake::request_head::HeadLimits;
use crate::runtime::panics;
use crate::runtime::sync::{Mutex, MutexGuard};
use crate::server::origins::cors_authenticator::CorsAuthenticator;
use crate::server::origins::origin_policy::OriginPolicy;
use crate::server::verifier::verdict::VerificationRequest;
use crate::session::Settings;
use crate::socket::{Clients, WebSocket};
use crate::types::error::Error;
use crate::types::host_address::HostAddress;
use crate::types::ssl_mode::SslMode;
#[cfg(feature = "tls")]
use crate::types::tls::TlsError;

/// The shared part of all handles of a server.
pub(crate) struct Inner {
    pub(crate) mode: SslMode,
    pub(crate) event_loop: LoopHandle,
    pub(crate) clients: Arc<Clients>,
    state: Mutex<State>,
    pub(crate) origin_authentication_required: Signal<CorsAuthenticator>,
    pub(crate) verification_requested: Signal<VerificationRequest>,
    pub(crate) new_connection: Signal<()>,
    pub(crate) server_error: Signal<Error>,
    pub(crate) accept_error: Signal<Error>,
    pub(crate) closed: Signal<()>,
    #[cfg(feature = "tls")]
    pub(crate) tls_errors: Signal<[TlsError]>,
    #[cfg(feature = "tls")]
    pub(crate) peer_verify_error: Signal<TlsError>,
}

/// The part of the state that changes.
pub(crate) struct State {
    pub(crate) name: String,
    pub(crate) error: Option<Error>,
    pub(crate) listening: Option<Listening>,
    pub(crate) is_paused: bool,
    pub(crate) is_shutting_down: bool,
    /// Counts closings: a handshake that began before one ends with it.
    pub(crate) closings: u64,
    /// The opening handshakes under way.
    pub(crate) handshakes: Slab<Task<()>>,
    pub(crate) handshake_timeout: Option<Duration>,
    pub(crate) head_limits: HeadLimits,
    pub(crate) max_handshakes: Option<usize>,
    /// Each answer to a connection over the limit of handshakes holds one.
    pub(crate) overflow_answers: Arc<()>,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Tls>,
    /// `None` when it was never set.
    pub(crate) origin_policy: Option<OriginPolicy>,
    pub(crate) has_warned_of_origins: bool,
    /// The connection of the verifier to `verification_requested`.
    pub(crate) verifier: Option<Connection>,
    pub(crate) subprotocols: Vec<String>,
    pub(crate) pending: VecDeque<WebSocket>,
    pub(crate) max_pending: usize,
    pub(crate) max_connections: Option<usize>,
    /// Settings for sockets of new clients; `None` when all are the defaults.
    pub(crate) socket_settings: Option<Settings>,
}

/// A TLS configuration, and the rustls configuration made from it.
#[cfg(feature = "tls")]
pub(crate) struct Tls {
    pub(crate) config: TlsConfig,
    pub(crate) server_side: ServerSide,
}

/// A listener, and the address given to `listen`.
pub(crate) struct Listening {
    pub(crate) listener: Arc<Listener>,
    pub(crate) address: HostAddress,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("mode", &self.mode).finish_non_exhaustive()
    }
}

impl Inner {
    /// Makes the state of a server that does not listen yet.
    pub(crate) fn new(name: String, mode: SslMode, event_loop: LoopHandle) -> Self {
        let state = State {
            name,
            error: None,
            listening: None,
            is_paused: false,
            is_shutting_down: false,
            closings: 0,
            handshakes: Slab::new(),
            handshake_timeout: Some(DEFAULT_HANDSHAKE_TIMEOUT),
            head_limits: HeadLimits::default(),
            max_handshakes: Some(DEFAULT_MAX_HANDSHAKES),
            overflow_answers: Arc::default(),
            #[cfg(feature = "tls")]
            tls: None,
            origin_policy: None,
            has_warned_of_origins: false,
            verifier: None,
            subprotocols: Vec::new(),
            pending: VecDeque::new(),
            max_pending: DEFAULT_MAX_PENDING,
            max_connections: None,
            socket_settings: None,
        };
        Self {
            mode,
            event_loop,
            clients: Arc::new(Clients::new(Some(DEFAULT_KEEPALIVE_INTERVAL))),
            state: Mutex::new(state),
            origin_authentication_required: Signal::new(),
            verification_requested: Signal::new(),
            new_connection: Signal::new(),
            server_error: Signal::new(),
            accept_error: Signal::new(),
            closed: Signal::new(),
            #[cfg(feature = "tls")]
            tls_errors: Signal::new(),
            #[cfg(feature = "tls")]
            peer_verify_error: Signal::new(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Changes the settings for sockets of new clients.
    pub(crate) fn change_socket_settings(&self, change: impl FnOnce(&mut Settings)) {
        change(self.lock().socket_settings.get_or_insert_default());
    }

    /// Returns the settings for sockets of new clients.
    pub(crate) fn socket_settings(&self) -> Settings {
        self.lock().socket_settings.unwrap_or_default()
    }

    /// Stores an error, and emits `server_error`.
    pub(crate) fn report(&self, error: &Error) {
        self.lock().error = Some(error.clone());
        self.server_error.emit(error);
    }

    /// Emits a signal; a panic in a slot is caught and reported.
    pub(crate) fn emit(&self, emit: impl FnOnce(&Self)) {
        panics::catch("a slot of a server", || emit(self));
    }
}

/// Qt's default.
const DEFAULT_MAX_PENDING: usize = 30;
/// Enough for all clients of a large server to reconnect at once: a few MiB.
const DEFAULT_MAX_HANDSHAKES: usize = 4096;
const DEFAULT_KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// Qt's default.
const DEFAULT_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
