//! What the tests of this directory share: a request that is right, and how to read it.

use crate::protocol::handshake::refusal::Refusal;
use crate::protocol::handshake::request::HandshakeRequest;
pub(crate) use crate::testing::pieces::Outcome;
use crate::testing::pieces::read;

/// The least that is accepted, with the key of RFC 6455 §1.3.
pub(crate) const HEAD: &str = "GET /chat HTTP/1.1\r\n\
    Host: foo.com\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\
    \r\n";

/// Returns [`HEAD`] with a part of it replaced.
pub(crate) fn head_with(part: &str, replacement: &str) -> String {
    assert!(HEAD.contains(part), "{part}");
    HEAD.replacen(part, replacement, 1)
}

/// Returns [`HEAD`] with more header lines.
pub(crate) fn head_and(lines: &str) -> String {
    head_with("\r\n\r\n", &format!("\r\n{lines}\r\n\r\n"))
}

/// Returns the request in a head that is right.
pub(crate) fn request(head: &str) -> HandshakeRequest {
    match outcome(head.as_bytes()) {
        Ok(Some((request, leftover))) if leftover.is_empty() => request,
        other => panic!("{other:?} for {head:?}"),
    }
}

/// Returns why a head is refused.
pub(crate) fn refusal(head: &str) -> Refusal {
    outcome(head.as_bytes()).expect_err(head)
}

/// Reads the bytes as a whole, one by one, and cut in two at each place: all must agree.
///
/// Long inputs are cut at some places only.
pub(crate) fn outcome(bytes: &[u8]) -> Outcome {
    let outcome = read(&mut [bytes].into_iter());

    assert_eq!(read(&mut bytes.chunks(1)), outcome, "byte by byte");
    let step = if bytes.len() < 2000 { 1 } else { bytes.len() / 60 };
    for place in (0..bytes.len()).step_by(step) {
        let (first, second) = bytes.split_at(place);
        assert_eq!(read(&mut [first, second].into_iter()), outcome, "cut at {place}");
    }
    outcome
}
