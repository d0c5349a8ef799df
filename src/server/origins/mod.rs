//! Origins: which web pages may connect, by policy and by slots (RFC 6455 §10.2).

use std::mem;
use std::sync::Arc;

use log::warn;
use slotwork_signals::SignalRef;

use crate::protocol::handshake::refusal::Refusal;
use crate::protocol::handshake::request::HandshakeRequest;
use crate::runtime::panics;
use crate::server::WebSocketServer;
use crate::server::configuration::Configuration;
use crate::server::origins::cors_authenticator::{Answers, CorsAuthenticator};
use crate::server::origins::origin_policy::OriginPolicy;
use crate::server::state::{Inner, State};
use crate::types::error::Error;

pub(crate) mod cors_authenticator;
pub(crate) mod origin_policy;

/// Origins.
impl WebSocketServer {
    /// Sets which web pages may connect, for requests that arrive from now on.
    ///
    /// Others are refused with 403 and reported by [`server_error`](Self::server_error) with
    /// [`CloseCode::POLICY_VIOLATED`](crate::CloseCode::POLICY_VIOLATED). A slot of
    /// [`origin_authentication_required`](Self::origin_authentication_required) may decide
    /// otherwise. Without a policy and without such a slot every page may connect, and the first
    /// one is logged as a warning.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOrigin`] when an entry of a list is not an origin; the old policy stays.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{Error, OriginPolicy, SslMode, WebSocketServer};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let server = WebSocketServer::new("Settings page", SslMode::NonSecure);
    /// server.set_origin_policy(OriginPolicy::Loopback)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_origin_policy(&self, policy: OriginPolicy) -> Result<(), Error> {
        policy.check()?;
        self.inner.set(|configuration| &mut configuration.origin_policy, Some(policy));
        Ok(())
    }

    /// Returns the origin policy; `None` when it was never set.
    #[must_use]
    pub fn origin_policy(&self) -> Option<OriginPolicy> {
        self.inner.lock().configuration.origin_policy.clone()
    }

    /// Emitted for each valid request before it is answered, with its origin.
    ///
    /// Slots decide with [`set_allowed`](CorsAuthenticator::set_allowed), before they return:
    /// connect them in the server's thread. With [`serve_on_threads`](Self::serve_on_threads), each
    /// handshake waits for the slots of the server, and `direct()` ones run in its own thread. A
    /// refused request is answered with 403, and reported by
    /// [`server_error`](Self::server_error) with
    /// [`CloseCode::POLICY_VIOLATED`](crate::CloseCode::POLICY_VIOLATED); after a panic in a slot
    /// it is answered with 500. The origin of a request without one is empty. For a decision that
    /// has to wait, use [`set_verifier`](Self::set_verifier).
    ///
    /// # Qt
    ///
    /// `QWebSocketServer::originAuthenticationRequired()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{SslMode, WebSocketServer};
    ///
    /// let server = WebSocketServer::new("Chat", SslMode::NonSecure);
    /// server.origin_authentication_required().connect(|_server, cors| {
    ///     cors.set_allowed(cors.origin() == "https://chat.example.org");
    /// });
    /// ```
    #[doc(alias = "originAuthenticationRequired")]
    #[must_use]
    pub fn origin_authentication_required(&self) -> SignalRef<'_, Self, CorsAuthenticator> {
        SignalRef::new(self, &self.inner.origin_authentication_required)
    }
}

/// Which slots decide about origins.
#[derive(Clone, Copy)]
pub(crate) struct OriginSlots {
    pub(crate) has_any: bool,
    /// The server is a part, and its whole has some.
    has_any_of_whole: bool,
}

impl Inner {
    /// Returns which slots decide about origins.
    ///
    /// Drops slots whose receivers are gone: not with a lock, and in front of other checks.
    pub(crate) fn origin_slots(&self) -> OriginSlots {
        let has_slots = |server: &Self| server.origin_authentication_required.slot_count() > 0;
        let has_any_of_whole =
            self.whole.is_some() && self.whole().is_none_or(|whole| has_slots(&whole));
        OriginSlots { has_any: has_any_of_whole || has_slots(self), has_any_of_whole }
    }

    /// Fails when neither the policy nor a slot allows the origin of a request.
    ///
    /// The origin is returned when slots of the whole server decide, too.
    pub(crate) fn check_origin(
        &self,
        request: &HandshakeRequest,
        policy: Option<OriginPolicy>,
        slots: OriginSlots,
    ) -> Result<Option<CorsAuthenticator>, Refusal> {
        self.warn_of_open_origins(request);
        let is_allowed = policy.is_none_or(|policy| policy.allows(request, self.mode));
        if !slots.has_any {
            return if is_allowed { Ok(None) } else { Err(Refusal::OriginRefused) };
        }
        let origin = request.origin().unwrap_or_default().to_owned();
        let authenticator = CorsAuthenticator::with_decision(origin, is_allowed);

        let emit = || self.origin_authentication_required.emit(&authenticator);
        if !panics::catch("a slot of `origin_authentication_required`", emit) {
            return Err(Refusal::NoDecision);
        }
        if slots.has_any_of_whole {
            return Ok(Some(authenticator));
        }
        authenticator.decide().map(|()| None)
    }

    /// Fails unless the slots of the whole server allow the origin.
    ///
    /// The client is one of this part. Direct slots run in this thread; those of other threads are
    /// waited for.
    pub(crate) async fn check_origin_in_whole(
        self: Arc<Self>,
        authenticator: CorsAuthenticator,
    ) -> Result<(), Refusal> {
        let whole = self.whole().ok_or(Refusal::NoDecision)?;
        drop(self);
        let answers = Answers::default();
        let lent = authenticator.with_answer(&answers);
        let emit = || whole.origin_authentication_required.emit(&lent);
        if !panics::catch("a slot of `origin_authentication_required`", emit) {
            return Err(Refusal::NoDecision);
        }
        // The answers are those of the copies that were queued.
        lent.note_look();
        let event_loop = whole.event_loop.clone();
        drop((lent, whole));
        // It fails closed, also when that thread ends before its slots have run.
        if answers.all().await.is_err() || event_loop.has_ended() {
            return Err(Refusal::NoDecision);
        }
        authenticator.decide()
    }

    /// Logs a warning, once, when pages of all hosts can use the server.
    fn warn_of_open_origins(&self, request: &HandshakeRequest) {
        let Some(origin) = request.origin() else { return };
        if let Some(whole) = self.whole() {
            return whole.warn_of_open_origins(request);
        }
        let is_decided = self.lock().checks_clients_or_was_warned();
        // Not while it is locked: `slot_count` drops slots of dropped receivers.
        if is_decided || self.origin_authentication_required.slot_count() > 0 {
            return;
        }
        let mut state = self.lock();
        if mem::replace(&mut state.has_warned_of_origins, true) {
            return;
        }
        let name = state.configuration.name.clone();
        drop(state);
        warn!(
            "a page of {origin} connects to {name:?}, and any other page can: \
             set_origin_policy restricts the origins"
        );
    }
}

impl State {
    /// Returns whether the program checks clients, or was warned that it does not.
    fn checks_clients_or_was_warned(&self) -> bool {
        let Configuration { origin_policy, verifier, .. } = &*self.configuration;
        origin_policy.is_some() || verifier.is_some() || self.has_warned_of_origins
    }
}
