//! Decides which requests are answered with 101, and what is agreed on: room, origin,
//! verifier, subprotocol.

use std::mem;
use std::sync::{Arc, Weak};

use log::warn;
use slotwork_signals::Connection;

use crate::net::upgrade::server::Failure;
use crate::protocol::handshake::refusal::Refusal;
use crate::protocol::handshake::request::HandshakeRequest;
use crate::protocol::handshake::subprotocol::ChosenSubprotocol;
use crate::runtime::panics;
use crate::server::origins::cors_authenticator::CorsAuthenticator;
use crate::server::origins::origin_policy::OriginPolicy;
use crate::server::state::Inner;
use crate::server::verifier;
use crate::server::verifier::opening_handshake::OpeningHandshake;
use crate::server::verifier::verdict::Grant;

/// What a server was told about whom to admit.
#[derive(Default)]
pub(crate) struct Gate {
    /// None when the program has not thought about it.
    pub(crate) origin_policy: Option<OriginPolicy>,
    has_warned: bool,
    /// Where the verifier is connected to the questions.
    pub(crate) verifier: Option<Connection>,
    pub(crate) subprotocols: Vec<String>,
}

impl Gate {
    /// Returns whether the program has thought about web pages, or was told to.
    fn is_decided(&self) -> bool {
        self.origin_policy.is_some() || self.verifier.is_some() || self.has_warned
    }
}

/// Decides about a request that is right; returns the server, which is held until the socket is
/// pending: one that is dropped meanwhile closes it as well.
pub(crate) async fn admit(
    server: &Weak<Inner>,
    handshake: OpeningHandshake,
    closings: u64,
) -> Result<(Arc<Inner>, Grant), Failure> {
    // Slots run in between, which may close the server or drop its last handle.
    let still_open = || {
        let server = server.upgrade().filter(|server| server.lock().closings == closings);
        server.ok_or(Failure::Closed)
    };
    let open = still_open()?;
    open.check_room()?;
    open.check_origin(handshake.request())?;
    drop(open);
    let grant = verifier::ask(still_open()?, handshake).await?;
    let open = still_open()?;
    // Others may have taken the room meanwhile.
    open.check_room()?;
    Ok((open, grant))
}

impl Inner {
    pub(crate) fn choose_subprotocol(
        &self,
        request: &HandshakeRequest,
    ) -> Option<ChosenSubprotocol> {
        ChosenSubprotocol::choose(request, &self.lock().gate.subprotocols)
    }

    fn check_origin(&self, request: &HandshakeRequest) -> Result<(), Refusal> {
        self.warn_of_browsers(request);
        let policy = self.lock().gate.origin_policy.clone();
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
        let is_decided = self.lock().gate.is_decided();
        // Not while it is locked: slots whose receivers are gone are dropped by that.
        if is_decided || self.origin_authentication_required.slot_count() > 0 {
            return;
        }
        let mut state = self.lock();
        if mem::replace(&mut state.gate.has_warned, true) {
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
