//! The WebSocket server, an object with signals.
//!
//! The files in the order in which a connection passes them: `listen.rs`, `unix_sockets.rs` and
//! `accept.rs`, or `handover.rs`, `opening.rs` (opening handshake, with `client_limits.rs`,
//! `address_limit.rs`, `proxies.rs`, `tls.rs`, `origins/`, `verifier/`, `subprotocols.rs`,
//! `compression.rs`) or `pages/`, `pending.rs`, `keepalive.rs`, `broadcast.rs` and `topics/`,
//! `shutdown.rs`. `signals.rs` has the signals, `settings.rs` and `output.rs` the defaults of its
//! sockets. All share `state.rs`; settings are in `configuration/`, refusals are reported in
//! `refusals.rs`, counted for `stats.rs`.

use std::fmt;
use std::sync::{Arc, Weak};

use slotwork_signals::{Handle, SharedSender};

use crate::server::state::Inner;
use crate::types::error::Error;
use crate::types::ssl_mode::SslMode;
use crate::types::version::Version;

// In this order the methods are on the page of `WebSocketServer`; those of this file are its last.
mod listen;

mod signals;

mod pending;

mod broadcast;
pub(crate) mod topics;

mod shutdown;

mod accept;
mod address_counts;
mod address_limit;
mod client_limits;
#[cfg(feature = "compression")]
mod compression;
mod configuration;
mod counters;
mod handover;
mod handshake_deadline;
mod keepalive;
mod opening;
mod opening_task;
mod origins;
mod output;
mod pages;
mod proxies;
mod refusals;
mod settings;
mod state;
mod stats;
mod subprotocols;
mod threads;
#[cfg(feature = "tls")]
mod tls;
#[cfg(unix)]
mod unix_sockets;
mod verifier;

pub use origins::cors_authenticator::CorsAuthenticator;
pub use origins::origin_policy::OriginPolicy;
pub use pages::http_answer::HttpAnswer;
pub use pages::http_request::HttpRequest;
pub use threads::server_threads::ServerThreads;
pub use topics::relay::TopicRelay;
pub use topics::topic::{Topic, WeakTopic};
pub use verifier::opening_handshake::OpeningHandshake;
pub use verifier::verdict::Verdict;

/// A server that accepts WebSocket connections.
///
/// A cheap handle: clones are the same server, and any thread may use them. The server lives on the
/// event loop of the thread that made it; its signals are emitted there, except the
/// [`server_error`](Self::server_error) of a call that fails. Dropping the last handle
/// closes it as [`close`](Self::close) does, without a signal; sockets that were taken stay open.
///
/// A request has at most a request line of 8 KiB, 100 headers of 16 KiB each, and 32 KiB in all
/// ([`set_max_request_line_size`](Self::set_max_request_line_size),
/// [`set_max_header_count`](Self::set_max_header_count),
/// [`set_max_header_line_size`](Self::set_max_header_line_size),
/// [`set_max_header_size`](Self::set_max_header_size)); a larger one is refused with 414 or 431.
///
/// # Qt
///
/// `QWebSocketServer`.
///
/// # Examples
///
/// ```
/// use slotwork::{Error, EventLoop, HostAddress, SslMode, WebSocketServer};
///
/// # fn main() -> Result<(), Error> {
/// let server = WebSocketServer::new("Echo Server", SslMode::NonSecure);
/// server.new_connection().connect(|server, ()| {
///     while let Some(socket) = server.next_pending_connection() {
///         socket.text_message_received().connect(|socket, text| {
///             socket.send_text_message(text);
///         });
///     }
/// });
/// server.listen(HostAddress::LocalHost, 0)?;
///
/// println!("listening on {}", server.server_url());
/// # EventLoop::current().handle().quit();
/// EventLoop::current().exec();
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct WebSocketServer {
    inner: Arc<Inner>,
}

/// A handle that does not keep its [`WebSocketServer`] alive.
#[derive(Clone, Debug)]
pub struct WeakWebSocketServer {
    inner: Weak<Inner>,
}

impl WebSocketServer {
    /// Sets the `Server` header of handshakes from now on.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidHeaderValue`] when the name has characters other than printable ASCII; the
    /// old name stays.
    ///
    /// # Qt
    ///
    /// `QWebSocketServer::setServerName()`, where a line break breaks the handshakes.
    #[doc(alias = "setServerName")]
    pub fn set_server_name(&self, server_name: impl Into<String>) -> Result<(), Error> {
        let server_name = server_name.into();
        if !server_name.chars().all(is_header_character) {
            return Err(Error::InvalidHeaderValue(server_name));
        }
        self.inner.set(|configuration| &mut configuration.name, server_name);
        Ok(())
    }

    /// Returns the name that is sent in the `Server` header.
    #[doc(alias = "serverName")]
    #[must_use]
    pub fn server_name(&self) -> String {
        self.inner.lock().configuration.name.clone()
    }

    /// Returns whether the server accepts `wss` or `ws` connections.
    #[doc(alias = "secureMode")]
    #[must_use]
    pub fn secure_mode(&self) -> SslMode {
        self.inner.mode
    }

    /// Returns the supported versions of the protocol: 13 alone.
    #[doc(alias = "supportedVersions")]
    #[must_use]
    pub fn supported_versions(&self) -> &'static [Version] {
        &[Version::V13]
    }

    /// Returns the last error since a successful `listen`; `None` when there was none.
    #[must_use]
    pub fn error(&self) -> Option<Error> {
        self.inner.lock().error.clone()
    }

    /// Returns the text of the last error; empty when there was none.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{HostAddress, SslMode, WebSocketServer};
    ///
    /// let server = WebSocketServer::new("Server", SslMode::NonSecure);
    /// if server.listen(HostAddress::LocalHost, 1234).is_err() {
    ///     // Such as "cannot listen on 127.0.0.1:1234: Address already in use".
    ///     eprintln!("{}", server.error_string());
    /// }
    /// ```
    #[doc(alias = "errorString")]
    #[must_use]
    pub fn error_string(&self) -> String {
        self.error().map(|error| error.with_causes()).unwrap_or_default()
    }
}

impl WeakWebSocketServer {
    pub(crate) fn new(inner: Weak<Inner>) -> Self {
        Self { inner }
    }

    /// Returns the server, unless it is gone.
    #[must_use]
    pub fn upgrade(&self) -> Option<WebSocketServer> {
        Some(WebSocketServer { inner: self.inner.upgrade()? })
    }
}

impl Handle for WebSocketServer {
    type Weak = WeakWebSocketServer;

    fn downgrade(&self) -> WeakWebSocketServer {
        WeakWebSocketServer::new(Arc::downgrade(&self.inner))
    }

    fn upgrade(weak: &WeakWebSocketServer) -> Option<Self> {
        weak.upgrade()
    }

    fn shared(&self) -> Option<SharedSender> {
        Some(SharedSender::new(self))
    }
}

impl fmt::Debug for WebSocketServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebSocketServer({:?}, {:?})", self.server_name(), self.server_url())
    }
}

/// Returns whether the character is valid in a header; others could end the header.
fn is_header_character(character: char) -> bool {
    matches!(character, ' '..='~')
}
