//! Request heads that are valid, and their reading in pieces.

use crate::protocol::handshake::page_request::PageRequest;
use crate::protocol::handshake::refusal::Refusal;
use crate::protocol::handshake::request::HandshakeRequest;
use crate::protocol::handshake::request_head::{HeadLimits, HeadReader};

/// The minimal head that is accepted, with the key of RFC 6455 §1.3.
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

/// Returns the request in a valid head.
#[cfg(test)]
pub(crate) fn request(head: &str) -> HandshakeRequest {
    match outcome(head.as_bytes()) {
        Ok(Some((request, leftover))) if leftover.is_empty() => request,
        other => panic!("{other:?} for {head:?}"),
    }
}

/// Returns the refusal of a head.
#[cfg(test)]
pub(crate) fn refusal(head: &str) -> Refusal {
    outcome(head.as_bytes()).expect_err(head)
}

/// Checks that a request, written again from its parts, is read as the same.
pub(crate) fn check_written_again(request: &HandshakeRequest) {
    let (resource, host) = (request.resource_name(), request.host());
    let mut head = format!("GET {resource} HTTP/1.1\r\nHost: {host}\r\n").into_bytes();
    let is_host = |name: &str| name.eq_ignore_ascii_case("Host");
    for (name, value) in request.raw_headers().filter(|(name, _)| !is_host(name)) {
        head.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    head.extend(b"\r\n");

    let again = read_with(HeadLimits::OWN, &mut [&head[..]].into_iter());

    let Ok(Some((again, rest))) = &again else { unreachable!("{again:?}") };
    assert!(rest.is_empty());
    let parts = |request: &HandshakeRequest| {
        let names = [request.resource_name(), request.host()].map(str::to_owned);
        (names, request.key().to_owned())
    };
    assert_eq!(parts(again), parts(request));
}

/// Reads the bytes whole, one by one, and cut in two at each place: all must agree.
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

/// The result of a reader: nothing yet, or the request and the bytes left over.
pub(crate) type Outcome = Result<Option<(HandshakeRequest, Vec<u8>)>, Refusal>;

/// Reads pieces until the result is certain; the rest is left over.
pub(crate) fn read(pieces: &mut dyn Iterator<Item = &[u8]>) -> Outcome {
    read_with(HeadLimits::default(), pieces)
}

/// Reads pieces as a server with pages does; also returns the request for one.
pub(crate) fn read_page(
    pieces: &mut dyn Iterator<Item = &[u8]>,
) -> (Outcome, Option<Box<PageRequest>>) {
    let mut reader = HeadReader::with_pages(HeadLimits::default());
    let outcome = read_into(&mut reader, HeadLimits::default(), pieces);
    (outcome, reader.take_page())
}

/// Reads pieces within these limits.
pub(crate) fn read_with(limits: HeadLimits, pieces: &mut dyn Iterator<Item = &[u8]>) -> Outcome {
    read_into(&mut HeadReader::new(limits), limits, pieces)
}

fn read_into(
    reader: &mut HeadReader,
    limits: HeadLimits,
    pieces: &mut dyn Iterator<Item = &[u8]>,
) -> Outcome {
    while let Some(piece) = pieces.next() {
        let found = reader.read(piece);
        let most = limits.head.checked_next_power_of_two().unwrap_or(usize::MAX);
        assert!(reader.buffer_size() <= most, "{}", reader.buffer_size());
        if let Some((request, rest)) = found? {
            return Ok(Some((request, [rest, &pieces.collect::<Vec<_>>().concat()].concat())));
        }
    }
    Ok(None)
}
