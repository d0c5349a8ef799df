//! Makes sockets of connections that another library has upgraded.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;

use crate::event_loop::EventLoop;
use crate::net::stream::{Adopted, Stream};
use crate::protocol::handshake::request::HandshakeRequest;
use crate::session::{ConnectionTask, Session};
use crate::socket::WebSocket;
use crate::socket::client_list::Membership;
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
    /// connections before the handshake.
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
        let broken = |source: io::Error| Error::Connection { source: Arc::new(source) };
        let adopted = Adopted::new(stream).map_err(broken)?;
        let peer = adopted.peer_address();
        let stream = Stream::Tcp(adopted.watch().map_err(broken)?);
        let end = ServerEnd {
            request: HandshakeRequest::default(),
            subprotocol: None,
            mode: SslMode::NonSecure,
            peer: peer.into(),
        };
        let session = Session::new(role, stream);
        let inner = Arc::new(Inner::new(session, End::Server(end), Membership::new(None)));
        let driver = ConnectionTask::new(Arc::clone(&inner), leftover.to_vec());
        EventLoop::spawn_guarded(driver);
        inner.session.start_reading();
        Ok(Self { inner })
    }
}
