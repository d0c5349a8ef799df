//! The errors of servers, sockets and threads.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::types::close_code::CloseCode;
use crate::types::host_address::HostAddress;
use crate::types::tls::TlsError;

/// The error of a server, a socket, an event loop or a thread.
///
/// # Qt
///
/// `error()` and `errorString()` in one value. [`close_code`](Self::close_code) is the number that Qt
/// would report.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address could not be bound; the server is not listening.
    #[error("cannot listen on port {port} ({address})")]
    Listen {
        /// The requested address.
        address: HostAddress,
        /// The requested port.
        port: u16,
        /// The error of the operating system.
        source: Arc<io::Error>,
    },
    /// The Unix socket could not be bound; the server is not listening.
    #[error("cannot listen on {path:?}")]
    ListenUnix {
        /// The requested path, or `@` and an abstract name.
        path: PathBuf,
        /// The error of the operating system.
        source: Arc<io::Error>,
    },
    /// The server listens already, and continues at its address.
    #[error("the server is listening on {url} already")]
    AlreadyListening {
        /// The URL at which it listens.
        url: String,
    },
    /// The event loop's thread has ended: no work can begin on it.
    #[error("the thread of the event loop has ended")]
    EventLoopEnded,
    /// The server has threads already, or had some.
    #[error("the server serves on threads already")]
    AlreadyThreaded,
    /// The server is the part of another one, which listens.
    #[error("the server is a part of another one, which listens")]
    PartOfServer,
    /// `wss` needs the feature `tls`, which is off in this build.
    #[error("wss is not supported: the feature `tls` is off")]
    SecureModeNotSupported,
    /// A certificate, a key or another part of a TLS configuration cannot be used.
    #[error("cannot use {what}: {reason}")]
    InvalidTlsConfig {
        /// The part, with the name of its file if it has one.
        what: String,
        /// The defect.
        reason: String,
    },
    /// The TLS handshake failed.
    #[error("the TLS handshake with {peer} failed")]
    TlsHandshake {
        /// The address of the client, or the host and port of the server.
        peer: String,
        /// The reason; the first of several.
        source: TlsError,
    },
    /// A TCP connection could not be accepted; the server tries again by itself.
    #[error("cannot accept a connection")]
    AcceptFailed {
        /// The error of the operating system.
        source: Arc<io::Error>,
    },
    /// The opening handshake was refused with an HTTP answer (RFC 6455 §4.2.2).
    #[error("refused {peer} with HTTP status {status}: {reason}")]
    HandshakeRefused {
        /// The address of the client.
        peer: SocketAddr,
        /// The HTTP status of the answer.
        status: u16,
        /// The defect of the request.
        reason: String,
        /// The code that Qt reports for this kind of refusal.
        close_code: CloseCode,
    },
    /// The maximum number of connections is open (503).
    #[error("refused {peer}: the server has {limit} connections already")]
    TooManyConnections {
        /// The address of the client.
        peer: SocketAddr,
        /// The maximum, see [`set_max_connections`](crate::WebSocketServer::set_max_connections).
        limit: usize,
    },
    /// The maximum number of opening handshakes is under way (503).
    #[error("refused {peer}: {limit} opening handshakes are under way already")]
    TooManyHandshakes {
        /// The address of the client.
        peer: SocketAddr,
        /// The maximum, see [`set_max_handshakes`](crate::WebSocketServer::set_max_handshakes).
        limit: usize,
    },
    /// The maximum number of connections is open from the client's address (429).
    #[error("refused {peer}: its address has {limit} connections already")]
    TooManyConnectionsPerAddress {
        /// The address of the peer.
        peer: SocketAddr,
        /// The maximum, see
        /// [`set_max_connections_per_address`](crate::WebSocketServer::set_max_connections_per_address).
        limit: usize,
    },
    /// The peer did not finish the opening handshake in time (default 10 s).
    #[error("no opening handshake from {peer} within {} s", timeout.as_secs_f32())]
    HandshakeTimeout {
        /// The address of the client.
        peer: SocketAddr,
        /// The time limit.
        timeout: Duration,
    },
    /// A trusted proxy did not begin the connection with a valid PROXY header.
    ///
    /// See [`ProxyProtocol`](crate::ProxyProtocol).
    #[cfg(feature = "proxy-protocol")]
    #[error("the connection of the proxy {peer} is refused: {reason}")]
    InvalidProxyHeader {
        /// The address of the proxy.
        peer: SocketAddr,
        /// The defect.
        reason: String,
    },
    /// The TCP connection ended in the middle of the opening handshake.
    #[error("the opening handshake with {peer} was interrupted")]
    HandshakeBroken {
        /// The address of the client.
        peer: SocketAddr,
        /// The error of the operating system.
        source: Arc<io::Error>,
    },
    /// The peer ended the TCP connection without a close frame (1006).
    #[error("the peer closed the connection without a closing handshake")]
    RemoteHostClosed,
    /// The TCP connection failed.
    #[error("the connection failed")]
    Connection {
        /// The error of the operating system.
        source: Arc<io::Error>,
    },
    /// The peer accepted no output and sent nothing for the write timeout (30 s).
    #[error("the peer read no output for {} s", .0.as_secs_f32())]
    WriteTimeout(Duration),
    /// The peer was idle, did not answer a ping, and accepted no output.
    #[error("the peer was idle and did not answer a ping")]
    KeepaliveTimeout,
    /// The message would exceed the limit of queued output.
    #[error("more than {limit} bytes of output wait for the peer")]
    OutputLimit {
        /// The limit in bytes.
        limit: usize,
    },
    /// The sockets of the event loop exceeded their memory budget.
    ///
    /// This socket held most: queued output, or incomplete input.
    #[error("the sockets of the event loop hold more than {limit} bytes, and this one holds most")]
    MemoryBudget {
        /// The budget in bytes, see [`EventLoop::set_memory_budget`](crate::EventLoop::set_memory_budget).
        limit: usize,
    },
    /// The message was dropped by the output policy; the socket stays open.
    #[error("the peer reads too slowly; the message was dropped")]
    MessageDropped,
    /// The socket is not connected, or its closing handshake has begun.
    #[error("the socket is not connected")]
    NotConnected,
    /// The close code is not allowed on the wire (RFC 6455 §7.4.2).
    #[error("close code {0} must not be sent")]
    InvalidCloseCode(CloseCode),
    /// The URL is invalid.
    ///
    /// The text omits user information and query, which may be secrets.
    #[error("{0:?} is not a valid URL")]
    InvalidUrl(String),
    /// The scheme of the URL is neither `ws` nor `wss`, nor on Unix `ws+unix`.
    #[error("{0:?} is neither ws nor wss")]
    UnsupportedScheme(String),
    /// The socket is connected or connecting, and remains so.
    ///
    /// [`close`](crate::WebSocket::close) or [`abort`](crate::WebSocket::abort) come before another
    /// `open`.
    #[error("the socket is open already")]
    AlreadyOpen,
    /// The host has no address.
    #[error("host {host:?} not found")]
    HostNotFound {
        /// The host name.
        host: String,
        /// The error of the operating system.
        source: Arc<io::Error>,
    },
    /// No address of the host could be reached.
    #[error("cannot connect to {host:?} port {port}")]
    Connect {
        /// The requested host.
        host: String,
        /// The requested port.
        port: u16,
        /// The error of the operating system for the last address that was tried.
        source: Arc<io::Error>,
    },
    /// The Unix socket of the server could not be reached.
    #[error("cannot connect to {path:?}")]
    ConnectUnix {
        /// The requested path, or `@` and an abstract name.
        path: PathBuf,
        /// The error of the operating system.
        source: Arc<io::Error>,
    },
    /// The connection was not established in time (default 10 s).
    ///
    /// The time limit covers name look-up, TCP, proxy, TLS and the opening handshake.
    #[error("no connection within {} s", .0.as_secs_f32())]
    ConnectTimeout(Duration),
    /// The server refused the upgrade: it answered with another HTTP status than 101.
    ///
    /// Redirections are not followed.
    #[error("the server refused the upgrade with HTTP status {status} {reason}")]
    UpgradeRefused {
        /// The HTTP status of the answer.
        status: u16,
        /// The reason phrase of the answer.
        reason: String,
    },
    /// A slot panicked before the connection was open, which closed it (1011).
    #[error("a slot panicked before the connection was open")]
    SlotPanicked,
    /// The proxy did not connect to the server.
    #[error("the proxy {proxy} did not connect: {reason}")]
    Proxy {
        /// Host and port of the proxy.
        proxy: String,
        /// The proxy's reason, or the defect of its answer.
        reason: String,
    },
    /// The client reconnects no more: the maximum number of attempts has failed.
    ///
    /// See [`Reconnect::give_up_after`](crate::Reconnect::give_up_after).
    #[error("gave up after {attempts} attempts to reconnect")]
    ReconnectGivenUp {
        /// The number of attempts.
        attempts: u32,
    },
    /// The program has no URL for this attempt to reconnect.
    ///
    /// See [`Reconnect::reconnect_url`](crate::Reconnect::reconnect_url).
    #[error("there is no URL to reconnect to")]
    NoReconnectUrl,
    /// The server's answer to the opening handshake is invalid (RFC 6455 §4.1).
    #[error("invalid answer to the opening handshake: {0}")]
    InvalidAnswer(String),
    /// The head that another library has read is not a valid opening handshake.
    #[error("the request is not a valid opening handshake (HTTP status {status}): {reason}")]
    InvalidRequest {
        /// The HTTP status for the answer.
        status: u16,
        /// The defect of the request.
        reason: String,
    },
    /// The header name is invalid, or reserved for the opening handshake.
    ///
    /// An invalid one is shown up to its first character that is not one of a token.
    #[error("{0:?} is not a valid header name")]
    InvalidHeaderName(String),
    /// The subprotocol is not a token, or was given twice (RFC 6455 §4.1).
    ///
    /// That of a client is shown by its number, because it may be a secret.
    #[error("{0:?} is not a valid subprotocol")]
    InvalidSubprotocol(String),
    /// The value is not allowed in an HTTP header.
    ///
    /// The value of a request's header may be a secret: the text has its name, as in `Cookie: …`.
    #[error("{0:?} is not a valid header value")]
    InvalidHeaderValue(String),
    /// The handlers for signals of the operating system could not be installed.
    #[error("cannot install the signal handlers")]
    SignalHandler {
        /// The error of the operating system.
        source: Arc<io::Error>,
    },
    /// The descriptor cannot be watched: it is a file, or watched already.
    #[error("cannot watch the descriptor")]
    SocketNotifier {
        /// The error of the operating system.
        source: Arc<io::Error>,
    },
    /// The size of a history is not a power of two from 512 bytes to 32 KiB.
    #[cfg(feature = "compression")]
    #[error("a history of {history} bytes is not a power of two from 512 to 32768")]
    InvalidCompression {
        /// The size in bytes.
        history: usize,
    },
    /// The text is not a network of IP addresses, such as `10.0.0.0/8`.
    #[error("{0:?} is not an IP network")]
    InvalidNetwork(String),
    /// The text is not an origin, such as `https://example.org`.
    #[error("{0:?} is not an origin")]
    InvalidOrigin(String),
    /// The name of a topic is empty, over 255 bytes long, or has control characters.
    ///
    /// The value has its first 255 bytes at most.
    #[error("{0:?} is not a valid topic name")]
    InvalidTopicName(String),
    /// The socket is in as many topics as it may be.
    #[error("the socket is in {limit} topics already")]
    TooManyTopics {
        /// The maximum, see [`set_max_topics`](crate::WebSocketServer::set_max_topics).
        limit: usize,
    },
    /// The operating system could not start the thread.
    #[error("cannot start the thread {name}")]
    ThreadStart {
        /// The name of the thread.
        name: String,
        /// The error of the operating system.
        source: Arc<io::Error>,
    },
    /// The thread, or its setup, panicked.
    #[error("the thread {name} panicked: {message}")]
    ThreadPanicked {
        /// The name of the thread.
        name: String,
        /// The message of the panic.
        message: String,
    },
    /// The thread cannot wait for its own end.
    #[error("the thread {name} cannot wait for itself")]
    ThreadJoinsItself {
        /// The name of the thread.
        name: String,
    },
}

