//! Whom a check asks whether what it found may be ignored.
//!
//! rustls checks certificates, and handles sessions, within a call, and what does so is shared by many
//! connections: which of them a call is for, the thread knows.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use rustls::CipherSuite;
use rustls::pki_types::CertificateDer;

use crate::net::tls::tls_session::TlsSession;
use crate::net::tls::verify::validity::{PeerValidity, Validity};
use crate::types::tls_certificate::TlsCertificate;
use crate::types::tls_error::TlsError;

/// Hears what is wrong with a peer's certificate, and what is known of the session; answers whether
/// to go on nevertheless.
pub(crate) type Judge = Rc<dyn Fn(&[TlsError], Option<TlsSession>) -> bool>;

/// A handshake under way.
struct Hearing {
    judge: Judge,
    validity: Arc<PeerValidity>,
    suite: Cell<Option<CipherSuite>>,
}

/// Lets the checks within a future ask this judge, and note how long their outcome is valid.
pub(crate) async fn judged<F: Future>(
    judge: Judge,
    validity: Arc<PeerValidity>,
    future: F,
) -> F::Output {
    let hearing = Rc::new(Hearing { judge, validity, suite: Cell::default() });
    let mut future = pin!(future);
    poll_fn(|cx| {
        // A judge may run the loop, and with it handshakes that have judges of their own.
        let _sitting = Sitting::begin(Rc::clone(&hearing));
        future.as_mut().poll(cx)
    })
    .await
}

/// Notes the cipher suite that the server of this handshake has chosen.
pub(crate) fn note_cipher_suite(suite: CipherSuite) {
    if let Some(hearing) = current() {
        hearing.suite.set(Some(suite));
    }
}

/// Notes when the certificates of the peer of this handshake are valid.
pub(crate) fn note_validity(validity: Validity) {
    if let Some(hearing) = current() {
        hearing.validity.set(validity);
    }
}

/// Returns when the certificates of the peer are valid: always if it has shown none; `None` where
/// there is no handshake.
pub(crate) fn validity() -> Option<Validity> {
    current().map(|hearing| hearing.validity.get().unwrap_or(Validity::ALWAYS))
}

/// Asks the judge of this thread; where there is none, nothing may be ignored.
pub(crate) fn may_be_ignored(
    errors: &[TlsError],
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
) -> bool {
    let Some(hearing) = current() else { return false };
    let chain = [end_entity].into_iter().chain(intermediates);
    let chain = chain.map(|it| TlsCertificate::from_der(it.as_ref())).collect();
    let session = hearing.suite.get().map(|suite| TlsSession::in_handshake(suite, chain));
    (hearing.judge)(errors, session)
}

fn current() -> Option<Rc<Hearing>> {
    HEARING.try_with(|hearing| hearing.borrow().clone()).ok().flatten()
}

struct Sitting(Option<Rc<Hearing>>);

impl Sitting {
    fn begin(hearing: Rc<Hearing>) -> Self {
        Self(HEARING.try_with(|current| current.replace(Some(hearing))).ok().flatten())
    }
}

impl Drop for Sitting {
    fn drop(&mut self) {
        let former = self.0.take();
        let _ = HEARING.try_with(|current| current.replace(former));
    }
}

thread_local! {
    static HEARING: RefCell<Option<Rc<Hearing>>> = const { RefCell::new(None) };
}
