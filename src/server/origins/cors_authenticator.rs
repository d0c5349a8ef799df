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
    answer: Option<Answer>,
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

/// The answer of a slot: a failure, unless it has looked at the decision.
///
/// A panic is a failure too. A call that was dropped in the queue of a thread that ends has not looked at it.
#[derive(Debug)]
struct Answer {
    failures: Sender<()>,
    has_looked: AtomicBool,
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
        Self { origin, decision: Arc::new(decision), answer: None }
    }

    /// Allows or refuses the connection; the last call counts.
    #[doc(alias = "setAllowed")]
    pub fn set_allowed(&self, allowed: bool) {
        self.note_look();
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
        self.note_look();
        &self.origin
    }

    /// Returns whether the connection is allowed.
    ///
    /// The default is the decision of the server's [`OriginPolicy`](crate::OriginPolicy), and
    /// `true` without one.
    #[must_use]
    pub fn allowed(&self) -> bool {
        self.note_look();
        self.decision.is_allowed.load(Ordering::Acquire)
    }

    /// Returns the same decision for slots of any thread, whose answers can be awaited.
    pub(crate) fn with_answer(&self, answers: &Answers) -> Self {
        Self { answer: Some(Answer::new(answers.sender.clone())), ..self.clone() }
    }

    /// Notes that a slot has looked at the decision; also for the copy that is emitted.
    pub(crate) fn note_look(&self) {
        if let Some(answer) = &self.answer {
            answer.has_looked.store(true, Ordering::Release);
        }
    }

    /// Fails unless the origin is allowed, which is final from now on.
    pub(crate) fn decide(&self) -> Result<(), Refusal> {
        self.decision.has_been_read.store(true, Ordering::Release);
        if self.allowed() { Ok(()) } else { Err(Refusal::OriginRefused) }
    }
}

impl Answers {
    /// Waits until all copies are dropped; fails when one was not looked at.
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

impl Answer {
    fn new(failures: Sender<()>) -> Self {
        Self { failures, has_looked: AtomicBool::new(false) }
    }
}

/// The answer of another slot.
impl Clone for Answer {
    fn clone(&self) -> Self {
        Self::new(self.failures.clone())
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if thread::panicking() || !self.has_looked.load(Ordering::Acquire) {
            // There may be a failure already.
            let _ = self.failures.try_send(());
        }
    }
}

/// A slot has panicked instead of deciding.
pub(crate) struct SlotPanicked;

#[cfg(test)]
mod tests {
    use super::*;

    /// A copy that is dropped in the queue of a thread that ends has allowed nothing.
    #[test]
    fn each_copy_has_to_be_looked_at() {
        for (first_looks, second_looks) in [(true, true), (true, false), (false, true)] {
            let (decision, answers) = (CorsAuthenticator::new("https://a"), Answers::default());
            let lent = decision.with_answer(&answers);
            let (first, second) = (lent.clone(), lent.clone());
            lent.note_look();
            drop(lent);
            for (copy, looks) in [(first, first_looks), (second, second_looks)] {
                if looks {
                    copy.set_allowed(true);
                }
            }

            let all = smol::block_on(answers.all());

            assert_eq!(all.is_ok(), first_looks && second_looks);
        }
    }
}
