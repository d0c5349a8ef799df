//! TLS of a client: configuration, ignored errors, handshake.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use crate::net::stream::{Stream, TlsFailure};
use crate::net::tls::{TlsConfig, TlsErrorHandler, TlsSession, received_alert};
use crate::protocol::handshake::url::Url;
use crate::socket::WebSocket;
use crate::socket::client::slots::consult_slots;
use crate::socket::client::state::ClientEnd;
use crate::socket::state::{ClientSignals, Inner};
use crate::types::error::Error;
use crate::types::tls::TlsError;

/// TLS.
impl WebSocket {
    /// Sets the TLS configuration, from the next `open` of a `wss` URL on.
    ///
    /// The default uses the system's trust store.
    ///
    /// # Qt
    ///
    /// `QWebSocket::setSslConfiguration()`.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use slotwork::{Error, TlsCertificate, TlsConfig, WebSocket};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let socket = WebSocket::new();
    /// let known = TlsCertificate::from_pem_file("localhost.cert")?;
    /// socket.set_tls_config(TlsConfig::new().ca_certificates(known));
    /// socket.open("wss://localhost:1234")?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "setSslConfiguration")]
    pub fn set_tls_config(&self, config: TlsConfig) {
        if let Some(end) = self.inner.client_end() {
            let former = end.lock().tls.config.replace(config);
            // Parts of it may be the program's.
            drop(former);
        }
    }

    /// Returns the TLS configuration that was set.
    ///
    /// `None` without one, and for a socket that a server accepted.
    #[doc(alias = "sslConfiguration")]
    #[must_use]
    pub fn tls_config(&self) -> Option<TlsConfig> {
        self.inner.client_end().and_then(|end| end.lock().tls.config.clone())
    }

    /// Ignores exactly these errors of [`tls_errors`](Self::tls_errors).
    ///
    /// It takes effect with the next `open`; in a slot of `tls_errors`, with this connection, if
    /// the slot was connected when TLS began. It replaces the former list; an empty list ignores no
    /// error. A connection is made only when each of its errors is in the list, with the same
    /// certificate. Only errors that are [`is_ignorable`](TlsError::is_ignorable) can be ignored: a
    /// certificate that is self-signed, has expired, is not valid yet, or is not valid for this
    /// host name. The rest of a chain is checked as of a time at which all of it was valid; a chain
    /// without such a time is refused.
    ///
    /// The list is kept for each later `open`, of another host too, until it is replaced: a socket
    /// that is opened for several hosts replaces it before each.
    ///
    /// # Qt
    ///
    /// `QWebSocket::ignoreSslErrors(const QList<QSslError> &)`. For `ignoreSslErrors()` without
    /// arguments, in a slot of `sslErrors`, the second example below ignores the errors that are
    /// reported; those that are not `is_ignorable`, such as a bad signature, end the handshake all the
    /// same. Rather than to ignore that a certificate is self-signed, trust it, with
    /// [`TlsConfig::ca_certificates`].
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{TlsCertificate, TlsError, WebSocket};
    ///
    /// /// The device has a self-signed certificate that names no host.
    /// fn trust(socket: &WebSocket, device: TlsCertificate) {
    ///     socket.ignore_tls_errors([
    ///         TlsError::SelfSignedCertificate(device.clone()),
    ///         TlsError::HostNameMismatch(device),
    ///     ]);
    /// }
    /// ```
    ///
    /// Qt's `ignoreSslErrors()` in a slot of `sslErrors`, for tests alone, because any impostor
    /// passes:
    ///
    /// ```
    /// use slotwork::WebSocket;
    ///
    /// let socket = WebSocket::new();
    /// socket.tls_errors().connect(|socket, errors| socket.ignore_tls_errors(errors.to_vec()));
    /// ```
    #[doc(alias = "ignoreSslErrors")]
    pub fn ignore_tls_errors(&self, errors: impl IntoIterator<Item = TlsError>) {
        if let Some(end) = self.inner.client_end() {
            let errors = errors.into_iter().collect();
            end.lock().tls.ignored = errors;
        }
    }

