//! Makes servers, and listens for connections.

use std::sync::Arc;

use crate::event_loop::EventLoop;
use crate::net::stream::{Listener, LocalAddress};
use crate::server::WebSocketServer;
use crate::server::is_header_character;
use crate::server::state::Inner;
use crate::types::error::Error;
use crate::types::host_address::HostAddress;
use crate::types::ssl_mode::SslMode;

/// Listening.
impl WebSocketServer {
    /// Makes a server that does not listen yet, on the event loop of this thread.
    ///
    /// The name is the `Server` header of the handshake; an empty one sends no such header.
    /// Characters that are not valid in a header are removed, see
    /// [`set_server_name`](Self::set_server_name).
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{SslMode, WebSocketServer};
    ///
    /// let server = WebSocketServer::new("Chat Server", SslMode::NonSecure);
    /// assert!(!server.is_listening());
    /// ```
    #[must_use]
    pub fn new(server_name: impl Into<String>, secure_mode: SslMode) -> Self {
        let mut name: String = server_name.into();
        name.retain(is_header_character);
        let inner = Arc::new(Inner::new(name, secure_mode, EventLoop::current().handle()));
        Self { inner }
    }

    /// Listens for connections, at once; they are accepted once the event loop runs.
    ///
    /// With port 0 the system chooses one, which [`server_port`](Self::server_port) returns.
    ///
    /// # Errors
    ///
    /// [`Error::Listen`] when the address cannot be bound, [`Error::AlreadyListening`] when the
    /// server listens, which it continues to do, [`Error::EventLoopEnded`] when the thread on which
    /// it was created has ended, or all of [`serve_on_threads`](Self::serve_on_threads),
    /// [`Error::PartOfServer`] for a part, and with [`SslMode::Secure`] [`Error::InvalidTlsConfig`]
    /// before a certificate is set, or [`Error::SecureModeNotSupported`] without TLS.
    /// [`server_error`](Self::server_error) is emitted as well, before this returns; its slots in
    /// other threads follow.
    ///
    /// # Qt
    ///
    /// `QWebSocketServer::listen()`, with `bool` and `errorString()` in one result.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{Error, HostAddress, SslMode, WebSocketServer};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let server = WebSocketServer::new("Chat Server", SslMode::NonSecure);
    /// server.listen(HostAddress::LocalHost, 0)?;
    ///
    /// let other = WebSocketServer::new("Other Server", SslMode::NonSecure);
    /// let occupied = other.listen(HostAddress::LocalHost, server.server_port());
    /// assert!(matches!(occupied, Err(Error::Listen { .. })));
    /// # Ok(())
    /// # }
    /// ```
    pub fn listen(&self, address: impl Into<HostAddress>, port: u16) -> Result<(), Error> {
        self.listen_at(address.into(), port, false)
    }

    /// Listens on a port that other processes share (`SO_REUSEPORT`).
    ///
    /// Otherwise as [`listen`](Self::listen). All of them listen in this way, as the same user. So a
    /// new process of a service can begin to listen before the old one ends; the system distributes
    /// connections among them, and resets those that wait for one that ends. For several threads of
    /// one process there is [`serve_on_threads`](Self::serve_on_threads), which distributes evenly.
    ///
    /// # Errors
    ///
    /// As `listen`. Solaris and illumos have no such option.
    ///
    /// # Qt
    ///
    /// `QTcpServer` has `setSocketDescriptor()` for it, and so has
    /// [`listen_on`](Self::listen_on).
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{Error, HostAddress, SslMode, WebSocketServer};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let old = WebSocketServer::new("Chat Server", SslMode::NonSecure);
    /// old.listen_reuse_port(HostAddress::LocalHost, 0)?;
    ///
    /// // In the next process of the service.
    /// let new = WebSocketServer::new("Chat Server", SslMode::NonSecure);
    /// new.listen_reuse_port(HostAddress::LocalHost, old.server_port())?;
    /// old.close();
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(unix)]
    #[doc(alias = "SO_REUSEPORT")]
    pub fn listen_reuse_port(
        &self,
        address: impl Into<HostAddress>,
        port: u16,
    ) -> Result<(), Error> {
        self.listen_at(address.into(), port, true)
    }

    fn listen_at(&self, address: HostAddress, port: u16, reuse_port: bool) -> Result<(), Error> {
        self.inner.listen(|| match Listener::bind(address, port, reuse_port) {
            Ok(listener) => Ok((listener, Some(address))),
            Err(source) => Err(Error::Listen { address, port, source: Arc::new(source) }),
        })
    }

    /// Accepts no more connections until [`resume_accepting`](Self::resume_accepting).
    ///
    /// The server continues to listen: connections wait in the system's queue. Opening handshakes
    /// under way are finished. The next [`listen`](Self::listen) accepts again.
    #[doc(alias = "pauseAccepting")]
    pub fn pause_accepting(&self) {
        self.inner.lock().pause.by_program = true;
    }

    /// Accepts connections again, beginning with those that wait.
    #[doc(alias = "resumeAccepting")]
    pub fn resume_accepting(&self) {
        let mut state = self.inner.lock();
        state.pause.by_program = false;
        if let Some(listening) = &state.listening {
            listening.listener.wake();
        }
    }

    /// Returns whether the server listens, also while accepting is paused.
    #[doc(alias = "isListening")]
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.inner.lock().listening.is_some()
    }

    /// Returns the address given to `listen`; `None` when not listening.
    ///
    /// It is also `None` for a [Unix socket](Self::listen_unix).
    #[doc(alias = "serverAddress")]
    #[must_use]
    pub fn server_address(&self) -> Option<HostAddress> {
        self.inner.lock().listening.as_ref()?.address
    }

    /// Returns the port on which the server listens; 0 when it does not.
    ///
    /// A [Unix socket](Self::listen_unix) has no port: 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{HostAddress, SslMode, WebSocketServer};
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// let server = WebSocketServer::new("Server", SslMode::NonSecure);
    /// assert_eq!(server.server_port(), 0);
    ///
    /// server.listen(HostAddress::LocalHost, 0)?;
    /// assert_ne!(server.server_port(), 0);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "serverPort")]
    #[must_use]
    pub fn server_port(&self) -> u16 {
        let state = self.inner.lock();
        match state.listening.as_ref().map(|listening| listening.listener.local()) {
            Some(LocalAddress::Tcp(local)) => local.port(),
            _ => 0,
        }
    }

    /// Returns the URL that clients open; empty when the server does not listen.
    ///
    /// [`HostAddress::Any`] is shown as 127.0.0.1, as in Qt. For a [Unix socket](Self::listen_unix) it is
    /// such as `ws+unix:/run/chat.sock:`, to which the path of a request can be appended.
    ///
    /// # Examples
    ///
    /// A client in the same program, such as in a test:
    ///
    /// ```
    /// use slotwork::{HostAddress, SslMode, WebSocket, WebSocketServer};
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// let server = WebSocketServer::new("Server", SslMode::NonSecure);
    /// server.listen(HostAddress::Any, 0)?;
    /// assert_eq!(server.server_url(), format!("ws://127.0.0.1:{}", server.server_port()));
    ///
    /// let client = WebSocket::new();
    /// client.open(server.server_url())?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "serverUrl")]
    #[must_use]
    pub fn server_url(&self) -> String {
        let state = self.inner.lock();
        state.listening.as_ref().map(|listening| listening.url(self.inner.mode)).unwrap_or_default()
    }
}
