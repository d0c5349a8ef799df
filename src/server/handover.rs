//! Handover of sockets from other code: accepted connections, and listeners.

use std::net::{TcpListener, TcpStream};
#[cfg(unix)]
use std::os::fd::RawFd;
use std::sync::Arc;

use crate::net::stream::{Adopted, Listener, Stream};
use crate::server::WebSocketServer;
use crate::types::error::Error;
use crate::types::host_address::HostAddress;

/// Handover of sockets.
impl WebSocketServer {
    /// Takes over an accepted TCP connection, and begins its opening handshake.
    ///
    /// `received` is the input that was read from it before: the request or a part of it, and bytes
    /// behind it. It may be empty. The server need not listen. The connection is then treated as
    /// one that the server has accepted: the handshake timeout starts,
    /// [`new_connection`](Self::new_connection) or [`server_error`](Self::server_error) follows,
    /// and [`close`](Self::close) ends it until its socket is taken. With
    /// [`SslMode::Secure`](crate::SslMode::Secure) it begins with TLS, of which only the
    /// `ClientHello` may have been read.
    ///
    /// # Errors
    ///
    /// [`Error::AcceptFailed`] when the connection has ended, and the errors of
    /// [`listen`](Self::listen) that do not concern its address. Then the connection is closed, and
    /// no signal is emitted.
    ///
    /// # Qt
    ///
    /// `QWebSocketServer::handleConnection()`, where nothing may have been read before.
    ///
    /// # Examples
    ///
    /// One port for web pages and a chat: requests for the chat are handed over.
    ///
    /// ```no_run
    /// use std::io::{self, Read, Write};
    /// use std::net::{TcpListener, TcpStream};
    /// use std::thread;
    /// use std::time::Duration;
    ///
    /// use slotwork::{EventLoop, SslMode, WebSocketServer};
    ///
    /// fn serve(mut stream: TcpStream, server: &WebSocketServer) -> io::Result<()> {
    ///     let mut buffer = [0; 4096];
    ///     stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    ///     let length = stream.read(&mut buffer)?;
    ///     let received = &buffer[..length];
    ///     if received.starts_with(b"GET /chat ") {
    ///         return server.handle_connection(stream, received).map_err(io::Error::other);
    ///     }
    ///     stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
    /// }
    ///
    /// fn main() -> io::Result<()> {
    ///     let server = WebSocketServer::new("Chat", SslMode::NonSecure);
    ///     let listener = TcpListener::bind("127.0.0.1:8080")?;
    ///     thread::spawn(move || {
    ///         for stream in listener.incoming().flatten() {
    ///             let server = server.clone();
    ///             thread::spawn(move || serve(stream, &server));
    ///         }
    ///     });
    ///     EventLoop::current().exec();
    ///     Ok(())
    /// }
    /// ```
    #[doc(alias = "handleConnection")]
    #[doc(alias = "QTcpServer")]
    #[doc(alias = "QHttpServer")]
    pub fn handle_connection(&self, stream: TcpStream, received: &[u8]) -> Result<(), Error> {
        self.inner.check_ready()?;
        let adopted = Adopted::new(stream);
        let adopted = adopted.map_err(|source| Error::AcceptFailed { source: Arc::new(source) })?;
        let (received, closings) = (received.to_vec(), self.inner.lock().closings);

        let server = Arc::downgrade(&self.inner);
        let is_taken = self.inner.event_loop.run(move || {
            let Some(server) = server.upgrade() else { return };
            let peer = adopted.peer_address();
            match adopted.watch() {
                Ok(stream) => {
                    server.start_opening(Stream::Tcp(stream), peer, received, closings);
                }
                Err(source) => {
                    let error = Error::HandshakeBroken { peer, source: Arc::new(source) };
                    server.emit(|server| server.report(&error));
                }
            }
        });
        if is_taken { Ok(()) } else { Err(Error::EventLoopEnded) }
    }

    /// Listens with a socket that listens already, such as one from systemd.
    ///
    /// Otherwise as [`listen`](Self::listen): the server closes it at its end.
    ///
    /// # Errors
    ///
    /// As `listen`. [`Error::Listen`] also when the socket does not listen, where the system
    /// reports that.
    ///
    /// # Qt
    ///
    /// `QWebSocketServer::setSocketDescriptor()`, which takes any socket.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::net::TcpListener;
    ///
    /// use slotwork::{SslMode, WebSocketServer};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let port = listener.local_addr()?.port();
    ///
    /// let server = WebSocketServer::new("Chat", SslMode::NonSecure);
    /// server.listen_on(listener)?;
    /// assert_eq!(server.server_port(), port);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "setSocketDescriptor")]
    #[doc(alias = "setNativeDescriptor")]
    pub fn listen_on(&self, listener: TcpListener) -> Result<(), Error> {
        self.inner.listen(|| {
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

    /// Returns the descriptor of the listening socket; `None` when not listening.
    ///
    /// It belongs to the server, which closes it at its end.
    #[cfg(unix)]
    #[doc(alias = "socketDescriptor")]
    #[doc(alias = "nativeDescriptor")]
    #[must_use]
    pub fn socket_descriptor(&self) -> Option<RawFd> {
        self.inner.lock().listening.as_ref()?.listener.descriptor()
    }
}
