//! Authentication of a client: credentials for servers and proxies.

use slotwork_signals::Signal;

use crate::net::upgrade::client::Opening;
use crate::protocol::handshake::basic_auth;
use crate::protocol::handshake::response::HandshakeResponse;
use crate::socket::client::slots::consult_slots;
use crate::socket::state::{ClientSignals, Inner};
use crate::types::authenticator::{Authenticator, Credentials, Login};

/// Returns credentials for the server after a 401; `None` without new ones.
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
    credentials(inner, login, &realm, |signals| &signals.authentication_required)
}

/// Returns credentials for the proxy; `None` without new ones.
pub(crate) fn proxy_credentials(
    inner: &Inner,
    login: &mut Login,
    realm: &str,
) -> Option<Credentials> {
    credentials(inner, login, realm, |signals| &signals.proxy_authentication_required)
}

/// Returns known credentials, or those that slots supply before this returns.
///
/// They are dropped when a slot has panicked, or has ended its socket.
fn credentials(
    inner: &Inner,
    login: &mut Login,
    realm: &str,
    signal: impl FnOnce(&ClientSignals) -> &Signal<Authenticator>,
) -> Option<Credentials> {
    let mut is_wanted = true;
    let credentials = login.next(realm, |authenticator| {
        let emit = |signals: &ClientSignals| signal(signals).emit(authenticator);
        is_wanted = consult_slots(inner, |inner| inner.emit_of_client(emit));
    });
    credentials.filter(|_| is_wanted)
}
