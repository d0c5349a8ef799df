//! Credentials for servers and proxies: known ones first, then those that slots supply.

use slotwork_signals::Signal;

use crate::net::upgrade::client::Opening;
use crate::protocol::handshake::basic_auth;
use crate::protocol::handshake::response::HandshakeResponse;
use crate::socket::client::slots::consult_slots;
use crate::socket::state::{Inner, LazySignals};
use crate::types::authenticator::{Authenticator, Credentials, Login};

/// Returns what a server may be told that asked who asks, if there is anything new to tell.
pub(crate) fn server_credentials(
    inner: &Inner,
    opening: &Opening,
    response: &HandshakeResponse,
    login: &mut Login,
) -> Option<Credentials> {
    let is_own = |(name, _): &(String, String)| name.eq_ignore_ascii_case("Authorization");
    if response.status() != 401 || opening.headers.iter().any(is_own) {
        return None;
    }
    let realm = basic_auth::realm(response.raw_values("WWW-Authenticate"))?;
    ask_slots(inner, login, &realm, |signals| &signals.authentication_required)
}

/// Returns credentials for the proxy, if there are any that it has not refused.
pub(crate) fn proxy_credentials(
    inner: &Inner,
    login: &mut Login,
    realm: &str,
) -> Option<Credentials> {
    ask_slots(inner, login, realm, |signals| &signals.proxy_authentication_required)
}

/// Returns what is known, or asks the program: slots answer before this returns. What they supply
/// counts for nothing when one of them has panicked, or has ended its socket.
fn ask_slots(
    inner: &Inner,
    login: &mut Login,
    realm: &str,
    signal: impl FnOnce(&LazySignals) -> &Signal<Authenticator>,
) -> Option<Credentials> {
    let mut is_wanted = true;
    let credentials = login.next(realm, |question| {
        let emit = |signals: &LazySignals| signal(signals).emit(question);
        is_wanted = consult_slots(inner, |inner| inner.emit_lazy(emit));
    });
    credentials.filter(|_| is_wanted)
}
