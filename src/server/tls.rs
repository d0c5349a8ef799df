//! TLS of a server: how it is set, and how a newcomer begins with it.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Weak};

use log::debug;
use slotwork_signals::SignalRef;
use smol::future::FutureExt;

use crate::net::stream::TlsFailure;
use crate::net::tls::{Judge, ServerSide, TlsConfig};
use crate::net::upgrade;
use crate::runtime::panics;
use crate::runtime::timers::Sleep;
use crate::server::WebSocketServer;
use crate::server::opening::{Deadline, Opening, REFUSAL_TIMEOUT, report};
use crate::server::state::{Inner, State, Tls};
use crate::types::error::Error;
use crate::types::ssl_mode::SslMode;
use crate::types::tls_error::TlsError;

/// TLS.
impl WebSocketServer {
    /// Sets how the server speaks TLS, for connections that come from now on.
    ///
    /// Needed before a server with [`SslMode::Secure`] listens; it can be set anew at any time, to
    /// renew a certificate. Connections that are open go on as they are. A server with
    /// [`SslMode::NonSecure`] ignores it.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidTlsConfig`] when it has no identity, or cannot be used otherwise; the old
    /// one stays.
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
            let former = self.inner.lock().tls.replace(Tls { config, server_side });
            // Parts of it may be the program's.
            drop(former);
        }
        Ok(())
    }

    /// Returns how the server speaks TLS; `None` when that was not set, or it speaks none.
    #[doc(alias = "sslConfiguration")]
    #[must_use]
    pub fn tls_config(&self) -> Option<TlsConfig> {
        self.inner.lock().tls.as_ref().map(|tls| tls.config.clone())
    }

    /// Emitted when the certificate of a client is wrong, with all that is wrong with it.
    ///
    /// That client is refused; [`server_error`](Self::server_error) tells who it was. Certificates
    /// are asked for where [`TlsConfig::peer_verify_mode`] says so.
    ///
    /// # Qt
    ///
    /// `QWebSocketServer::sslErrors()` and `sslErrorsOccurred()`. Nothing can be ignored here:
    /// certificates that are right are those that
    /// [`TlsConfig::ca_certificates`] names, and those that authorities among them sign.
    #[doc(alias = "sslErrors")]
    #[doc(alias = "sslErrorsOccurred")]
    #[doc(alias = "handshakeInterruptedOnError")]
    #[must_use]
    pub fn tls_errors(&self) -> SignalRef<'_, Self, [TlsError]> {
        SignalRef::new(self, &self.inner.tls_errors)
    }

    /// Emitted for each thing that is wrong with the certificate of a client, before
    /// [`tls_errors`](Self::tls_errors).
    #[doc(alias = "peerVerifyError")]
    #[must_use]
    pub fn peer_verify_error(&self) -> SignalRef<'_, Self, TlsError> {
        SignalRef::new(self, &self.inner.peer_verify_error)
    }
}

impl State {
    /// Returns what the handshakes of a server that speaks TLS need.
    pub(crate) fn tls_server_side(&self) -> Option<ServerSide> {
        self.tls.as_ref().map(|tls| tls.server_side.clone())
    }
}

impl Inner {
    /// Fails when a server that speaks TLS cannot do so.
    pub(crate) fn check_tls(&self) -> Result<(), Error> {
        if self.lock().tls.is_some() {
            return Ok(());
        }
        Err(Error::InvalidTlsConfig {
            what: "a secure server".into(),
            reason: "it has no certificate yet: set_tls_config".into(),
        })
    }

    /// Tells what is wrong with the certificate of a client.
    fn emit_tls_errors(&self, errors: &[TlsError]) {
        panics::catch("a slot of `peer_verify_error`", || {
            for error in errors {
                self.peer_verify_error.emit(error);
            }
        });
        panics::catch("a slot of `tls_errors`", || self.tls_errors.emit(errors));
    }
}

impl Opening {
    /// Does the TLS handshake, if the server uses TLS; `None` after a failure, which is reported.
    pub(crate) async fn start_tls(
        self,
        tls: Option<ServerSide>,
        deadline: &mut Deadline,
    ) -> Option<Self> {
        let Some(tls) = tls else { return Some(self) };
        let found = Rc::new(RefCell::new(None));
        let judge = judge(&self.server, &found);
        let accept = self.stream.accept_tls(&self.received, &tls, judge);
        match deadline.limit(Box::pin(accept)).await {
            Some(Ok(stream)) => return Some(Self { stream, received: Vec::new(), ..self }),
            Some(Err((failure, mut stream))) => {
                if let Some(error) = explain(failure, found.take(), self.peer) {
                    report(&self.server, &error);
                    // Lets the peer read why; one that does not is not waited for.
                    upgrade::server::end(&mut stream).or(Sleep::new(REFUSAL_TIMEOUT)).await;
                }
            }
            None => report(&self.server, &deadline.error(self.peer)),
        }
        None
    }
}

/// Returns what hears of wrong certificates, notes the first thing, and forgives none.
fn judge(server: &Weak<Inner>, found: &Rc<RefCell<Option<TlsError>>>) -> Judge {
    let (server, found) = (Weak::clone(server), Rc::clone(found));
    Rc::new(move |errors, _session| {
        found.replace(errors.first().cloned());
        if let Some(server) = server.upgrade() {
            server.emit_tls_errors(errors);
        }
        false
    })
}

/// `found` is what was wrong with the certificate of the client.
fn explain(failure: TlsFailure, found: Option<TlsError>, peer: SocketAddr) -> Option<Error> {
    match failure {
        TlsFailure::Refused(error) => {
            let (peer, source) = (peer.to_string(), found.unwrap_or(error));
            Some(Error::TlsHandshake { peer, source })
        }
        TlsFailure::Broken(source) => {
            Some(Error::HandshakeBroken { peer, source: Arc::new(source) })
        }
        TlsFailure::Silent => {
            debug!("{peer} connected and sent nothing");
            None
        }
    }
}
