//! TLS of a server: its configuration, its signals, and the TLS handshake.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Weak};

use log::debug;
use slotwork_signals::SignalRef;
use smol::future::FutureExt;

use crate::net::stream::TlsFailure;
use crate::net::tls::{ServerSide, TlsConfig, TlsErrorHandler};
use crate::net::upgrade;
use crate::runtime::panics;
use crate::runtime::timers::Sleep;
use crate::server::WebSocketServer;
use crate::server::configuration::Tls;
use crate::server::handshake_deadline::Deadline;
use crate::server::opening::Opening;
use crate::server::refusals::{REFUSAL_TIMEOUT, report};
use crate::server::state::{Inner, State};
use crate::types::error::Error;
use crate::types::ssl_mode::SslMode;
use crate::types::stats::RefusalReason;
use crate::types::tls::TlsError;

/// TLS.
impl WebSocketServer {
    /// Sets the TLS configuration, for connections that are accepted from now on.
    ///
    /// Required before a server with [`SslMode::Secure`] listens; it can be set again at any time,
    /// to renew a certificate. Open connections keep theirs. A server with [`SslMode::NonSecure`]
    /// ignores it.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidTlsConfig`] when it has no identity, or cannot be used for another reason;
    /// the old one stays.
    ///
    /// # Qt
    ///
    /// `QWebSocketServer::setSslConfiguration()`.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use slotwork::{Error, HostAddress, SslMode, TlsConfig, TlsIdentity, WebSocketServer};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let identity = TlsIdentity::from_pem_files("localhost.cert", "localhost.key")?;
    /// let server = WebSocketServer::new("SSL Echo Server", SslMode::Secure);
    /// server.set_tls_config(TlsConfig::new().add_identity(identity))?;
    /// server.listen(HostAddress::Any, 1234)?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "setSslConfiguration")]
    pub fn set_tls_config(&self, config: TlsConfig) -> Result<(), Error> {
        if self.inner.mode == SslMode::Secure {
            let server_side = config.server_side()?;
            let tls = Tls { config, server_side };
            self.inner.set(|configuration| &mut configuration.tls, Some(tls));
        }
        Ok(())
    }

    /// Returns the TLS configuration; `None` when it was not set, or without TLS.
    #[doc(alias = "sslConfiguration")]
    #[must_use]
    pub fn tls_config(&self) -> Option<TlsConfig> {
        let state = self.inner.lock();
        state.configuration.tls.as_ref().map(|tls| tls.config.clone())
    }

    /// Emitted when the certificate of a client is not valid, with all errors.
    ///
    /// That client is refused; [`server_error`](Self::server_error) reports its address.
    /// [`TlsConfig::peer_verify_mode`] sets whether certificates are requested.
    ///
    /// # Qt
    ///
    /// `QWebSocketServer::sslErrors()` and `sslErrorsOccurred()`. No error can be ignored here:
    /// valid certificates are those of [`TlsConfig::ca_certificates`], and those that authorities
    /// among them sign.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{SslMode, WebSocketServer};
    ///
    /// let server = WebSocketServer::new("Server", SslMode::Secure);
    /// server.tls_errors().connect(|_server, errors| {
    ///     for error in errors {
    ///         eprintln!("invalid certificate of a client: {error}");
    ///     }
    /// });
    /// ```
    #[doc(alias = "sslErrors")]
    #[doc(alias = "sslErrorsOccurred")]
    #[doc(alias = "handshakeInterruptedOnError")]
    #[must_use]
    pub fn tls_errors(&self) -> SignalRef<'_, Self, [TlsError]> {
        SignalRef::new(self, &self.inner.tls_errors)
    }

    /// Emitted for each error of a client's certificate.
    ///
    /// [`tls_errors`](Self::tls_errors) follows, with all of them.
    #[doc(alias = "peerVerifyError")]
    #[must_use]
    pub fn peer_verify_error(&self) -> SignalRef<'_, Self, TlsError> {
        SignalRef::new(self, &self.inner.peer_verify_error)
    }
}

impl State {
    /// Returns the rustls configuration; `None` without TLS.
    pub(crate) fn tls_server_side(&self) -> Option<ServerSide> {
        self.configuration.tls.as_ref().map(|tls| tls.server_side.clone())
    }
}

impl Inner {
    /// Fails when no TLS configuration was set.
    pub(crate) fn check_tls(&self) -> Result<(), Error> {
        if self.lock().configuration.tls.is_some() {
            return Ok(());
        }
        Err(Error::InvalidTlsConfig {
            what: "a secure server".into(),
            reason: "it has no certificate: call set_tls_config".into(),
        })
    }

    /// Emits the errors of a client's certificate, also by the whole of a part.
    fn emit_tls_errors(&self, errors: &[TlsError]) {
        panics::catch("a slot of `peer_verify_error`", || {
            for error in errors {
                self.peer_verify_error.emit(error);
            }
        });
        panics::catch("a slot of `tls_errors`", || self.tls_errors.emit(errors));
        if let Some(whole) = self.whole() {
            whole.emit_tls_errors(errors);
        }
    }
}

impl Opening {
    /// Does the TLS handshake, and then the opening handshake.
    pub(crate) async fn upgrade_over_tls(self, tls: ServerSide, mut deadline: Deadline) {
        if let Some(opening) = Box::pin(self.start_tls(tls, &mut deadline)).await {
            opening.upgrade(deadline).await;
        }
    }

    /// Does the TLS handshake; returns `None` after a failure, which is reported.
    async fn start_tls(self, tls: ServerSide, deadline: &mut Deadline) -> Option<Self> {
        let found = Rc::new(RefCell::new(None));
        let check = certificate_check(&self.server, &found);
        let accept = self.stream.accept_tls(&self.received, &tls, check);
        match deadline.limit(Box::pin(accept)).await {
            Some(Ok(stream)) => return Some(Self { stream, received: Vec::new(), ..self }),
            Some(Err((failure, mut stream))) => {
                if let Some((reason, error)) = handshake_error(failure, found.take(), self.peer) {
                    report(&self.server, reason, &error);
                    // The peer may read the alert, within a limited time.
                    upgrade::server::end(&mut stream).or(Sleep::new(REFUSAL_TIMEOUT)).await;
                }
            }
            None => deadline.report(&self.server, self.peer),
        }
        None
    }
}

/// Returns a function that emits the errors of a certificate and rejects it.
///
/// It stores the first error in `found`.
fn certificate_check(
    server: &Weak<Inner>,
    found: &Rc<RefCell<Option<TlsError>>>,
) -> TlsErrorHandler {
    let (server, found) = (Weak::clone(server), Rc::clone(found));
    Rc::new(move |errors, _session| {
        found.replace(errors.first().cloned());
        if let Some(server) = server.upgrade() {
            server.emit_tls_errors(errors);
        }
        false
    })
}

/// Returns the error to report, with its reason.
///
/// `found` is that of the client's certificate.
fn handshake_error(
    failure: TlsFailure,
    found: Option<TlsError>,
    peer: SocketAddr,
) -> Option<(RefusalReason, Error)> {
    match failure {
        TlsFailure::Refused(error) => {
            let (peer, source) = (peer.to_string(), found.unwrap_or(error));
            Some((RefusalReason::Tls, Error::TlsHandshake { peer, source }))
        }
        TlsFailure::Broken(source) => {
            let error = Error::HandshakeBroken { peer, source: Arc::new(source) };
            Some((RefusalReason::Interrupted, error))
        }
        TlsFailure::NoData => {
            debug!("{peer} connected and sent nothing");
            None
        }
    }
}
