//! Makes the sockets of the clients that a server has accepted.

use std::any::Any;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::net::stream::Stream;
use crate::protocol::handshake::extensions::AgreedExtensions;
use crate::protocol::handshake::request::kept::KeptRequest;
use crate::protocol::handshake::subprotocol::ChosenSubprotocol;
use crate::session::{ConnectionTask, Session, Settings};
use crate::socket::WebSocket;
use crate::socket::client_list::{ClientList, Membership};
use crate::socket::driven::DrivenSocket;
use crate::socket::state::{End, Inner, ServerEnd, UserData};
use crate::types::role::Role;
use crate::types::ssl_mode::SslMode;

/// The open sockets of one server.
pub(crate) type Clients = ClientList<Inner>;

/// An accepted connection after its opening handshake.
pub(crate) struct Accepted {
    pub(crate) stream: Stream,
    pub(crate) request: KeptRequest,
    /// Bytes that were read behind the request.
    pub(crate) leftover: Vec<u8>,
    pub(crate) subprotocol: Option<ChosenSubprotocol>,
    pub(crate) extensions: AgreedExtensions,
    pub(crate) mode: SslMode,
    pub(crate) peer: SocketAddr,
    /// The address of the client, that of the peer or one behind it; `None` if unknown.
    pub(crate) client: Option<IpAddr>,
    pub(crate) clients: Arc<Clients>,
    /// The server's settings for its sockets; `None` for the defaults.
    pub(crate) settings: Option<Settings>,
}

impl WebSocket {
    /// Makes the socket of an accepted connection, and its task to spawn.
    pub(crate) fn accepted(
        accepted: Accepted,
    ) -> (Self, impl Future<Output = ()> + Unpin + 'static) {
        let end = ServerEnd {
            request: accepted.request,
            subprotocol: accepted.subprotocol,
            mode: accepted.mode,
            peer: accepted.peer.into(),
        };
        let session =
            Session::new(Role::Server, accepted.stream, accepted.settings, accepted.extensions);
        if accepted.settings.is_some() {
            session.count_drops(accepted.clients.traffic());
        }
        let membership = Membership::new(Some(accepted.clients));
        let end = End::of_server(end, accepted.client);
        let inner = Arc::new(Inner::new(session, end, membership));
        let driver = ConnectionTask::<Inner>::new(DrivenSocket::new(&inner), accepted.leftover);
        (Self { inner }, driver)
    }

    /// Starts reading, from the loop's next turn on.
    pub(crate) fn start_reading(&self) {
        self.inner.session.start_reading();
    }

    /// Attaches the value of the server's verifier.
    pub(crate) fn attach(&self, data: UserData) {
        self.inner.set_data(data);
    }

    /// Pings an idle peer, or ends the connection of a dead one.
    ///
    /// The keepalive task calls it every `interval`.
    pub(crate) fn check_alive(&self, interval: Duration) {
        self.inner.session.check_alive(interval);
    }
}

impl Clients {
    /// Adds a socket; returns whether the keepalive task has to be started.
    pub(crate) fn insert(&self, socket: &WebSocket) -> bool {
        self.insert_member(&socket.inner, &socket.inner.membership)
    }

    /// Holds a value until the socket has ended.
    pub(crate) fn hold_until_end(&self, socket: &WebSocket, value: Box<impl Any + Send>) {
        self.hold_for(&socket.inner, value);
    }

    /// Returns the sockets, in no particular order.
    pub(crate) fn sockets(&self) -> Vec<WebSocket> {
        self.members(|inner| WebSocket { inner })
    }

    /// Returns a batch of the sockets, and the index of the next batch.
    pub(crate) fn some_sockets(&self, start: usize) -> Option<(Vec<WebSocket>, usize)> {
        self.some_members(start, |inner| WebSocket { inner })
    }
}
