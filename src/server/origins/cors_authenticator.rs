//! A question to the program: may a page of this origin connect?

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use log::warn;

/// Asks whether a page of an origin may connect.
///
/// It is what [`origin_authentication_required`](crate::WebSocketServer::origin_authentication_required)
/// is emitted with. Clones share the answer, which counts until the emission is over: a slot that
/// runs later, because it is queued, async or of another thread, is too late, and a refusal in it is
/// logged as a warning.
///
/// # Qt
///
/// `QWebSocketCorsAuthenticator`, whose copies have answers of their own.
#[derive(Clone, Debug)]
pub struct CorsAuthenticator {
    origin: String,
    answer: Arc<Answer>,
}

#[derive(Debug)]
struct Answer {
    is_allowed: AtomicBool,
    has_been_read: AtomicBool,
}

impl CorsAuthenticator {
    /// Makes a question whose answer is yes, for tests of slots.
    #[must_use]
    pub fn new(origin: impl Into<String>) -> Self {
        Self::with_answer(origin.into(), true)
    }

    pub(crate) fn with_answer(origin: String, is_allowed: bool) -> Self {
        let answer = Answer {
            is_allowed: AtomicBool::new(is_allowed),
            has_been_read: AtomicBool::new(false),
        };
        Self { origin, answer: Arc::new(answer) }
    }

    /// Allows or refuses the connection; the last call counts.
    #[doc(alias = "setAllowed")]
    pub fn set_allowed(&self, allowed: bool) {
        self.answer.is_allowed.store(allowed, Ordering::Release);
        if !allowed && self.answer.has_been_read.load(Ordering::Acquire) {
            warn!("too late to refuse the origin {:?}: its request has been answered", self.origin);
        }
    }

    /// Returns the origin that the client gave, such as `https://example.org`.
    ///
    /// It is empty when the client gave none, which is not a browser then, and `null` for pages
    /// that belong to no host, such as local files.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Returns whether the connection is allowed.
    ///
    /// The default is what the server's [`OriginPolicy`](crate::OriginPolicy) says, and `true`
    /// without one.
    #[must_use]
    pub fn allowed(&self) -> bool {
        self.answer.is_allowed.load(Ordering::Acquire)
    }

    /// Returns the answer, which is final now.
    pub(crate) fn read_answer(&self) -> bool {
        self.answer.has_been_read.store(true, Ordering::Release);
        self.allowed()
    }
}
