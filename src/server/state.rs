//! What the handles of a server share: where it listens, what waits, and its signals.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use slotwork_signals::{Connection, Signal};
use smol::Task;

use crate::event_loop::LoopHandle;
use crate::net::stream::Listener;
#[cfg(feature = "tls")]
use crate::net::tls::{ServerSide, TlsConfig};
use crate::protocol::handshake::head::HeadLimits;
use crate::runtime::panics;
use crate::server::origins::cors_authenticator::CorsAuthenticator;
use crate::server::origins::origin_policy::OriginPolicy;
use crate::server::verifier::verdict::VerificationRequest;
use crate::session::Settings;
use crate::socket::{Clients, WebSocket};
use crate::types::error::Error;
use crate::types::host_address::HostAddress;
use crate::types::ssl_mode::SslMode;
#[cfg(feature = "tls")]
use crate::types::tls_error::TlsError;

/// What all handles of a server share.
pub(crate) struct Inner {
    pub(crate) mode: SslMode,
    pub(crate) event_loop: LoopHandle,
    pub(crate) clients: Arc<Clients>,
    pub(crate) state: Mutex<State>,
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

/// What changes while a server lives.
pub(crate) struct State {
    pub(crate) name: String,
    pub(crate) listening: Option<Listening>,
    pub(crate) is_paused: bool,
    pub(crate) is_shutting_down: bool,
    /// How often the server was closed: what began before ends with it.
    pub(crate) closings: u64,
    pub(crate) pending: VecDeque<WebSocket>,
    pub(crate) max_pending: usize,
    pub(crate) max_connections: Option<usize>,
    pub(crate) max_handshakes: Option<usize>,
    /// Each answer to a connection over the limit of handshakes holds one.
    pub(crate) overflow_answers: Arc<()>,
    /// None when the program has not thought about it.
    pub(crate) origin_policy: Option<OriginPolicy>,
    pub(crate) has_warned_of_origins: bool,
    /// Where the verifier is connected to the questions.
    pub(crate) verifier: Option<Connection>,
    pub(crate) subprotocols: Vec<String>,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Tls>,
    /// The opening handshakes under way.
    pub(crate) handshakes: BTreeMap<u64, Task<()>>,
    pub(crate) next_handshake: u64,
    pub(crate) handshake_timeout: Option<Duration>,
    pub(crate) head_limits: HeadLimits,
    /// What was set for the sockets of clients that come; none while all are the defaults.
    pub(crate) socket_settings: Option<Settings>,
    pub(crate) error: Option<Error>,
}

/// A configuration of TLS, and what rustls made of it.
#[cfg(feature = "tls")]
pub(crate) struct Tls {
    pub(crate) config: TlsConfig,
    pub(crate) server_side: ServerSide,
}

/// What a server has while it listens.
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
            listening: None,
            is_paused: false,
            is_shutting_down: false,
            closings: 0,
            pending: VecDeque::new(),
            max_pending: DEFAULT_MAX_PENDING,
            max_connections: None,
            max_handshakes: Some(DEFAULT_MAX_HANDSHAKES),
            overflow_answers: Arc::default(),
            origin_policy: None,
            has_warned_of_origins: false,
            verifier: None,
            subprotocols: Vec::new(),
            #[cfg(feature = "tls")]
            tls: None,
            handshakes: BTreeMap::new(),
            next_handshake: 0,
            handshake_timeout: Some(DEFAULT_HANDSHAKE_TIMEOUT),
            head_limits: HeadLimits::default(),
            socket_settings: None,
            error: None,
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
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the settings that the sockets of new clients begin with.
    pub(crate) fn change_socket_settings(&self, change: impl FnOnce(&mut Settings)) {
        change(self.lock().socket_settings.get_or_insert_default());
    }

    /// Returns the settings that the sockets of new clients begin with.
    pub(crate) fn socket_settings(&self) -> Settings {
        self.lock().socket_settings.unwrap_or_default()
    }

    /// Remembers an error and tells everybody.
    pub(crate) fn report(&self, error: &Error) {
        self.lock().error = Some(error.clone());
        self.server_error.emit(error);
    }

    /// Runs slots; a panic in one of them ends nothing but itself.
    pub(crate) fn emit(&self, emit: impl FnOnce(&Self)) {
        panics::catch("a slot of a server", || emit(self));
    }
}

/// Qt's default.
const DEFAULT_MAX_PENDING: usize = 30;
/// More than come at a time when all clients of a big server connect again; they take a few MiB.
const DEFAULT_MAX_HANDSHAKES: usize = 4096;
const DEFAULT_KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// Qt's default.
const DEFAULT_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
