//! The rules for the headers of a request (RFC 6455 §4.2.1).

use std::collections::HashSet;

use crate::protocol::handshake::authority;
use crate::protocol::handshake::extensions;
use crate::protocol::handshake::grammar;
use crate::protocol::handshake::refusal::Refusal;
use crate::protocol::handshake::request::{HandshakeRequest, OccasionalHeader, UsualHeaders};
use crate::protocol::handshake::request_line::PageLine;

/// The parts of the rules that concern single headers, noted as they are read.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact about headers of one name")]
pub(crate) struct RequestRules {
    host: SingleHeader,
    version: SingleHeader,
    key: SingleHeader,
    origin: SingleHeader,
    /// There is a `Content-Length` that is not 0.
    has_length: bool,
    has_transfer_encoding: bool,
    upgrades_to_websocket: bool,
    connection_has_upgrade: bool,
    has_subprotocols: bool,
    has_expectation: bool,
    has_malformed_extensions: bool,
}

/// A header that must not occur twice.
#[derive(Debug, Default)]
enum SingleHeader {
    #[default]
    Missing,
    Once {
        is_valid: bool,
    },
    Doubled,
}

impl RequestRules {
    /// Notes a header of a well-formed line.
    pub(crate) fn note(&mut self, name: &[u8], value: &[u8]) {
        let is = |expected: &str| name.eq_ignore_ascii_case(expected.as_bytes());
        match name.len() {
            4 if is("Host") => self.host.note(|| is_host(value)),
            // Only the form is checked: whether the origin is allowed is up to the program.
            6 if is("Origin") => self.origin.note(|| grammar::is_printable(value)),
            6 if is("Expect") => self.has_expectation = true,
            7 if is("Upgrade") => self.upgrades_to_websocket |= has_token(value, b"websocket"),
            10 if is("Connection") => self.connection_has_upgrade |= has_token(value, b"upgrade"),
            14 if is("Content-Length") => self.has_length |= !is_zero(value),
            17 if is("Sec-WebSocket-Key") => self.key.note(|| is_key(value)),
            17 if is("Transfer-Encoding") => self.has_transfer_encoding = true,
            21 if is("Sec-WebSocket-Version") => self.version.note(|| value == b"13"),
            22 if is(SUBPROTOCOLS) => self.has_subprotocols = true,
            24 if is(extensions::HEADER) => {
                self.has_malformed_extensions |= !extensions::is_well_formed(value);
            }
            _ => {}
        }
    }

    /// Notes the usual header of this place, as [`UsualHeaders`] counts them.
    pub(crate) fn note_usual(&mut self, place: usize) {
        match place {
            0 => self.upgrades_to_websocket = true,
            1 => self.connection_has_upgrade = true,
            _ => self.version.note(|| true),
        }
    }

    /// Returns whether a valid key has been noted.
    pub(crate) const fn has_key(&self) -> bool {
        matches!(self.key, SingleHeader::Once { is_valid: true })
    }

    /// Adds the occasional headers that have been noted.
    pub(crate) fn add_noted(&self, headers: &mut UsualHeaders) {
        if !matches!(self.origin, SingleHeader::Missing) {
            headers.note(OccasionalHeader::Origin);
        }
        if self.has_expectation {
            headers.note(OccasionalHeader::Expect);
        }
    }

    /// Checks the headers of a request, which all have been noted.
    ///
    /// # Errors
    ///
    /// The first broken rule, in the order of this function: rules of HTTP come before those of
    /// WebSocket handshakes.
    pub(crate) fn check(&self, request: &HandshakeRequest) -> Result<(), Refusal> {
        self.check_host()?;
        self.check_body()?;
        self.check_upgrade()?;
        // Before the key: another version may have other keys.
        self.check_version()?;
        self.check_key()?;
        self.check_origin()?;
        if self.has_subprotocols {
            check_subprotocols(request)?;
        }
        self.check_extensions()
    }

    /// Checks the headers of a request with the line of a page.
    ///
    /// # Errors
    ///
    /// The first broken rule; [`Refusal::UpgradeRequired`] if it is a valid request for a page.
    pub(crate) fn check_page(&self, line: PageLine) -> Result<(), Refusal> {
        // RFC 9112 §3.2: a request of HTTP/1.0 need not have a `Host`.
        if !(line.is_old && matches!(self.host, SingleHeader::Missing)) {
            self.check_host()?;
        }
        self.check_body()?;
        Err(if self.upgrades_to_websocket { line.refusal() } else { Refusal::UpgradeRequired })
    }

    /// RFC 9112 §3.2: exactly one valid `Host`, also with an absolute target.
    fn check_host(&self) -> Result<(), Refusal> {
        match self.host {
            SingleHeader::Once { is_valid } => ensure(is_valid, "the Host header is malformed"),
            SingleHeader::Missing => Err(Refusal::BadRequest("the request has no Host header")),
            SingleHeader::Doubled => Err(Refusal::BadRequest("the request has two Host headers")),
        }
    }

