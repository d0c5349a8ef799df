//! The state that the handles of a socket share: session, signals, peer.
//!
//! It holds data and imports no file that acts on it: those import this one.

use std::any::Any;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use slotwork_signals::Signal;
use slotwork_signals::host::{Position, SignalGroup};

use crate::net::stream::UNKNOWN_PEER;
use crate::protocol::handshake::request::HandshakeRequest;
use crate::protocol::handshake::request::kept::KeptRequest;
use crate::protocol::handshake::subprotocol::ChosenSubprotocol;
use crate::runtime::clock;
use crate::runtime::sync::{Mutex, MutexGuard};
use crate::session::Session;
use crate::socket::client::state::ClientEnd;
use crate::socket::client_list::Membership;
use crate::types::authenticator::Authenticator;
use crate::types::error::Error;
use crate::types::message::{BinaryFrame, Pong, TextFrame};
use crate::types::reconnect::Attempt;
use crate::types::socket_state::SocketState;
use crate::types::ssl_mode::SslMode;
#[cfg(feature = "tls")]
use crate::types::tls::TlsError;

/// The shared state of all handles of a socket, and the observer of its session.
pub(crate) struct Inner {
    pub(crate) session: Session,
    pub(crate) end: End,
    pub(crate) membership: Membership<Self>,
    /// The signals that most sockets use; the constants below are their positions.
    pub(crate) signals: SignalGroup<3>,
    pub(crate) lazy: OnceLock<Box<Lazy>>,
}

/// State that is allocated on first use, to keep idle sockets small.
#[derive(Default)]
pub(crate) struct Lazy {
    pub(crate) signals: LazySignals,
    notes: Mutex<Notes>,
    pub(crate) receive_queue: Mutex<ReceiveQueue>,
    data: Mutex<UserDataSet>,
    pub(crate) memberships: OnceLock<Box<MembershipList>>,
}

/// Signals that are allocated together when one of them is first accessed.
#[derive(Default)]
pub(crate) struct LazySignals {
    pub(crate) connected: Signal<()>,
    pub(crate) text_frame_received: Signal<TextFrame>,
    pub(crate) binary_frame_received: Signal<BinaryFrame>,
    pub(crate) pong: Signal<Pong>,
    pub(crate) bytes_written: Signal<usize>,
    pub(crate) high_water_reached: Signal<()>,
    pub(crate) output_drained: Signal<()>,
    pub(crate) about_to_close: Signal<()>,
    pub(crate) state_changed: Signal<SocketState>,
    pub(crate) error_occurred: Signal<Error>,
    pub(crate) of_clients: OnceLock<Box<ClientSignals>>,
}

/// Signals that clients alone emit, allocated together as the others.
#[derive(Default)]
pub(crate) struct ClientSignals {
    pub(crate) authentication_required: Signal<Authenticator>,
    pub(crate) proxy_authentication_required: Signal<Authenticator>,
    pub(crate) reconnecting: Signal<Attempt>,
    #[cfg(feature = "tls")]
    pub(crate) tls_errors: Signal<[TlsError]>,
    #[cfg(feature = "tls")]
    pub(crate) peer_verify_error: Signal<TlsError>,
}

/// The end of a connection that the socket is, with its data.
pub(crate) enum End {
    /// Also for a connection that was upgraded elsewhere: it opens only once.
    Server(ServerEnd),
    /// The same for a client that is behind a proxy.
    Proxied(Box<ProxiedEnd>),
    Client(Box<ClientEnd>),
}

/// The end of a connection, as most features look at it.
enum Ends<'i> {
    Server(&'i ServerEnd),
    Client(&'i ClientEnd),
}

/// The data of a server's socket about its connection.
pub(crate) struct ServerEnd {
    pub(crate) request: KeptRequest,
    pub(crate) subprotocol: Option<ChosenSubprotocol>,
    pub(crate) mode: SslMode,
    pub(crate) peer: Endpoint,
}

/// The data of a server's socket about a connection that a proxy has forwarded.
pub(crate) struct ProxiedEnd {
    end: ServerEnd,
    /// `None` when the proxy does not report it.
    client: Option<IpAddr>,
}

/// The address of one end of a connection.
///
/// It is a `SocketAddr` without the fields that only IPv6 has, which saves half the memory.
#[derive(Clone, Copy)]
pub(crate) struct Endpoint {
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
}

/// Data that few sockets have.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) pinged: Option<Instant>,
    pub(crate) error: Option<Error>,
    /// An error of `open` itself is being emitted.
    pub(crate) is_reporting: bool,
}

/// The waiting calls of a socket's slots; `reading` enforces the limit.
#[derive(Default)]
pub(crate) struct ReceiveQueue {
    /// The size of the calls in queues.
    pub(crate) queued: usize,
    /// The size of the async slots that have begun and wait for something.
    pub(crate) waiting: usize,
    /// The socket reads no more until there is room.
    pub(crate) holds: bool,
}

/// A value of any type that a program has attached to a socket.
#[derive(Clone)]
pub(crate) struct UserData(pub(crate) Arc<dyn Any + Send + Sync>);

/// The values of a socket, one of each type; `data` acts on them.
#[derive(Default)]
pub(crate) struct UserDataSet(pub(crate) Vec<UserData>);

/// The groups that the socket is in, and the call that ends its memberships.
pub(crate) struct MembershipList {
    pub(crate) list: Box<dyn Any + Send + Sync>,
    pub(crate) end: fn(&(dyn Any + Send + Sync), &Arc<Inner>),
}

