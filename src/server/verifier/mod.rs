//! Verifiers: async functions of the program that accept or refuse each client.

use std::sync::Arc;

use slotwork_signals::SignalRef;
use smol::channel;
use smol::future::FutureExt;

use crate::protocol::handshake::refusal::Refusal;
use crate::runtime::panics;
use crate::server::WebSocketServer;
use crate::server::state::Inner;
use crate::server::verifier::opening_handshake::OpeningHandshake;
use crate::server::verifier::verdict::{Acceptance, Verdict, VerificationRequest, Verifier};

pub(crate) mod opening_handshake;
mod shared;
pub(crate) mod verdict;

/// Verifier.
impl WebSocketServer {
    /// Sets the verifier, which accepts or refuses each client.
    ///
    /// It is called with a handle of the server and the request with the address of its peer, when
    /// the request is valid and its origin is allowed, before it is answered. It may wait, for a
    /// database for example, until the handshake timeout
    /// ([`set_handshake_timeout`](Self::set_handshake_timeout)); other clients are served
    /// meanwhile. Its future is dropped at the timeout, and when the server is closed or the client
    /// disconnects. It returns a [`Verdict`], or a `Result` with one.
    ///
    /// A client has disconnected when it resets the TCP connection or ends its sending direction,
    /// even if it could still read an answer: it could not take part in the closing handshake.
    /// [`server_error`](Self::server_error) then reports
    /// [`Error::HandshakeBroken`](crate::Error::HandshakeBroken).
    ///
    /// A refused client is reported by [`server_error`](Self::server_error) with
    /// [`CloseCode::POLICY_VIOLATED`](crate::CloseCode::POLICY_VIOLATED). After a panic in the
    /// verifier, or when its thread has ended, clients are refused with 500: it fails closed.
    ///
    /// It lives in the thread that sets it, as slots do, and need not be `Send`; with
    /// [`serve_on_threads`](Self::serve_on_threads), the handshakes of all threads wait for that
    /// thread, where [`set_shared_verifier`](Self::set_shared_verifier) avoids it. A second call
    /// replaces it, for requests that arrive from then on. Do not capture the server in it: use the
    /// first argument.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: its programs check `request()` when the connection is already open.
    ///
    /// # Examples
    ///
    /// Clients authenticate with a token in the query, because a page cannot set headers:
    /// `new WebSocket("ws://…/chat?token=1234")`.
    ///
    /// ```
    /// use slotwork::{SslMode, Verdict, WebSocketServer};
    ///
    /// struct User(String);
    ///
    /// async fn find_user(token: &str) -> Option<User> {
    ///     // A database query, for example.
    ///     (token == "1234").then(|| User("Ada".into()))
    /// }
    ///
    /// let server = WebSocketServer::new("Chat", SslMode::NonSecure);
    /// server.set_verifier(async |_server, handshake| {
    ///     let (_path, query) =
    ///         handshake.request().resource_name().split_once('?').unwrap_or_default();
    ///     let Some(token) = query.strip_prefix("token=") else {
    ///         return Verdict::refuse(401, "missing token\n");
    ///     };
    ///     match find_user(token).await {
    ///         Some(user) => Verdict::accept_with(user),
    ///         None => Verdict::refuse(403, "invalid token\n"),
    ///     }
    /// });
    /// server.new_connection().connect(|server, ()| {
    ///     while let Some(socket) = server.next_pending_connection() {
    ///         if let Some(user) = socket.data::<User>() {
    ///             socket.send_text_message(format!("hello, {}", user.0));
    ///         }
    ///     }
    /// });
    /// ```
    pub fn set_verifier<V: Into<Verdict>>(
        &self,
        verifier: impl AsyncFn(Self, OpeningHandshake) -> V + 'static,
    ) {
        let requested = SignalRef::new(self, &self.inner.verification_requested);
        let connection =
            requested.connect_async(async move |server, request: VerificationRequest| {
                let VerificationRequest { handshake, answer } = request;
                let decide = async { Some(verifier(server, handshake).await.into()) };
                let dropped = async {
                    answer.closed().await;
                    None
                };
                if let Some(verdict) = dropped.or(decide).await {
                    // The request may have been dropped meanwhile.
                    let _ = answer.try_send(verdict);
                }
            });
        let requested = Arc::clone(&self.inner.verification_requested);
        self.change_verifier(Some(Verifier::Slot { connection, requested }));
    }

    /// Removes the verifier; without one, which is the default, clients are accepted.
    pub fn remove_verifier(&self) {
        self.change_verifier(None);
    }

    fn change_verifier(&self, verifier: Option<Verifier>) {
        let former = self.inner.replace(|configuration| &mut configuration.verifier, verifier);
        if let Some(Verifier::Slot { connection, requested }) = former
            // A part may have had that of the whole, which the others continue to use.
            && Arc::ptr_eq(&requested, &self.inner.verification_requested)
        {
            connection.disconnect();
        }
    }
}

impl Inner {
    /// Calls the verifier and waits for its verdict; the default is to accept.
    pub(crate) async fn verify(
        self: Arc<Self>,
        handshake: OpeningHandshake,
    ) -> Result<Acceptance, Refusal> {
        let Some(verifier) = self.lock().configuration.verifier.clone() else {
            return Ok(Acceptance::default());
        };
        let requested = match verifier {
            Verifier::Slot { requested, .. } => requested,
            Verifier::Shared(decide) => {
                return Box::pin(shared::decide(decide, self, handshake)).await;
            }
        };
        let (answer, verdict) = channel::bounded(1);
        let request = VerificationRequest { handshake, answer };
        panics::catch("a verifier", || requested.emit(&request));
        // From here on only the verifier keeps the request, and the server.
        drop((request, requested, self));
        match verdict.recv().await {
            Ok(verdict) => verdict.into_acceptance(),
            Err(_) => Err(Refusal::NoDecision),
        }
    }
}
