//! Whom a server admits, as programs set it.

use std::mem;

use log::warn;
use slotwork_signals::SignalRef;

use crate::protocol::handshake::refusal::Refusal;
use crate::protocol::handshake::request::HandshakeRequest;
use crate::runtime::panics;
use crate::server::WebSocketServer;
use crate::server::origins::cors_authenticator::CorsAuthenticator;
use crate::server::origins::origin_policy::OriginPolicy;
use crate::server::state::{Inner, State};
use crate::types::error::Error;

pub(crate) mod cors_authenticator;
pub(crate) mod origin_policy;

/// Admission.
impl WebSocketServer {
    /// Sets which web pages may connect, for requests that come from now on.
    ///
    /// Others are refused with 403 and reported by [`server_error`](Self::server_error) with
    /// [`CloseCode::POLICY_VIOLATED`](crate::CloseCode::POLICY_VIOLATED). A slot of
    /// [`origin_authentication_required`](Self::origin_authentication_required) may decide
    /// otherwise. Without a policy and without such a slot every page may connect, and the first one
    /// is logged as a warning.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOrigin`] when one of a list is no origin; the old policy stays.
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
        self.inner.lock().origin_policy = Some(policy);
        Ok(())
    }

    /// Returns which web pages may connect; `None` when that was never set.
    #[must_use]
    pub fn origin_policy(&self) -> Option<OriginPolicy> {
        self.inner.lock().origin_policy.clone()
    }

    /// Emitted for each valid request before it is answered, with a question about its origin.
    ///
    /// Slots answer it with [`set_allowed`](CorsAuthenticator::set_allowed), before they return:
    /// connect them in the server's thread. A request that is refused gets a 403, and is reported by
    /// [`server_error`](Self::server_error) with
    /// [`CloseCode::POLICY_VIOLATED`](crate::CloseCode::POLICY_VIOLATED); after a panic in a slot it
    /// is a 500. Requests without an origin come with an empty one. A
    /// decision that has to wait for something is for [`set_verifier`](Self::set_verifier).
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

impl Inner {
    pub(crate) fn check_origin(&self, request: &HandshakeRequest) -> Result<(), Refusal> {
        self.warn_of_browsers(request);
        let policy = self.lock().origin_policy.clone();
        let is_allowed = policy.is_none_or(|policy| policy.allows(request, self.mode));
        let origin = request.origin().unwrap_or_default().to_owned();
        let question = CorsAuthenticator::with_answer(origin, is_allowed);

        let emit = || self.origin_authentication_required.emit(&question);
        if !panics::catch("a slot of `origin_authentication_required`", emit) {
            return Err(Refusal::NoDecision);
        }
        if question.read_answer() { Ok(()) } else { Err(Refusal::OriginRefused) }
    }

    /// Tells the operator, once, that pages of all hosts can use the server.
    fn warn_of_browsers(&self, request: &HandshakeRequest) {
        let Some(origin) = request.origin() else { return };
        let is_decided = self.lock().has_decided_about_origins();
        // Not while it is locked: slots whose receivers are gone are dropped by that.
        if is_decided || self.origin_authentication_required.slot_count() > 0 {
            return;
        }
        let mut state = self.lock();
        if mem::replace(&mut state.has_warned_of_origins, true) {
            return;
        }
        let name = state.name.clone();
        drop(state);
        warn!(
            "a page of {origin} connects to {name:?}, and so can any other page: \
             set_origin_policy says which may"
        );
    }
}

impl State {
    /// Returns whether the program has thought about web pages, or was told to.
    fn has_decided_about_origins(&self) -> bool {
        self.origin_policy.is_some() || self.verifier.is_some() || self.has_warned_of_origins
    }
}