pub(crate) const TEXT_MESSAGE_RECEIVED: Position<str, 3> = Position::new(0);
pub(crate) const BINARY_MESSAGE_RECEIVED: Position<[u8], 3> = Position::new(1);
pub(crate) const DISCONNECTED: Position<(), 3> = Position::new(2);

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = self.peer().map(|peer| peer.to_string());
        f.debug_struct("Inner").field("peer", &peer).finish_non_exhaustive()
    }
}

impl Inner {
    pub(crate) fn new(session: Session, end: End, membership: Membership<Self>) -> Self {
        Self { session, end, membership, signals: SignalGroup::new(), lazy: OnceLock::new() }
    }

    /// Returns the end, whether or not its client is behind a proxy.
    fn ends(&self) -> Ends<'_> {
        match &self.end {
            End::Server(end) => Ends::Server(end),
            End::Proxied(proxied) => Ends::Server(&proxied.end),
            End::Client(end) => Ends::Client(end),
        }
    }

    /// Returns the address of a server's client; `None` if unknown.
    pub(crate) fn client_address(&self) -> Option<IpAddr> {
        match &self.end {
            End::Server(end) => end.peer_address(),
            End::Proxied(proxied) => proxied.client,
            End::Client(_) => None,
        }
    }

    /// Returns the address of the peer; a client has one after connecting.
    ///
    /// A stream without a descriptor need not have one.
    pub(crate) fn peer(&self) -> Option<Endpoint> {
        match self.ends() {
            Ends::Server(end) => Some(end.peer).filter(|peer| peer.is_known()),
            Ends::Client(end) => end.lock().peer.map(Into::into),
        }
    }

    /// Returns the local address.
    pub(crate) fn local(&self) -> Option<Endpoint> {
        self.session.local_address().map(Into::into)
    }

    /// Returns the negotiated subprotocol.
    pub(crate) fn subprotocol(&self) -> Option<String> {
        match self.ends() {
            Ends::Server(end) => end.subprotocol?.name(&end.request.request()).map(str::to_owned),
            Ends::Client(end) => end.lock().subprotocol.clone(),
        }
    }

    pub(crate) fn client_end(&self) -> Option<&ClientEnd> {
        match self.ends() {
            Ends::Server(_) => None,
            Ends::Client(end) => Some(end),
        }
    }

    pub(crate) fn is_secure(&self) -> bool {
        match self.ends() {
            Ends::Server(end) => end.mode == SslMode::Secure,
            Ends::Client(end) => end.lock().is_secure,
        }
    }

    /// Returns the request of the opening handshake; an empty one before it.
    pub(crate) fn request(&self) -> HandshakeRequest {
        match self.ends() {
            Ends::Server(end) => end.request.request(),
            Ends::Client(end) => end.lock().request.clone(),
        }
    }

    /// Returns the lazy signals, which this allocates.
    pub(crate) fn lazy_signals(&self) -> &LazySignals {
        &self.lazy().signals
    }

    /// Emits a lazy signal, if they are allocated: otherwise it has no slots.
    pub(crate) fn emit_lazy(&self, emit: impl FnOnce(&LazySignals)) {
        if let Some(lazy) = self.lazy.get() {
            emit(&lazy.signals);
        }
    }

    /// Returns the signals of clients, which this allocates.
    pub(crate) fn client_signals(&self) -> &ClientSignals {
        self.lazy_signals().of_clients.get_or_init(Box::default)
    }

    /// Emits a signal of clients, if they are allocated: otherwise it has no slots.
    pub(crate) fn emit_of_client(&self, emit: impl FnOnce(&ClientSignals)) {
        self.emit_lazy(|signals| {
            if let Some(signals) = signals.of_clients.get() {
                emit(signals);
            }
        });
    }

    /// Returns the last error.
    pub(crate) fn error(&self) -> Option<Error> {
        match self.client_end() {
            Some(_) => self.lazy.get()?.notes().error.clone(),
            None => self.session.kept_error(),
        }
    }

    /// Clears the error of an earlier connection.
    pub(crate) fn clear_error(&self) {
        if let Some(lazy) = self.lazy.get() {
            lazy.notes().error = None;
        }
    }

    /// Sets the time of the last ping.
    pub(crate) fn set_ping_time(&self) {
        self.lazy().notes().pinged = Some(clock::now());
    }

    pub(crate) fn lazy(&self) -> &Lazy {
        self.lazy.get_or_init(Box::default)
    }
}

impl End {
    /// Makes the end of a server, with the address of its client.
    pub(crate) fn of_server(end: ServerEnd, client: Option<IpAddr>) -> Self {
        if client == end.peer_address() {
            Self::Server(end)
        } else {
            Self::Proxied(Box::new(ProxiedEnd { end, client }))
        }
    }
}

impl ServerEnd {
    fn peer_address(&self) -> Option<IpAddr> {
        Some(self.peer).filter(|peer| peer.is_known()).map(|peer| peer.address)
    }
}

impl Lazy {
    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock()
    }

    pub(crate) fn data(&self) -> MutexGuard<'_, UserDataSet> {
        self.data.lock()
    }
}

impl Endpoint {
    /// Returns whether it is an address, and does not stand for a peer without one.
    fn is_known(self) -> bool {
        SocketAddr::new(self.address, self.port) != UNKNOWN_PEER
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self { address: address.ip(), port: address.port() }
    }
}

/// In the format of a socket address, such as `[::1]:80`.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.address, self.port).fmt(f)
    }
}

// A server's socket keeps an index for the subprotocol, and no copy.
const _: () = assert!(size_of::<ServerEnd>() <= 48);