    /// Returns the negotiated TLS parameters, with the peer's certificate.
    ///
    /// In slots of [`tls_errors`](Self::tls_errors) and
    /// [`peer_verify_error`](Self::peer_verify_error) they are those of the handshake so far.
    /// `None` without TLS, and otherwise without an open connection.
    ///
    /// # Qt
    ///
    /// `QWebSocket::sslConfiguration()`, which Qt's programs read in slots of `sslErrors` too.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::WebSocket;
    ///
    /// let socket = WebSocket::new();
    /// socket.connected().connect(|socket, ()| {
    ///     if let Some(session) = socket.tls_session() {
    ///         println!("{session:?}");
    ///     }
    /// });
    /// ```
    #[must_use]
    pub fn tls_session(&self) -> Option<TlsSession> {
        let in_handshake = || {
            let session = self.inner.client_end()?.lock().tls.in_handshake.clone();
            session.map(|session| *session)
        };
        self.inner.session.tls_session().or_else(in_handshake)
    }
}

impl ClientEnd {
    fn ignores(&self, error: &TlsError) -> bool {
        error.is_ignorable() && self.lock().tls.ignored.contains(error)
    }
}

/// Does the TLS handshake, with the host of the URL.
pub(crate) async fn connect_tls(
    inner: &Arc<Inner>,
    end: &ClientEnd,
    stream: Stream,
    url: &Url,
) -> Result<Stream, Error> {
    let (config, ignores_some) = {
        let settings = &end.lock().tls;
        let config = settings.config.clone().unwrap_or_else(TlsConfig::of_clients);
        (config, !settings.ignored.is_empty())
    };
    let mut may_ignore = ignores_some;
    inner.emit_of_client(|signals| {
        let slots = signals.tls_errors.slot_count() + signals.peer_verify_error.slot_count();
        may_ignore |= slots > 0;
    });
    let client = if config.takes_time() {
        smol::unblock(move || config.client_side(may_ignore)).await?
    } else {
        config.client_side(may_ignore)?
    };

    let found = Rc::new(RefCell::new(None));
    let judge = error_handler(inner, may_ignore, &found);
    stream.connect_tls(&url.host, client, judge).await.map_err(|failure| match failure {
        TlsFailure::Refused(error) => refused(url, found.take().unwrap_or(error)),
        TlsFailure::Broken(source) => Error::Connection { source: Arc::new(source) },
        TlsFailure::NoData => Error::RemoteHostClosed,
    })
}

/// Returns the error of the TLS alert that has ended the connection, if any.
///
/// With TLS 1.3 a client is the first to finish, and sends its request before the server has
/// verified the client's certificate (RFC 8446 §2).
pub(crate) fn alert_error(url: &Url, error: &io::Error) -> Option<Error> {
    received_alert(error).map(|alert| refused(url, alert))
}

fn refused(url: &Url, source: TlsError) -> Error {
    Error::TlsHandshake { peer: format!("{}:{}", url.host, url.port), source }
}

/// Returns the callback that emits certificate errors and applies the ignored ones.
///
/// It stores the first error that is not ignored. Without `may_ignore` none is ignored: other
/// connections may resume this one's TLS session, and would inherit the ignored errors. A slot that
/// panics, or ends its socket, ends the handshake, whatever is ignored.
fn error_handler(
    inner: &Arc<Inner>,
    may_ignore: bool,
    found: &Rc<RefCell<Option<TlsError>>>,
) -> TlsErrorHandler {
    let (inner, found) = (Arc::clone(inner), Rc::clone(found));
    Rc::new(move |errors, session| {
        let Some(end) = inner.client_end() else { return false };
        end.lock().tls.in_handshake = session.map(Box::new);
        let consult =
            |emit: &dyn Fn(&ClientSignals)| consult_slots(&inner, |it| it.emit_of_client(emit));
        let continues =
            errors.iter().all(|it| consult(&|signals| signals.peer_verify_error.emit(it)))
                && consult(&|signals| signals.tls_errors.emit(errors));
        end.lock().tls.in_handshake = None;
        let is_ignored = |error| may_ignore && end.ignores(error);
        let remaining = errors.iter().find(|error| !is_ignored(error)).cloned();
        let is_accepted = remaining.is_none() && continues;
        found.replace(remaining);
        is_accepted
    })
}
