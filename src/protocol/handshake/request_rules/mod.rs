//! The rules for the headers of a request (RFC 6455 §4.2.1).

use std::collections::HashSet;

use crate::protocol::handshake::authority;
use crate::protocol::handshake::grammar;
use crate::protocol::handshake::refusal::Refusal;
use crate::protocol::handshake::request::HandshakeRequest;

/// Checks the headers of a request with well-formed lines.
///
/// # Errors
///
/// The first broken rule, in the order of this function: rules of HTTP come before those of
/// WebSocket handshakes.
pub(crate) fn check(request: &HandshakeRequest) -> Result<(), Refusal> {
    check_host(request)?;
    check_body(request)?;
    check_upgrade(request)?;
    // Before the key: another version may have other keys.
    check_version(request)?;
    check_key(request)?;
    check_origin(request)?;
    check_subprotocols(request)?;
    check_extensions(request)
}

/// RFC 9112 §3.2: exactly one valid `Host`, also with an absolute target.
fn check_host(request: &HandshakeRequest) -> Result<(), Refusal> {
    let host = single(request, "Host", "the request has two Host headers")?
        .ok_or(Refusal::BadRequest("the request has no Host header"))?;
    let is_valid = std::str::from_utf8(host).is_ok_and(authority::is_authority);
    ensure(is_valid, "the Host header is malformed")
}

/// A body would be taken for frames. RFC 9112 §6.3 lets equal lengths be repeated.
fn check_body(request: &HandshakeRequest) -> Result<(), Refusal> {
    let is_empty = request
        .raw_values("Content-Length")
        .all(|length| !length.is_empty() && length.iter().all(|digit| *digit == b'0'));
    ensure(is_empty, "the request has a body, or its Content-Length is malformed")?;
    ensure(
        !request.has_raw_header("Transfer-Encoding"),
        "the request has a body: it has a Transfer-Encoding header",
    )
}

fn check_upgrade(request: &HandshakeRequest) -> Result<(), Refusal> {
    // RFC 9110 §15.5.22: 426 is for clients of another protocol, be it plain HTTP (health probes,
    // browsers) or another upgrade, which is only an offer (curl's h2c).
    if !has_token(request, "Upgrade", b"websocket") {
        return Err(Refusal::UpgradeRequired);
    }
    // A malformed request for websocket: 400 (RFC 6455 §4.2.1). The reason shows the operator of a
    // proxy which of the two headers is missing.
    ensure(
        has_token(request, "Connection", b"upgrade"),
        "the Connection header does not contain upgrade",
    )
}

/// RFC 6455 §4.1: the client requests one version, which has to be 13.
///
/// §4.2.2 and §4.4: the answer to any other, or none, is 426 with the supported version.
fn check_version(request: &HandshakeRequest) -> Result<(), Refusal> {
    if request.raw_values("Sec-WebSocket-Version").eq([b"13"]) {
        Ok(())
    } else {
        Err(Refusal::UnsupportedVersion)
    }
}

fn check_key(request: &HandshakeRequest) -> Result<(), Refusal> {
    let key =
        single(request, "Sec-WebSocket-Key", "the request has two Sec-WebSocket-Key headers")?
            .ok_or(Refusal::BadRequest("the request has no Sec-WebSocket-Key header"))?;
    ensure(is_key(key), "the Sec-WebSocket-Key header is not the base64 text of 16 bytes")
}

/// Returns whether the bytes are the base64 text of 16 bytes (RFC 4648 §4).
///
/// These are 22 digits and padding. The last digit has four unused bits, which are not zero in
/// RFC 6455's own example (§4.1).
fn is_key(key: &[u8]) -> bool {
    key.strip_suffix(b"==").is_some_and(|digits| {
        digits.len() == 22
            && digits.iter().all(|digit| digit.is_ascii_alphanumeric() || b"+/".contains(digit))
    })
}

/// Only the form is checked: whether the origin is allowed is up to the program.
fn check_origin(request: &HandshakeRequest) -> Result<(), Refusal> {
    let origin = single(request, "Origin", "the request has two Origin headers")?;
    ensure(origin.is_none_or(grammar::is_printable), "the Origin header is not printable ASCII")
}

/// RFC 6455 §4.1: one token or more, all different.
fn check_subprotocols(request: &HandshakeRequest) -> Result<(), Refusal> {
    const NAME: &str = "Sec-WebSocket-Protocol";

    // A set, because thousands of names fit into a head.
    let mut seen = HashSet::new();
    for subprotocol in request.raw_values(NAME).flat_map(grammar::list_members) {
        ensure(grammar::is_token(subprotocol), "a name in Sec-WebSocket-Protocol is not a token")?;
        ensure(seen.insert(subprotocol), "Sec-WebSocket-Protocol has the same name twice")?;
    }
    ensure(
        !seen.is_empty() || !request.has_raw_header(NAME),
        "the Sec-WebSocket-Protocol header is empty",
    )
}

/// Extensions are optional, and none is accepted yet (RFC 6455 §9.1); Qt: HSR-17.
fn check_extensions(request: &HandshakeRequest) -> Result<(), Refusal> {
    ensure(
        request.raw_values("Sec-WebSocket-Extensions").all(grammar::is_printable),
        "the Sec-WebSocket-Extensions header is not printable ASCII",
    )
}

/// Returns the value of a header that must not occur twice.
fn single<'r>(
    request: &'r HandshakeRequest,
    name: &str,
    doubled: &'static str,
) -> Result<Option<&'r [u8]>, Refusal> {
    let mut values = request.raw_values(name);
    let value = values.next();
    ensure(values.next().is_none(), doubled)?;
    Ok(value)
}

/// Returns whether a token is in a header's lists (case-insensitive).
fn has_token(request: &HandshakeRequest, name: &str, token: &[u8]) -> bool {
    request
        .raw_values(name)
        .flat_map(grammar::list_members)
        .any(|member| member.eq_ignore_ascii_case(token))
}

fn ensure(condition: bool, otherwise: &'static str) -> Result<(), Refusal> {
    if condition { Ok(()) } else { Err(Refusal::BadRequest(otherwise)) }
}

#[cfg(test)]
mod tests;
