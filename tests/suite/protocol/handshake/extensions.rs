//! The syntax of `Sec-WebSocket-Extensions`, in builds with and without extensions.

use anyhow::Result;

use support::raw_peer::request_with;

use crate::protocol::handshake::{Refusal, check_accepted, check_refused};

/// RFC 6455 §9.1: well-formed extensions of any name are skipped; Qt: HSR-17.
#[test]
fn extensions_that_are_not_known_are_ignored() -> Result<()> {
    let headers = [
        "Sec-WebSocket-Extensions: foo",
        "sec-websocket-extensions: foo; bar=baz, x;y=\"z\"",
        "Sec-WebSocket-Extensions: a ; b = \"\\c\" ,, d\r\nSec-WebSocket-Extensions: e",
        "Sec-WebSocket-Extensions:",
        "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99",
    ];

    check_accepted(headers.map(|header| request_with(&format!("{header}\r\n"))).into())
}

/// RFC 6455 §9.1: a server refuses what the grammar does not have.
#[test]
fn malformed_extensions_are_refused() -> Result<()> {
    let refusal = Refusal { status: 400, close_code: 1002, headers: &[] };
    let headers = [
        "Sec-WebSocket-Extensions: ;",
        "Sec-WebSocket-Extensions: foo;",
        "Sec-WebSocket-Extensions: foo bar",
        "Sec-WebSocket-Extensions: foo; bar=",
        "Sec-WebSocket-Extensions: foo; bar=\"a b\"",
        "Sec-WebSocket-Extensions: foo; bar=\"a,b\"",
        "Sec-WebSocket-Extensions: foo; bar=\"a",
        "Sec-WebSocket-Extensions: \"foo\"",
        "Sec-WebSocket-Extensions: caf\u{e9}",
        "Sec-WebSocket-Extensions: foo\r\nSec-WebSocket-Extensions: bar;;baz",
    ];

    check_refused(&refusal, headers.map(|it| request_with(&format!("{it}\r\n")).into()).into())
}
