//! The decision about the origin of a request, as slots make it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use log::warn;

/// The decision whether a page of an origin may connect.
///
/// It is the argument of
/// [`origin_authentication_required`](crate::WebSocketServer::origin_authentication_required).
/// Clones share the decision, which is final when the emission ends: a slot that runs later,
/// because it is queued, async or in another thread, is too late, and a refusal in it is logged as
/// a warning.
///
/// # Qt
///
/// `QWebSocketCorsAuthenticator`; its copies have separate decisions.
#[derive(Clone, Debug)]
pub struct CorsAuthenticator {
    origin: String,
    decision: Arc<SharedDecision>,
}

#[derive(Debug)]
struct SharedDecision {
    is_allowed: AtomicBool,
    has_been_read: AtomicBool,
}

impl CorsAuthenticator {
    /// Makes a decision that allows the origin, for tests of slots.
    #[must_use]
    pub fn new(origin: impl Into<String>) -> Self {
        Self::with_decision(origin.into(), true)
    }

    pub(crate) fn with_decision(origin: String, is_allowed: bool) -> Self {
        let decision = SharedDecision {
            is_allowed: AtomicBool::new(is_allowed),
            has_been_read: AtomicBool::new(false),
        };
        Self { origin, decision: Arc::new(decision) }
    }

    /// Allows or refuses the connection; the last call counts.
    #[doc(alias = "setAllowed")]
    pub fn set_allowed(&self, allowed: bool) {
        self.decision.is_allowed.store(allowed, Ordering::Release);
        if !allowed && self.decision.has_been_read.load(Ordering::Acquire) {
            warn!("too late to refuse the origin {:?}: its request has been answered", self.origin);
        }
    }

    /// Returns the origin in the request, such as `https://example.org`.
    ///
    /// It is empty when the request has none, so that the client is not a browser, and `null` for
    /// pages without a host, such as local files.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Returns whether the connection is allowed.
    ///
    /// The default is the decision of the server's [`OriginPolicy`](crate::OriginPolicy), and
    /// `true` without one.
    #[must_use]
    pub fn allowed(&self) -> bool {
        self.decision.is_allowed.load(Ordering::Acquire)
    }

    /// Returns the decision, which is final from now on.
    pub(crate) fn read_decision(&self) -> bool {
        self.decision.has_been_read.store(true, Ordering::Release);
        self.allowed()
    }
}
