//! The decision about the origin of a request, as slots make it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use log::warn;
use smol::channel::{self, Receiver, Sender};

use crate::protocol::handshake::refusal::Refusal;

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
    /// Of a copy that slots of other threads get: its end is the answer.
    _answer: Option<Answer>,
}

#[derive(Debug)]
struct SharedDecision {
    is_allowed: AtomicBool,
    has_been_read: AtomicBool,
}

/// The answers of the slots to which a decision was lent.
#[derive(Debug)]
pub(crate) struct Answers {
    sender: Sender<()>,
    receiver: Receiver<()>,
}

/// The answer of a slot: nothing, unless the slot panics.
#[derive(Clone, Debug)]
struct Answer(Sender<()>);

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
        Self { origin, decision: Arc::new(decision), _answer: None }
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

    /// Returns the same decision for slots of any thread, whose answers can be awaited.
    pub(crate) fn with_answer(&self, answers: &Answers) -> Self {
        Self { _answer: Some(Answer(answers.sender.clone())), ..self.clone() }
    }

    /// Fails unless the origin is allowed, which is final from now on.
    pub(crate) fn decide(&self) -> Result<(), Refusal> {
        self.decision.has_been_read.store(true, Ordering::Release);
        if self.allowed() { Ok(()) } else { Err(Refusal::OriginRefused) }
    }
}

impl Answers {
    /// Waits until all copies are dropped; fails when a slot has panicked.
    pub(crate) async fn all(self) -> Result<(), SlotPanicked> {
        let Self { sender, receiver } = self;
        drop(sender);
        // An error is the end of the last copy.
        match receiver.recv().await {
            Ok(()) => Err(SlotPanicked),
            Err(_) => Ok(()),
        }
    }
}

impl Default for Answers {
    fn default() -> Self {
        let (sender, receiver) = channel::bounded(1);
        Self { sender, receiver }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if thread::panicking() {
            // Another slot may have panicked before.
            let _ = self.0.try_send(());
        }
    }
}

/// A slot has panicked instead of deciding.
pub(crate) struct SlotPanicked;
