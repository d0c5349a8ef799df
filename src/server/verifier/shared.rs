//! Verifiers that several threads share: each runs in the thread of its client.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use smol::future::FutureExt;

use crate::protocol::handshake::refusal::Refusal;
use crate::runtime::panics;
use crate::server::WebSocketServer;
use crate::server::state::Inner;
use crate::server::verifier::opening_handshake::OpeningHandshake;
use crate::server::verifier::verdict::{Acceptance, Decide, Verdict, Verifier};

/// Verifier of several threads.
impl WebSocketServer {
    /// Sets a verifier that all threads of the server share.
    ///
    /// Otherwise as [`set_verifier`](Self::set_verifier), whose verifier lives in the thread that
    /// sets it: with [`serve_on_threads`](Self::serve_on_threads), each handshake then waits for that
    /// thread. This one is called in the thread of the client, with the server's part there, and so
    /// is `Send + Sync`; its future need not be. It replaces a verifier of either kind.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{Error, SslMode, Verdict, WebSocketServer};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let server = WebSocketServer::new("Chat", SslMode::NonSecure);
    /// let token = String::from("1234");
    /// server.set_shared_verifier(async move |_part, handshake| {
    ///     match handshake.request().header("Authorization") {
    ///         Some(header) if header.ends_with(&token) => Verdict::accept(),
    ///         _ => Verdict::refuse(401, "a token is required\n"),
    ///     }
    /// });
    /// let _threads = server.serve_on_threads(2, |_part| ())?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_shared_verifier<V: Into<Verdict>>(
        &self,
        verifier: impl AsyncFn(Self, OpeningHandshake) -> V + Send + Sync + 'static,
    ) {
        let verifier = Arc::new(verifier);
        let decide: Arc<Decide> = Arc::new(move |part, handshake| {
            let verifier = Arc::clone(&verifier);
            Box::pin(async move {
                let inner = part.downcast().ok()?;
                Some(verifier(Self { inner }, handshake).await.into())
            })
        });
        self.change_verifier(Some(Verifier::Shared(decide)));
    }
}

/// Calls a shared verifier in this thread; a panic in it refuses the client.
pub(super) async fn decide(
    decide: Arc<Decide>,
    part: Arc<Inner>,
    handshake: OpeningHandshake,
) -> Result<Acceptance, Refusal> {
    let decision = AssertUnwindSafe(async move { decide(part, handshake).await }).catch_unwind();
    match decision.await {
        Ok(Some(verdict)) => verdict.into_acceptance(),
        Ok(None) => Err(Refusal::NoDecision),
        Err(payload) => {
            panics::keep("a verifier", payload);
            Err(Refusal::NoDecision)
        }
    }
}