    /// A body would be taken for frames. RFC 9112 §6.3 lets equal lengths be repeated.
    fn check_body(&self) -> Result<(), Refusal> {
        ensure(!self.has_length, "the request has a body, or its Content-Length is malformed")?;
        ensure(
            !self.has_transfer_encoding,
            "the request has a body: it has a Transfer-Encoding header",
        )
    }

    fn check_upgrade(&self) -> Result<(), Refusal> {
        // RFC 9110 §15.5.22: 426 is for clients of another protocol, be it plain HTTP (health
        // probes, browsers) or another upgrade, which is only an offer (curl's h2c).
        if !self.upgrades_to_websocket {
            return Err(Refusal::UpgradeRequired);
        }
        // A malformed request for websocket: 400 (RFC 6455 §4.2.1). The reason shows the operator
        // of a proxy which of the two headers is missing.
        ensure(self.connection_has_upgrade, "the Connection header does not contain upgrade")
    }

    /// RFC 6455 §4.1: the client requests one version, which has to be 13.
    ///
    /// §4.2.2 and §4.4: the answer to any other, or none, is 426 with the supported version.
    const fn check_version(&self) -> Result<(), Refusal> {
        match self.version {
            SingleHeader::Once { is_valid: true } => Ok(()),
            _ => Err(Refusal::UnsupportedVersion),
        }
    }

    fn check_key(&self) -> Result<(), Refusal> {
        let reason = match self.key {
            SingleHeader::Once { is_valid: true } => return Ok(()),
            SingleHeader::Once { is_valid: false } => {
                "the Sec-WebSocket-Key header is not the base64 text of 16 bytes"
            }
            SingleHeader::Missing => "the request has no Sec-WebSocket-Key header",
            SingleHeader::Doubled => "the request has two Sec-WebSocket-Key headers",
        };
        Err(Refusal::BadRequest(reason))
    }

    fn check_origin(&self) -> Result<(), Refusal> {
        match self.origin {
            SingleHeader::Missing => Ok(()),
            SingleHeader::Once { is_valid } => {
                ensure(is_valid, "the Origin header is not printable ASCII")
            }
            SingleHeader::Doubled => Err(Refusal::BadRequest("the request has two Origin headers")),
        }
    }

    /// RFC 6455 §9.1; which of them are accepted is up to the server. Qt: HSR-17.
    fn check_extensions(&self) -> Result<(), Refusal> {
        ensure(!self.has_malformed_extensions, "the Sec-WebSocket-Extensions header is malformed")
    }
}

impl SingleHeader {
    fn note(&mut self, is_valid: impl FnOnce() -> bool) {
        *self = match self {
            Self::Missing => Self::Once { is_valid: is_valid() },
            Self::Once { .. } | Self::Doubled => Self::Doubled,
        };
    }
}

fn is_host(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok_and(authority::is_authority)
}

fn is_zero(length: &[u8]) -> bool {
    !length.is_empty() && length.iter().all(|digit| *digit == b'0')
}

/// Returns whether a token is in a list (case-insensitive).
fn has_token(list: &[u8], token: &[u8]) -> bool {
    grammar::list_members(list).any(|member| member.eq_ignore_ascii_case(token))
}

/// Returns whether the bytes are the base64 text of 16 bytes (RFC 4648 §4).
///
/// These are 22 digits and padding. The last digit has four unused bits, which are not zero in
/// RFC 6455's own example (§4.1).
fn is_key(key: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() | matches!(byte, b'+' | b'/');
    // Without a branch for each digit.
    let are_digits = |digits: &[u8; 22]| digits.iter().fold(true, |all, byte| all & is_digit(byte));
    let digits = key.strip_suffix(b"==").and_then(|digits| digits.try_into().ok());
    digits.is_some_and(are_digits)
}

/// RFC 6455 §4.1: one token or more, all different.
fn check_subprotocols(request: &HandshakeRequest) -> Result<(), Refusal> {
    // A set, because thousands of names fit into a head.
    let mut seen = HashSet::new();
    for subprotocol in request.raw_values(SUBPROTOCOLS).flat_map(grammar::list_members) {
        ensure(grammar::is_token(subprotocol), "a name in Sec-WebSocket-Protocol is not a token")?;
        ensure(seen.insert(subprotocol), "Sec-WebSocket-Protocol has the same name twice")?;
    }
    ensure(
        !seen.is_empty() || !request.has_raw_header(SUBPROTOCOLS),
        "the Sec-WebSocket-Protocol header is empty",
    )
}

fn ensure(condition: bool, otherwise: &'static str) -> Result<(), Refusal> {
    if condition { Ok(()) } else { Err(Refusal::BadRequest(otherwise)) }
}

const SUBPROTOCOLS: &str = "Sec-WebSocket-Protocol";

#[cfg(test)]
mod tests;
