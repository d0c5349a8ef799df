//! The TLS handshake of the current thread: its error handler and its results.
//!
//! rustls verifies certificates and handles sessions within a call, by objects that many
//! connections share. A thread-local value names the handshake for which such a call is made.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use rustls::CipherSuite;
use rustls::pki_types::CertificateDer;

use crate::net::tls::tls_session::TlsSession;
use crate::net::tls::verify::validity::{PeerValidity, Validity};
use crate::types::tls::{TlsCertificate, TlsError};

/// Receives the errors of a certificate; returns whether they may be ignored.
///
/// The session has what is known of it so far.
pub(crate) type TlsErrorHandler = Rc<dyn Fn(&[TlsError], Option<TlsSession>) -> bool>;

/// A handshake under way.
struct HandshakeContext {
    on_errors: TlsErrorHandler,
    validity: Arc<PeerValidity>,
    suite: Cell<Option<CipherSuite>>,
}

/// Runs a handshake with an error handler.
///
/// `validity` receives that of the peer's certificates.
pub(crate) async fn in_handshake<F: Future>(
    on_errors: TlsErrorHandler,
    validity: Arc<PeerValidity>,
    handshake: F,
) -> F::Output {
    let context = Rc::new(HandshakeContext { on_errors, validity, suite: Cell::default() });
    let mut handshake = pin!(handshake);
    poll_fn(|cx| {
        // A handler may run the loop, and with it other handshakes.
        let _current = CurrentContext::set(Rc::clone(&context));
        handshake.as_mut().poll(cx)
    })
    .await
}

/// Sets the cipher suite that the server of this handshake has chosen.
pub(crate) fn set_cipher_suite(suite: CipherSuite) {
    if let Some(context) = current() {
        context.suite.set(Some(suite));
    }
}

/// Sets the time in which the certificates of the peer are valid.
pub(crate) fn set_peer_validity(validity: Validity) {
    if let Some(context) = current() {
        context.validity.set(validity);
    }
}

/// Returns the time in which the certificates of the peer are valid.
///
/// It is unlimited for a peer without a certificate, and `None` outside a handshake.
pub(crate) fn peer_validity() -> Option<Validity> {
    current().map(|context| context.validity.get().unwrap_or(Validity::ALWAYS))
}

/// Calls the error handler; returns whether the errors may be ignored.
///
/// Outside a handshake no error may be ignored.
pub(crate) fn report_errors(
    errors: &[TlsError],
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
) -> bool {
    let Some(context) = current() else { return false };
    let chain = [end_entity].into_iter().chain(intermediates);
    let chain = chain.map(|it| TlsCertificate::from_der(it.as_ref())).collect();
    let session = context.suite.get().map(|suite| TlsSession::in_handshake(suite, chain));
    (context.on_errors)(errors, session)
}

fn current() -> Option<Rc<HandshakeContext>> {
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
}

/// Restores the previous handshake of the thread when it is dropped.
struct CurrentContext {
    previous: Option<Rc<HandshakeContext>>,
}

impl CurrentContext {
    fn set(context: Rc<HandshakeContext>) -> Self {
        let previous = CURRENT.try_with(|current| current.replace(Some(context)));
        Self { previous: previous.ok().flatten() }
    }
}

impl Drop for CurrentContext {
    fn drop(&mut self) {
        let previous = self.previous.take();
        let _ = CURRENT.try_with(|current| current.replace(previous));
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<HandshakeContext>>> = const { RefCell::new(None) };
}
