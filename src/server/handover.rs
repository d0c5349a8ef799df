//! Handover from other code: connections, upgraded or not, and listeners.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
#[cfg(unix)]
use std::os::fd::RawFd;
use std::sync::Arc;

use smol::io::{AsyncRead, AsyncWrite};

#[cfg(any(test, fuzzing, feature = "testing"))]
use crate::net::stream::memory::MemoryEnd;
use crate::net::stream::{ForeignStream, Listener};
use crate::protocol::handshake::refusal::Refusal;
use crate::protocol::handshake::request::HandshakeRequest;
use crate::server::WebSocketServer;
use crate::server::opening::Taken;
use crate::server::state::Inner;
use crate::socket::{Counted, ThreadCount};
use crate::types::error::Error;
use crate::types::host_address::HostAddress;
use crate::types::stats::RefusalReason;

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
    /// `ClientHello` may have been read; [`handle_stream`](Self::handle_stream) is for connections
    /// on which other code has done TLS.
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
        let start = Start::Opening { received: received.to_vec(), begins_with_tls: true };
        self.inner.take_over(ForeignStream::of_tcp(stream), None, start)
    }

    /// Takes over a connection over any stream, and begins its opening handshake.
    ///
    /// For connections that other code has accepted, and on which it may have done TLS: one port
    /// serves web pages over HTTPS, and `wss`. Otherwise as
    /// [`handle_connection`](Self::handle_connection): `received` is what was read from the stream,
    /// the request or a part of it. The server does no TLS of its own, also with
    /// [`SslMode::Secure`](crate::SslMode::Secure), which then means only that
    /// [`request_url`](crate::WebSocket::request_url) is `wss`, and needs no certificate.
    ///
    /// The traits are those of futures-io, which smol has; a stream of tokio needs an adapter
    /// (`tokio_util::compat`), and one of hyper `smol_hyper::rt::FuturesIo`. The stream is read,
    /// written and flushed on the thread of the server's event loop alone; what other threads send
    /// is queued, and lost if they call [`abort`](crate::WebSocket::abort) behind it. The stream must
    /// not call its own socket. A panic in it ends the connection. A `TcpStream` of smol, or an
    /// `Async` of one of std, becomes a connection as `handle_connection` takes it, which the loop
    /// polls itself.
    ///
    /// `peer` is the address of the peer, as a `SocketAddr` or an `Option` of it. Without one, such as
    /// for a Unix socket, [`peer_address`](crate::WebSocket::peer_address) is `None`, and errors
    /// show 0.0.0.0:0.
    ///
    /// # Errors
    ///
    /// [`Error::AcceptFailed`] when the connection is known to have ended, and
    /// [`Error::EventLoopEnded`]. Then the stream is dropped, and no signal is emitted.
    ///
    /// # Qt
    ///
    /// `QWebSocketServer::handleConnection()` with a `QSslSocket`, from which nothing may have been
    /// read, but only peeked at.
    ///
    /// # Examples
    ///
    /// Connections that the program has accepted itself, here over a Unix socket; for one alone there is
    /// [`listen_unix`](Self::listen_unix).
    ///
    /// ```no_run
    /// # #[cfg(unix)]
    /// # fn main() -> std::io::Result<()> {
    /// use slotwork::{EventLoop, SslMode, WebSocketServer};
    /// use smol::net::unix::UnixListener;
    ///
    /// let server = WebSocketServer::new("Chat", SslMode::NonSecure);
    /// let listener = UnixListener::bind("/run/chat.sock")?;
    /// let accepting = server.clone();
    /// EventLoop::current()
    ///     .spawn(async move {
    ///         while let Ok((stream, _address)) = listener.accept().await {
    ///             if let Err(error) = accepting.handle_stream(stream, &[], None) {
    ///                 eprintln!("{error}");
    ///             }
    ///         }
    ///     })
    ///     .detach();
    /// EventLoop::current().exec();
    /// # Ok(())
    /// # }
    /// # #[cfg(not(unix))]
    /// # fn main() {}
    /// ```
    #[doc(alias = "handleConnection")]
    #[doc(alias = "QSslSocket")]
    #[doc(alias = "QSslServer")]
    #[doc(alias = "QLocalServer")]
    #[doc(alias = "QLocalSocket")]
    #[doc(alias = "QIODevice")]
    pub fn handle_stream(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        received: &[u8],
        peer: impl Into<Option<SocketAddr>>,
    ) -> Result<(), Error> {
        let start = Start::Opening { received: received.to_vec(), begins_with_tls: false };
        self.inner.take_over(ForeignStream::new(stream), peer.into(), start)
    }

    /// Takes over a connection that another library has upgraded.
    ///
    /// That library has read the request and answered it with 101. The socket then belongs to this
    /// server as one that it has accepted: [`new_connection`](Self::new_connection) is emitted,
    /// [`clients`](Self::clients), broadcasts, keepalive, settings and limits include it, and it
    /// has its [`request`](crate::WebSocket::request). The server need not listen.
    ///
    /// `leftover` is what was read behind the request; it may be empty. `stream` and `peer` are those of
    /// [`handle_stream`](Self::handle_stream). The answer needs
    /// [`HandshakeRequest::accept_key`], and [`subprotocol_for`](Self::subprotocol_for) if the server
    /// has subprotocols; it must not agree on extensions, so such a connection is not compressed.
    ///
    /// Origins, limits and the verifier apply. As the client has its 101 already, one that is refused
    /// is closed with 1008, or 1013 over a limit, and the headers of a
    /// [`Verdict`](crate::Verdict) are not sent. [`server_error`](Self::server_error) reports it as
    /// usual.
    ///
    /// # Errors
    ///
    /// As those of [`handle_stream`](Self::handle_stream).
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: `handleConnection()` does the handshake itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{self, Read, Write};
    /// use std::net::{SocketAddr, TcpStream};
    ///
    /// use slotwork::{Error, HandshakeRequest, WebSocketServer};
    ///
    /// /// Answers a request that an HTTP library has read, and hands the connection over.
    /// fn upgrade(
    ///     server: &WebSocketServer,
    ///     mut stream: TcpStream,
    ///     request: &http::Request<()>,
    ///     peer: SocketAddr,
    /// ) -> Result<(), Box<dyn std::error::Error>> {
    ///     let request =
    ///         HandshakeRequest::from_head(request.method(), request.uri(), request.headers())?;
    ///     write!(
    ///         stream,
    ///         "HTTP/1.1 101 Switching Protocols\r\n\
    ///          Upgrade: websocket\r\nConnection: Upgrade\r\n\
    ///          Sec-WebSocket-Accept: {}\r\n\r\n",
    ///         request.accept_key(),
    ///     )?;
    ///     server.adopt_upgraded(smol::net::TcpStream::try_from(stream)?, &[], request, peer)?;
    ///     Ok(())
    /// }
    /// ```
    #[doc(alias = "adoptUpgraded")]
    #[doc(alias = "QHttpServer")]
    #[doc(alias = "QAbstractHttpServer")]
    pub fn adopt_upgraded(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        leftover: &[u8],
        request: HandshakeRequest,
        peer: impl Into<Option<SocketAddr>>,
    ) -> Result<(), Error> {
        let start = Start::Adoption { leftover: leftover.to_vec(), request };
        self.inner.take_over(ForeignStream::new(stream), peer.into(), start)
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
            match Listener::adopt(listener) {
                Ok((listener, address)) => Ok((listener, Some(address))),
                Err(source) => Err(Error::Listen { address, port, source: Arc::new(source) }),
            }
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

#[cfg(any(test, fuzzing, feature = "testing"))]
impl WebSocketServer {
    /// Takes over a connection in memory, and begins its handshake, without TLS.
    pub(crate) fn handle_memory(&self, end: MemoryEnd, peer: SocketAddr) -> Result<(), Error> {
        let start = Start::Opening { received: Vec::new(), begins_with_tls: false };
        self.inner.take_over(Ok(ForeignStream::memory(end)), Some(peer), start)
    }
}

/// A connection that has no loop yet.
pub(crate) struct Newcomer {
    pub(crate) stream: ForeignStream,
    pub(crate) peer: SocketAddr,
    pub(crate) start: Start,
}

/// The step with which a connection begins.
pub(crate) enum Start {
    /// The opening handshake, whose input may have been read in part.
    Opening { received: Vec<u8>, begins_with_tls: bool },
    /// The admission of a client whose request another library has answered.
    Adoption { leftover: Vec<u8>, request: HandshakeRequest },
}

impl Inner {
    /// Takes a stream to the server's loop, and starts its handshake there.
    fn take_over(
        self: &Arc<Self>,
        stream: io::Result<ForeignStream>,
        peer: Option<SocketAddr>,
        start: Start,
    ) -> Result<(), Error> {
        self.check_loops()?;
        let stream = stream.map_err(|source| Error::AcceptFailed { source: Arc::new(source) })?;
        let newcomer = Newcomer { peer: stream.peer_address(peer), stream, start };
        let closings = self.lock().closings;
        if let Some(parts) = self.parts() {
            self.distribute(parts, newcomer, closings);
            return Ok(());
        }
        let counted = self.clients.count().map(ThreadCount::add);

        let server = Arc::downgrade(self);
        let is_taken = self.event_loop.run(move || {
            if let Some(server) = server.upgrade() {
                server.begin(newcomer, closings, Ok(counted));
            }
        });
        if is_taken { Ok(()) } else { Err(Error::EventLoopEnded) }
    }

    /// Takes a connection to the loop of this thread, and starts its handshake.
    pub(crate) fn begin(
        self: &Arc<Self>,
        newcomer: Newcomer,
        closings: u64,
        counted: Result<Option<Counted>, Refusal>,
    ) {
        let Newcomer { stream, peer, start } = newcomer;
        let stream = match stream.watch() {
            Ok(stream) => stream,
            Err(source) => {
                let error = Error::HandshakeBroken { peer, source: Arc::new(source) };
                return self.report_handshake(RefusalReason::Interrupted, &error);
            }
        };
        let taken = Taken { stream, peer, closings, counted };
        match start {
            Start::Opening { received, begins_with_tls } => {
                self.start_opening(taken, received, begins_with_tls);
            }
            Start::Adoption { leftover, request } => self.start_adoption(taken, leftover, request),
        }
    }
}
