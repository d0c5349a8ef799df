//! Hosts in memory, which clients open by their names.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use slotwork_signals::Handle;

use crate::event_loop::EventLoop;
use crate::net::stream::memory::wire::deliver;
use crate::net::stream::memory::{MemoryEnd, hosts};
use crate::server::WebSocketServer;
use crate::testing::link::Link;
use crate::testing::peer::Peer;

/// A host in memory, which the clients of this thread reach by its name.
///
/// A [`WebSocket`](crate::WebSocket) of this thread that opens a `ws` URL with this name, whatever
/// its port, is connected in memory to the host's server, or to a [`Peer`]. So the code of a program
/// that opens and reopens its connections runs unchanged in a test. `wss` URLs do not work: there is
/// no TLS in memory.
///
/// The host is gone when this is dropped; its connections stay. Names that end with `.test` are in
/// no network (RFC 6761): without a host they refuse connections
/// ([`Error::Connect`](crate::Error::Connect)). Any other name is looked up as usual then. A host
/// replaces one of the same name.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use slotwork::signals::SignalSpy;
/// use slotwork::testing::{Host, VirtualClock};
/// use slotwork::{SslMode, WebSocket, WebSocketServer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let clock = VirtualClock::install();
/// let server = WebSocketServer::new("Chat", SslMode::NonSecure);
/// let host = Host::new("chat.example.com", &server);
/// let socket = WebSocket::new();
/// let disconnected = SignalSpy::new(&socket.disconnected());
/// socket.open("ws://chat.example.com/room")?;
/// clock.advance(Duration::ZERO);
/// assert!(socket.is_valid() && server.has_pending_connections());
///
/// host.links()[0].cut();
/// disconnected.wait_for(1)?;
/// # Ok(())
/// # }
/// ```
pub struct Host {
    name: String,
    number: u64,
    state: Rc<State>,
}

/// The call for the link of a new connection.
type OnConnect = Rc<dyn Fn(&Link)>;

#[derive(Default)]
struct State {
    links: RefCell<Vec<Link>>,
    peers: RefCell<VecDeque<Peer>>,
    on_connect: RefCell<Option<OnConnect>>,
}

impl Host {
    /// Makes a host whose connections belong to `server`.
    ///
    /// The server need not listen. It is held weakly: without it, connections are refused. With
    /// [`SslMode::Secure`](crate::SslMode::Secure) they are without TLS all the same.
    pub fn new(name: impl Into<String>, server: &WebSocketServer) -> Self {
        let server = server.downgrade();
        Self::with(&name.into(), move |_state, end, peer| {
            let server = server.upgrade().ok_or(io::ErrorKind::ConnectionRefused)?;
            server.handle_memory(end, peer).map_err(io::Error::other)
        })
    }

    /// Makes a host whose connections are scripted: [`accept`](Self::accept) returns them.
    ///
    /// # Examples
    ///
    /// A server that answers with nonsense.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use slotwork::signals::SignalSpy;
    /// use slotwork::testing::{Host, VirtualClock};
    /// use slotwork::{Error, WebSocket};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let clock = VirtualClock::install();
    /// let host = Host::scripted("rude.test");
    /// let socket = WebSocket::new();
    /// let errors = SignalSpy::new(&socket.error_occurred());
    /// socket.open("ws://rude.test/")?;
    /// clock.advance(Duration::ZERO);
    ///
    /// let peer = host.accept().ok_or("nothing has connected")?;
    /// assert!(peer.received().starts_with(b"GET / HTTP/1.1\r\n"));
    /// peer.send("SSH-2.0-OpenSSH_9.9\r\n\r\n");
    ///
    /// errors.wait_for(1)?;
    /// assert!(matches!(*errors.values(), [Error::InvalidAnswer(_)]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn scripted(name: impl Into<String>) -> Self {
        Self::with(&name.into(), |state, end, _peer| {
            state.peers.borrow_mut().push_back(Peer::new(end));
            Ok(())
        })
    }

    fn with(
        name: &str,
        accept: impl Fn(&State, MemoryEnd, SocketAddr) -> io::Result<()> + 'static,
    ) -> Self {
        let name = name.to_ascii_lowercase();
        let state = Rc::<State>::default();
        let accepting = Rc::clone(&state);
        let accept = move |end: MemoryEnd, peer: SocketAddr| {
            let link = Link::new(&end.wire);
            accepting.links.borrow_mut().push(link.clone());
            let on_connect = accepting.on_connect.borrow().clone();
            if let Some(on_connect) = on_connect {
                on_connect(&link);
            }
            EventLoop::current().spawn(deliver(Arc::clone(&end.wire))).detach();
            accept(&accepting, end, peer)
        };
        let number = hosts::add(&name, Rc::new(accept));
        Self { name, number, state }
    }

    /// Calls `on_connect` for the link of each new connection, before anything is sent.
    ///
    /// It replaces the call that was set before.
    pub fn set_on_connect(&self, on_connect: impl Fn(&Link) + 'static) {
        let before = self.state.on_connect.replace(Some(Rc::new(on_connect)));
        drop(before);
    }

    /// Returns the next connection of a [`scripted`](Self::scripted) host, in their order.
    #[expect(clippy::must_use_candidate, reason = "it may be called to close the connection")]
    pub fn accept(&self) -> Option<Peer> {
        self.state.peers.borrow_mut().pop_front()
    }

    /// Returns the links of all connections so far, in their order.
    #[must_use]
    pub fn links(&self) -> Vec<Link> {
        self.state.links.borrow().clone()
    }

    /// Returns the name of the host, in lower case.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        hosts::remove(&self.name, self.number);
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("name", &self.name).finish_non_exhaustive()
    }
}