impl Error {
    /// Returns the close code for this error.
    ///
    /// # Qt
    ///
    /// `QWebSocketServer::error()` and the argument of `serverError()`: 1006 where the server could
    /// not listen or had too many pending connections, 1002 for a bad request.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{CloseCode, SslMode, WebSocketServer};
    ///
    /// let server = WebSocketServer::new("Server", SslMode::NonSecure);
    /// server.server_error().connect(|_server, error| {
    ///     // Qt's `closeCode` of `serverError`.
    ///     if error.close_code() == CloseCode::POLICY_VIOLATED {
    ///         eprintln!("not allowed: {error}");
    ///     }
    /// });
    /// ```
    #[doc(alias = "error")]
    #[must_use]
    pub fn close_code(&self) -> CloseCode {
        match self {
            Self::HandshakeRefused { close_code, .. } => *close_code,
            Self::OutputLimit { .. } | Self::WriteTimeout(_) => CloseCode::POLICY_VIOLATED,
            Self::MemoryBudget { .. } => CloseCode::TRY_AGAIN_LATER,
            Self::SecureModeNotSupported
            | Self::InvalidTlsConfig { .. }
            | Self::TlsHandshake { .. } => CloseCode::TLS_HANDSHAKE_FAILED,
            Self::SlotPanicked => CloseCode::BAD_OPERATION,
            _ => CloseCode::ABNORMAL_DISCONNECTION,
        }
    }

    /// Returns the text with its sources: `cannot listen on …: Address already …`.
    pub(crate) fn with_causes(&self) -> String {
        let first: &dyn std::error::Error = self;
        let causes = std::iter::successors(Some(first), |error| error.source());
        causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
    }
}
