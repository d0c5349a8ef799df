//! What can go wrong, for servers, sockets and threads.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::types::close_code::CloseCode;
use crate::types::host_address::HostAddress;
use crate::types::tls_error::TlsError;

/// Why a server could not listen, a client was refused, or a socket or thread failed.
///
/// # Qt
///
/// What `error()` and `errorString()` say together. [`close_code`](Self::close_code) is the number
/// that Qt would report.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address could not be bound; the server is not listening.
    #[error("cannot listen on port {port} ({address})")]
    Listen {
        /// The address that was asked for.
        address: HostAddress,
        /// The port that was asked for.
        port: u16,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// The server listens already; it goes on with the address it has.
    #[error("the server is listening on {url} already")]
    AlreadyListening {
        /// Where it listens.
        url: String,
    },
    /// The thread of the event loop has ended, so that nothing can begin on it.
    #[error("the thread of the event loop has ended")]
    EventLoopEnded,
    /// `wss` was asked for, and this build is one without TLS: its feature `tls` is off.
    #[error("wss is not supported: the feature `tls` is off")]
    SecureModeNotSupported,
    /// A certificate, a key or something else cannot be used for TLS.
    #[error("cannot use {what}: {reason}")]
    InvalidTlsConfig {
        /// What it is, with the name of the file if it is one.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The TLS handshake failed.
    #[error("the TLS handshake with {peer} failed")]
    TlsHandshake {
        /// The address of the client, or the host and port of the server.
        peer: String,
        /// Why; the first reason of several.
        source: TlsError,
    },
    /// A connection could not be accepted; the server tries again by itself.
    #[error("cannot accept a connection")]
    AcceptFailed {
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// The opening handshake was refused with an HTTP answer (RFC 6455 §4.2.2).
    #[error("refused {peer} with HTTP status {status}: {reason}")]
    HandshakeRefused {
        /// Whose request it was.
        peer: SocketAddr,
        /// The HTTP status of the answer.
        status: u16,
        /// What was wrong with the request.
        reason: String,
        /// The code that Qt reports for this kind of refusal.
        close_code: CloseCode,
    },
    /// As many connections as the server may have are open; the client was answered with 503.
    #[error("refused {peer}: the server has {limit} connections already")]
    TooManyConnections {
        /// Whose connection it was.
        peer: SocketAddr,
        /// The maximum, see [`set_max_connections`](crate::WebSocketServer::set_max_connections).
        limit: usize,
    },
    /// As many opening handshakes as the server may have are under way; the client was answered with
    /// 503.
    #[error("refused {peer}: {limit} opening handshakes are under way already")]
    TooManyHandshakes {
        /// Whose connection it was.
        peer: SocketAddr,
        /// The maximum, see [`set_max_handshakes`](crate::WebSocketServer::set_max_handshakes).
        limit: usize,
    },
    /// The peer did not finish the opening handshake in time (default 10 s).
    #[error("no opening handshake from {peer} within {} s", timeout.as_secs_f32())]
    HandshakeTimeout {
        /// Who was too slow.
        peer: SocketAddr,
        /// The time it had.
        timeout: Duration,
    },
    /// The TCP connection ended in the middle of the opening handshake.
    #[error("the opening handshake with {peer} was interrupted")]
    HandshakeBroken {
        /// Who went away.
        peer: SocketAddr,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// The peer ended the TCP connection without a close frame (RFC 6455 §7.1.5: 1006).
    #[error("the peer closed the connection without a closing handshake")]
    RemoteHostClosed,
    /// The TCP connection failed.
    #[error("the connection failed")]
    Connection {
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// Output waited without progress, and nothing came from the peer, for the write timeout (30 s).
    #[error("the peer read no output for {} s", .0.as_secs_f32())]
    WriteTimeout(Duration),
    /// The peer sent nothing for too long, not even a pong, and took no output that waited.
    #[error("the peer was idle and did not answer a ping")]
    KeepaliveTimeout,
    /// The message would have made the output that waits for the peer larger than the limit.
    #[error("more than {limit} bytes of output wait for the peer")]
    OutputLimit {
        /// The limit in bytes.
        limit: usize,
    },
    /// The sockets of the event loop hold too much memory, and this one held most: output that waits
    /// for the peer, or input that is not complete.
    #[error("the sockets of the event loop hold more than {limit} bytes, and this one holds most")]
    MemoryBudget {
        /// The budget in bytes, see [`EventLoop::set_memory_budget`](crate::EventLoop::set_memory_budget).
        limit: usize,
    },
    /// The message was dropped, because the peer reads too slowly; the socket stays open.
    #[error("the peer reads too slowly; the message was dropped")]
    MessageDropped,
    /// The socket is not open: there is no connection yet, or it is being closed.
    #[error("the socket is not connected")]
    NotConnected,
    /// The close code must not be sent (RFC 6455 §7.4.2).
    #[error("close code {0} must not be sent")]
    InvalidCloseCode(CloseCode),
    /// The URL is not that of a WebSocket server.
    ///
    /// The text has it without user information and query, which may be secrets.
    #[error("{0:?} is not a valid URL")]
    InvalidUrl(String),
    /// The URL is not a `ws` or `wss` one; the text has it as that of `InvalidUrl`.
    #[error("{0:?} is neither ws nor wss")]
    UnsupportedScheme(String),
    /// The socket has a connection, or is about to have one; it goes on with that.
    #[error("the socket is open already")]
    AlreadyOpen,
    /// The host has no address.
    #[error("host {host:?} not found")]
    HostNotFound {
        /// The name that was looked up.
        host: String,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// No address of the host could be reached.
    #[error("cannot connect to {host:?} port {port}")]
    Connect {
        /// The host that was asked for.
        host: String,
        /// The port that was asked for.
        port: u16,
        /// What the operating system said, of the last address that was tried.
        source: Arc<io::Error>,
    },
    /// The connection was not open in time (default 10 s): look-up, TCP and opening handshake.
    #[error("no connection within {} s", .0.as_secs_f32())]
    ConnectTimeout(Duration),
    /// The server answered with another HTTP status than 101. Redirections are not followed.
    #[error("the server refused the upgrade with HTTP status {status} {reason}")]
    UpgradeRefused {
        /// The HTTP status of the answer.
        status: u16,
        /// What the server wrote behind it.
        reason: String,
    },
    /// A slot panicked before the connection was open, which ended the attempt (1011).
    #[error("a slot panicked before the connection was open")]
    SlotPanicked,
    /// The proxy did not connect to the server.
    #[error("the proxy {proxy} did not connect: {reason}")]
    Proxy {
        /// Host and port of the proxy.
        proxy: String,
        /// What it said, or what was wrong with its answer.
        reason: String,
    },
    /// The server's answer is not one to an opening handshake (RFC 6455 §4.1).
    #[error("invalid answer to the opening handshake: {0}")]
    InvalidAnswer(String),
    /// The text cannot be the name of a header, or the opening handshake sets that header itself.
    #[error("{0:?} is not a valid header name")]
    InvalidHeaderName(String),
    /// The text cannot be a subprotocol, or was given twice (RFC 6455 §4.1).
    #[error("{0:?} is not a valid subprotocol")]
    InvalidSubprotocol(String),
    /// The text must not stand in an HTTP header.
    ///
    /// The value of a header of a request may be a secret: its name stands here, as in `Cookie: …`.
    #[error("{0:?} is not a valid header value")]
    InvalidHeaderValue(String),
    /// The system refused what is needed to hear of its signals.
    #[error("cannot install the signal handlers")]
    SignalHandler {
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// The descriptor cannot be watched: it is a file, or watched already.
    #[error("cannot watch the descriptor")]
    SocketNotifier {
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// The text is not the origin of a web page, such as `https://example.org`.
    #[error("{0:?} is not an origin")]
    InvalidOrigin(String),
    /// The system refused a thread.
    #[error("cannot start the thread {name}")]
    ThreadStart {
        /// The name that it was to have.
        name: String,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// A panic ended the thread, or its setup.
    #[error("the thread {name} panicked: {message}")]
    ThreadPanicked {
        /// The name of the thread.
        name: String,
        /// What the panic said.
        message: String,
    },
    /// The thread was to wait for its own end.
    #[error("the thread {name} cannot wait for itself")]
    ThreadJoinsItself {
        /// The name of the thread.
        name: String,
    },
}

impl Error {
    /// Returns the close code that stands for this error.
    ///
    /// # Qt
    ///
    /// `QWebSocketServer::error()` and the argument of `serverError()`: 1006 where the server could
    /// not listen or had too many pending connections, 1002 for a bad request.
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

    /// Returns the text with its causes: `cannot listen on …: Address already in use …`.
    pub(crate) fn with_causes(&self) -> String {
        let first: &dyn std::error::Error = self;
        let causes = std::iter::successors(Some(first), |error| error.source());
        causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
    }
}
