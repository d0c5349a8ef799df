//! Makes sockets of connections that another library has upgraded.

use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Weak};

use smol::io::{AsyncRead, AsyncWrite};

use crate::event_loop::EventLoop;
use crate::net::stream::ForeignStream;
use crate::protocol::handshake::extensions::AgreedExtensions;
use crate::protocol::handshake::request::kept::KeptRequest;
use crate::session::{ConnectionTask, Session};
use crate::socket::WebSocket;
use crate::socket::accepted::Clients;
use crate::socket::client_list::Membership;
use crate::socket::driven::DrivenSocket;
use crate::socket::state::{End, Inner, ServerEnd};
use crate::types::error::Error;
use crate::types::role::Role;
use crate::types::ssl_mode::SslMode;

/// Upgraded connections.
impl WebSocket {
    /// Makes a socket of a TCP connection that another library has upgraded.
    ///
    /// The opening handshake is done, frames follow. `leftover` is what that library has read
    /// behind the handshake; it may be empty. The socket is open, and lives on the event loop of
    /// this thread: no message is lost when its slots are connected before the loop's next turn.
    /// Its request is empty, a server's [`clients`](crate::WebSocketServer::clients), broadcasts
    /// and keepalive do not include it, and a client of this kind cannot [`open`](Self::open)
    /// again. Extensions must not have been negotiated.
    ///
    /// [`WebSocketServer::handle_connection`](crate::WebSocketServer::handle_connection) is for
    /// connections before the handshake,
    /// [`WebSocketServer::adopt_upgraded`](crate::WebSocketServer::adopt_upgraded) for a socket that
    /// belongs to a server, and [`from_upgraded_stream`](Self::from_upgraded_stream) for streams
    /// other than TCP.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: `QWebSocketServer::handleConnection()` does the handshake itself.
    ///
    /// # Errors
    ///
    /// [`Error::Connection`] when the connection has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::net::{TcpListener, TcpStream};
    ///
    /// use slotwork::{EventLoop, Role, WebSocket};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let client = TcpStream::connect(listener.local_addr()?)?;
    /// let (server, _address) = listener.accept()?;
    /// // Here an HTTP library would do the handshake.
    /// let server = WebSocket::from_upgraded(server, &[], Role::Server)?;
    /// let client = WebSocket::from_upgraded(client, &[], Role::Client)?;
    ///
    /// server.text_message_received().connect(|_server, text| {
    ///     assert_eq!(text, "hello");
    ///     EventLoop::current().quit();
    /// });
    /// client.send_text_message("hello");
    /// EventLoop::current().exec();
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_upgraded(stream: TcpStream, leftover: &[u8], role: Role) -> Result<Self, Error> {
        Self::over(ForeignStream::of_tcp(stream), leftover, role, None)
    }

    /// Makes a socket of any stream over which another library has done the handshake.
    ///
    /// Otherwise as [`from_upgraded`](Self::from_upgraded): the stream may be TLS that a program has
    /// begun, a Unix socket, a pipe; see
    /// [`handle_stream`](crate::WebSocketServer::handle_stream) for what a stream has to be, and for
    /// `peer`.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Errors
    ///
    /// [`Error::Connection`] when the connection is known to have ended.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)]
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use slotwork::{EventLoop, Role, WebSocket};
    /// use smol::net::unix::UnixStream;
    ///
    /// let (one, other) = UnixStream::pair()?;
    /// let server = WebSocket::from_upgraded_stream(one, &[], Role::Server, None)?;
    /// let client = WebSocket::from_upgraded_stream(other, &[], Role::Client, None)?;
    ///
    /// server.text_message_received().connect(|_server, text| {
    ///     assert_eq!(text, "hello");
    ///     EventLoop::current().quit();
    /// });
    /// client.send_text_message("hello");
    /// EventLoop::current().exec();
    /// # Ok(())
    /// # }
    /// # #[cfg(not(unix))]
    /// # fn main() {}
    /// ```
    #[doc(alias = "QLocalSocket")]
    #[doc(alias = "QIODevice")]
    pub fn from_upgraded_stream(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        leftover: &[u8],
        role: Role,
        peer: impl Into<Option<SocketAddr>>,
    ) -> Result<Self, Error> {
        Self::over(ForeignStream::new(stream), leftover, role, peer.into())
    }

    fn over(
        stream: io::Result<ForeignStream>,
        leftover: &[u8],
        role: Role,
        peer: Option<SocketAddr>,
    ) -> Result<Self, Error> {
        let broken = |source: io::Error| Error::Connection { source: Arc::new(source) };
        let stream = stream.map_err(broken)?;
        let peer = stream.peer_address(peer);
        let stream = stream.watch().map_err(broken)?;
        let end = ServerEnd {
            request: KeptRequest::default(),
            subprotocol: None,
            mode: SslMode::NonSecure,
            peer: peer.into(),
        };
        let session = Session::new(role, stream, None, AgreedExtensions::default());
        let membership = Membership::new(clients_of_no_server());
        let inner = Arc::new(Inner::new(session, End::Server(end), membership));
        let driver = ConnectionTask::<Inner>::new(DrivenSocket::new(&inner), leftover.to_vec());
        EventLoop::spawn_guarded(driver).detach();
        inner.session.start_reading();
        Ok(Self { inner })
    }
}

/// Returns the list for the sockets of this thread that no server accepted.
///
/// It remains empty, and has the thread's loop.
fn clients_of_no_server() -> Option<Arc<Clients>> {
    let list = CLIENTS_OF_NO_SERVER.try_with(|list| {
        let mut list = list.borrow_mut();
        list.upgrade().unwrap_or_else(|| {
            let made =
                Arc::new(Clients::new(EventLoop::current().handle().downgrade(), None, None));
            *list = Arc::downgrade(&made);
            made
        })
    });
    list.ok()
}

thread_local! {
    static CLIENTS_OF_NO_SERVER: RefCell<Weak<Clients>> = const { RefCell::new(Weak::new()) };
}
