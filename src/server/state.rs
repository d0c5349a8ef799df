//! What the handles of a server share: where it listens, what waits, and its signals.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::mem;
use std::net::{IpAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use slotwork_signals::Signal;
use smol::Task;

use crate::event_loop::LoopHandle;
use crate::net::stream::Listener;
use crate::protocol::handshake::head::HeadLimits;
use crate::server::client_limits::Capacity;
use crate::server::gate::Gate;
use crate::server::keepalive;
use crate::server::origins::cors_authenticator::CorsAuthenticator;
#[cfg(feature = "tls")]
use crate::server::tls::Secure;
use crate::server::verifier::Question;
use crate::session::Settings;
use crate::socket::{Clients, WebSocket};
use crate::types::close_code::CloseCode;
use crate::types::error::Error;
use crate::types::host_address::HostAddress;
use crate::types::ssl_mode::SslMode;

/// What all handles of a server share.
pub(crate) struct Inner {
    pub(crate) mode: SslMode,
    pub(crate) event_loop: LoopHandle,
    pub(crate) clients: Arc<Clients>,
    pub(crate) state: Mutex<State>,
    pub(crate) origin_authentication_required: Signal<CorsAuthenticator>,
    pub(crate) verification: Signal<Question>,
    pub(crate) new_connection: Signal<()>,
    pub(crate) server_error: Signal<Error>,
    pub(crate) accept_error: Signal<Error>,
    pub(crate) closed: Signal<()>,
    #[cfg(feature = "tls")]
    pub(crate) secure: Secure,
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
    pub(crate) capacity: Capacity,
    pub(crate) gate: Gate,
    /// The opening handshakes under way.
    pub(crate) handshakes: BTreeMap<u64, Task<()>>,
    pub(crate) next_handshake: u64,
    pub(crate) handshake_timeout: Option<Duration>,
    pub(crate) head_limits: HeadLimits,
    /// What was set for the sockets of clients that come; none while all are the defaults.
    pub(crate) socket_settings: Option<Settings>,
    pub(crate) error: Option<Error>,
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
            capacity: Capacity::default(),
            gate: Gate::default(),
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
            verification: Signal::new(),
            new_connection: Signal::new(),
            server_error: Signal::new(),
            accept_error: Signal::new(),
            closed: Signal::new(),
            #[cfg(feature = "tls")]
            secure: Secure::default(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Binds and remembers that; nothing is accepted yet.
    pub(crate) fn bind(&self, address: HostAddress, port: u16) -> Result<Arc<Listener>, Error> {
        self.listen_with(|| match Listener::bind(address, port) {
            Ok(listener) => Ok((listener, address)),
            Err(source) => Err(Error::Listen { address, port, source: Arc::new(source) }),
        })
    }

    /// The same with a socket that listens already.
    pub(crate) fn adopt(&self, listener: TcpListener) -> Result<Arc<Listener>, Error> {
        self.listen_with(|| {
            let local = listener.local_addr().ok();
            let address = local.map_or(HostAddress::Any, |local| local.ip().into());
            let port = local.map_or(0, |local| local.port());
            Listener::adopt(listener).map_err(|source| Error::Listen {
                address,
                port,
                source: Arc::new(source),
            })
        })
    }

    fn listen_with(
        &self,
        make: impl FnOnce() -> Result<(Listener, HostAddress), Error>,
    ) -> Result<Arc<Listener>, Error> {
        self.check_ready()?;
        let mut state = self.lock();
        if let Some(listening) = &state.listening {
            return Err(Error::AlreadyListening { url: listening.url(self.mode) });
        }
        let (listener, address) = make()?;
        let listener = Arc::new(listener);
        state.listening = Some(Listening { listener: Arc::clone(&listener), address });
        state.is_paused = false;
        state.error = None;
        Ok(listener)
    }

    /// Fails when the server cannot serve: its loop has ended, or it is to speak TLS and cannot.
    pub(crate) fn check_ready(&self) -> Result<(), Error> {
        if self.event_loop.has_ended() {
            return Err(Error::EventLoopEnded);
        }
        match self.mode {
            SslMode::NonSecure => Ok(()),
            #[cfg(feature = "tls")]
            SslMode::Secure => self.secure.check(),
            #[cfg(not(feature = "tls"))]
            SslMode::Secure => Err(Error::SecureModeNotSupported),
        }
    }

    /// Takes the socket that has waited longest: it is a client from now on.
    pub(crate) fn take_pending(&self) -> Option<WebSocket> {
        let mut state = self.lock();
        let socket = state.pending.pop_front()?;
        // Still locked: whoever shuts the server down finds it among the ones or the others.
        let needs_watch = self.clients.insert(&socket);
        drop(state);
        if needs_watch {
            keepalive::start(&self.event_loop, &self.clients);
        }
        Some(socket)
    }

    /// Remembers an error and tells everybody.
    pub(crate) fn report(&self, error: &Error) {
        self.lock().error = Some(error.clone());
        self.server_error.emit(error);
    }

    /// Stops listening, ends the handshakes and sends away who waits; returns whether it listened.
    pub(crate) fn stop(&self) -> bool {
        let (was_listening, pending) = self.stop_accepting();
        pending.iter().for_each(send_away);
        was_listening
    }

    /// Stops listening and ends the handshakes; returns whether it listened, and who waits.
    pub(crate) fn stop_accepting(&self) -> (bool, VecDeque<WebSocket>) {
        let mut state = self.lock();
        state.closings += 1;
        let listening = state.listening.take();
        let handshakes = mem::take(&mut state.handshakes);
        let pending = mem::take(&mut state.pending);
        drop(state);

        if let Some(listening) = &listening {
            listening.listener.close();
        }
        drop(handshakes);
        (listening.is_some(), pending)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Listening {
    /// Returns the URL at which clients reach the server.
    pub(crate) fn url(&self, mode: SslMode) -> String {
        let port = self.listener.local_address().port();
        let ip = match self.address {
            HostAddress::Any => HostAddress::LocalHost.ip(),
            address => address.ip(),
        };
        match ip {
            IpAddr::V4(ip) => format!("{}://{ip}:{port}", mode.scheme()),
            IpAddr::V6(ip) => format!("{}://[{ip}]:{port}", mode.scheme()),
        }
    }
}

/// Closes a socket that nobody took.
pub(crate) fn send_away(socket: &WebSocket) {
    socket.close(CloseCode::GOING_AWAY, "server closed");
    socket.start_reading();
}

/// Qt's default.
const DEFAULT_MAX_PENDING: usize = 30;
const DEFAULT_KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// Qt's default.
const DEFAULT_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
