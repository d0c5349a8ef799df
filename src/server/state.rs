//! The state that all handles of a server share, and its signals.
//!
//! Data alone: the files of the features act on it. It imports only the types of their values.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

use slab::Slab;
use slotwork_signals::Signal;
use smol::Task;

use crate::event_loop::LoopHandle;
use crate::net::stream::Listener;
use crate::protocol::handshake::request::kept::SharedHeads;
use crate::runtime::panics;
use crate::runtime::sync::{Mutex, MutexGuard};
use crate::server::address_counts::AddressCounts;
use crate::server::configuration::{Configuration, Configured};
use crate::server::counters::Counters;
use crate::server::origins::cors_authenticator::CorsAuthenticator;
use crate::server::threads::parts::Parts;
use crate::server::topics::registry::Topics;
use crate::server::topics::state::Inner as TopicInner;
use crate::server::verifier::verdict::VerificationRequest;
use crate::session::Traffic;
use crate::socket::{Clients, ThreadCount, WebSocket};
use crate::types::error::Error;
use crate::types::host_address::HostAddress;
use crate::types::limit::LimitReached;
use crate::types::ssl_mode::SslMode;
#[cfg(feature = "tls")]
use crate::types::tls::TlsError;

/// The shared part of all handles of a server.
pub(crate) struct Inner {
    pub(crate) mode: SslMode,
    pub(crate) event_loop: LoopHandle,
    /// The server of which this is the part in one thread, if it is one.
    pub(crate) whole: Option<Weak<Self>>,
    /// The parts in the server's threads; never set without threads.
    pub(crate) parts: OnceLock<Parts<Self>>,
    pub(crate) clients: Arc<Clients>,
    pub(crate) counters: Arc<Counters>,
    /// A part has those of the whole.
    pub(crate) addresses: Arc<AddressCounts>,
    /// A part has those of the whole.
    pub(crate) topics: Arc<Topics<TopicInner>>,
    state: Mutex<State>,
    pub(crate) origin_authentication_required: Signal<CorsAuthenticator>,
    pub(crate) verification_requested: Arc<Signal<VerificationRequest>>,
    pub(crate) new_connection: Signal<()>,
    pub(crate) server_error: Signal<Error>,
    pub(crate) accept_error: Signal<Error>,
    pub(crate) closed: Signal<()>,
    pub(crate) limit_reached: Signal<LimitReached>,
    #[cfg(feature = "tls")]
    pub(crate) tls_errors: Signal<[TlsError]>,
    #[cfg(feature = "tls")]
    pub(crate) peer_verify_error: Signal<TlsError>,
}

/// The part of the state that changes.
pub(crate) struct State {
    pub(crate) configuration: Configured,
    pub(crate) error: Option<Error>,
    pub(crate) listening: Option<Listening>,
    pub(crate) pause: Pause,
    pub(crate) is_shutting_down: bool,
    /// Counts closings: a handshake that began before one ends with it.
    pub(crate) closings: u64,
    /// The opening handshakes under way.
    pub(crate) handshakes: Slab<Task<()>>,
    /// Each answer to a connection over the limit of handshakes holds one.
    pub(crate) overflow_answers: Arc<()>,
    pub(crate) has_warned_of_origins: bool,
    pub(crate) shared_heads: SharedHeads,
    pub(crate) pending: VecDeque<WebSocket>,
}

/// The reasons for which connections wait in the system's queue.
#[derive(Default)]
pub(crate) struct Pause {
    pub(crate) by_program: bool,
    /// Until all threads are set up.
    pub(crate) by_start: bool,
}

/// A listener, and the address given to `listen`.
pub(crate) struct Listening {
    pub(crate) listener: Arc<Listener>,
    /// `None` for a Unix socket.
    pub(crate) address: Option<HostAddress>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("mode", &self.mode).finish_non_exhaustive()
    }
}

impl Inner {
    /// Makes the state of a server that does not listen yet.
    pub(crate) fn new(name: String, mode: SslMode, event_loop: LoopHandle) -> Self {
        Self::with(Configuration::new(name), mode, event_loop, None)
    }

    /// Makes a server with these settings; the part of a whole is counted there.
    pub(crate) fn with(
        configuration: Configuration,
        mode: SslMode,
        event_loop: LoopHandle,
        whole: Option<(Weak<Self>, Arc<ThreadCount>)>,
    ) -> Self {
        let (whole, count) = whole.unzip();
        let clients =
            Arc::new(Clients::new(event_loop.downgrade(), configuration.keepalive_interval, count));
        let state = State {
            configuration: Configured::new(configuration),
            error: None,
            listening: None,
            pause: Pause::default(),
            is_shutting_down: false,
            closings: 0,
            handshakes: Slab::new(),
            overflow_answers: Arc::default(),
            has_warned_of_origins: false,
            shared_heads: SharedHeads::default(),
            pending: VecDeque::new(),
        };
        Self {
            mode,
            event_loop,
            whole,
            parts: OnceLock::new(),
            clients,
            counters: Arc::default(),
            addresses: Arc::default(),
            topics: Arc::default(),
            state: Mutex::new(state),
            origin_authentication_required: Signal::new(),
            verification_requested: Arc::default(),
            new_connection: Signal::new(),
            server_error: Signal::new(),
            accept_error: Signal::new(),
            closed: Signal::new(),
            limit_reached: Signal::new(),
            #[cfg(feature = "tls")]
            tls_errors: Signal::new(),
            #[cfg(feature = "tls")]
            peer_verify_error: Signal::new(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Stores an error, and emits `server_error`.
    pub(crate) fn report(&self, error: &Error) {
        self.lock().error = Some(error.clone());
        self.server_error.emit(error);
    }

    /// Emits a signal; a panic in a slot is caught and reported.
    pub(crate) fn emit(&self, emit: impl FnOnce(&Self)) {
        if !panics::catch("a slot of a server", || emit(self)) {
            Traffic::note(&self.clients.traffic().slot_panics);
        }
    }
}
