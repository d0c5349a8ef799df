//! Fuzz target: the check of an opening handshake's request, and its answer.

use std::collections::HashMap;

use async_tungstenite::tungstenite::handshake::derive_accept_key;
use smol::future::{block_on, poll_once};

use crate::net::stream::Stream;
use crate::net::upgrade;
use crate::net::upgrade::server::Failure;
use crate::protocol::handshake::agreement::Agreement;
use crate::protocol::handshake::refusal::Refusal;
use crate::protocol::handshake::request::HandshakeRequest;
use crate::protocol::handshake::request_head::HeadLimits;
use crate::testing::requests::{Outcome, check_written_again, read, read_page};
use crate::testing::scripted_stream::{ScriptedPeer, scripted_stream};

/// The first byte chooses how the others, from a client, are cut into reads.
pub fn head(data: &[u8]) {
    let Some((&piece_size, bytes)) = data.split_first() else { return };
    let piece_size = usize::from(piece_size) + 1;
    let pieces = || bytes.chunks(piece_size);

    let outcome = read(&mut [bytes].into_iter());

    assert_eq!(read(&mut pieces()), outcome, "cut into pieces");
    assert_eq!(read(&mut bytes.chunks(1)), outcome, "byte by byte");
    match &outcome {
        Ok(None) => {
            let most = HeadLimits::default().head + 2;
            assert!(bytes.len() <= most, "{} bytes are kept", bytes.len());
        }
        Ok(Some((request, rest))) => {
            let (head, leftover) = bytes.split_at(bytes.len() - rest.len());
            assert_eq!(leftover, rest);
            check_head(head);
            check_written_again(request);
            let resource = request.resource_name();
            assert!(resource.starts_with('/'), "{resource}");
            assert!(resource.bytes().all(|byte| byte.is_ascii_graphic()), "{resource}");
        }
        Err(refusal) => check_answer(&refusal.response("fuzz"), refusal),
    }
    check_pages(bytes, piece_size, &outcome);
    check_stream(pieces(), &outcome);
}

/// Checks the rules for an accepted head with other code.
fn check_head(head: &[u8]) {
    let head = head.strip_prefix(b"\r\n").unwrap_or(head);
    let limits = HeadLimits::default();
    assert!(head.len() <= limits.head);
    let head: String = head.iter().copied().map(char::from).collect();
    let lines = head.strip_suffix("\r\n\r\n").map(|lines| lines.split("\r\n").collect::<Vec<_>>());
    let lines = lines.unwrap_or_default();
    let is_text = |line: &&str| !line.contains(|c| c != '\t' && c < ' ' || c == '\x7F');
    assert!(
        lines.iter().all(|line| is_text(line) && line.chars().count() <= limits.header_line),
        "{lines:?}"
    );

    let (first, headers) = lines.split_first().unwrap_or((&"", &[]));
    assert!(first.starts_with("GET ") && first.ends_with(" HTTP/1.1"), "{first:?}");
    assert_eq!(first.split(' ').count(), 3, "{first:?}");
    assert!(first.chars().count() <= limits.request_line && headers.len() <= limits.headers);
    let mut values = HashMap::<_, Vec<_>>::new();
    for (name, value) in headers.iter().filter_map(|line| line.split_once(':')) {
        values.entry(name.to_lowercase()).or_default().push(value.trim_matches([' ', '\t']));
    }
    let all = |name| values.get(name).map(Vec::as_slice).unwrap_or_default();
    assert_eq!(all("host").len(), 1);
    assert_eq!(all("sec-websocket-version"), ["13"]);
    assert!(matches!(all("sec-websocket-key"), [key] if key.len() == 24 && key.ends_with("==")));
    assert!(all("upgrade").join(",").to_lowercase().contains("websocket"));
    assert!(all("connection").join(",").to_lowercase().contains("upgrade"));
    assert!(all("origin").len() <= 1);
    assert!(all("transfer-encoding").is_empty());
    assert!(all("content-length").iter().all(|length| length.parse() == Ok(0_u8)));
}

/// Checks that an answer is a response of HTTP/1.1 with the right length.
fn check_answer(answer: &[u8], refusal: &Refusal) {
    let answer = String::from_utf8_lossy(answer);
    assert!(answer.starts_with(&format!("HTTP/1.1 {} ", refusal.status())), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let length = head.split_once("Content-Length: ").map_or("0", |(_, length)| length);
    assert_eq!(length.parse(), Ok(body.len()), "{answer}");
}

/// Checks that a server with pages reads the same handshakes.
///
/// Pages may come in any pieces, too.
fn check_pages(bytes: &[u8], piece_size: usize, outcome: &Outcome) {
    let (read, page) = read_page(&mut [bytes].into_iter());
    let shown = format!("{page:?}");

    for size in [piece_size, 1] {
        let (again, page) = read_page(&mut bytes.chunks(size));
        assert_eq!((again, format!("{page:?}")), (read.clone(), shown.clone()));
    }
    if let Ok(Some(_)) = outcome {
        assert_eq!(read, *outcome);
    }
    if let Some(page) = page {
        assert_eq!(*outcome, Err(page.refusal.clone()));
        assert_eq!(read.err(), Some(page.refusal));
        let resource = page.request.resource_name();
        assert!(resource.starts_with('/'), "{resource}");
        assert!(resource.bytes().all(|byte| byte.is_ascii_graphic()), "{resource}");
    }
}

/// Checks the same over a stream, with the answer and the bytes behind the head.
fn check_stream<'b>(pieces: impl Iterator<Item = &'b [u8]>, outcome: &Outcome) {
    let Ok((mut stream, peer)) = scripted_stream() else { return };
    peer.make_room(usize::MAX);
    let mut answer = Box::pin(answer(&mut stream));
    let mut sent_later = Vec::new();
    let mut answered = None;
    for piece in pieces {
        if answered.is_some() {
            sent_later.extend(piece);
            continue;
        }
        peer.send(piece);
        answered = block_on(poll_once(&mut answer));
    }
    if answered.is_none() {
        peer.end();
        answered = block_on(poll_once(&mut answer));
    }
    drop(answer);
    compare(answered.as_ref(), &sent_later, outcome, &peer);
}

/// RFC 6455 §4.2.2 item 5.4: the accept key is that of the key as it was sent.
fn check_accept_key(answer: &[u8], request: &HandshakeRequest) {
    let accept_key = derive_accept_key(request.key());
    let answer = String::from_utf8_lossy(answer).to_lowercase();
    let line = format!("\r\nsec-websocket-accept: {}\r\n", accept_key.to_lowercase());
    assert!(answer.contains(&line), "{answer}");
}

/// The request and the bytes behind it, the refusal, or `None` when the peer ended.
type Answered = Result<Option<(HandshakeRequest, Vec<u8>)>, Refusal>;

async fn answer(stream: &mut Stream) -> Answered {
    match upgrade::server::read_request(stream, &[], HeadLimits::default(), false).await {
        Ok((request, leftover)) => {
            let agreement = Agreement { server_name: "fuzz", ..Default::default() };
            let upgraded = stream.write_all(&agreement.response(&request)).await;
            Ok(upgraded.is_ok().then_some((request, leftover)))
        }
        Err(Failure::Refused(refusal)) => {
            upgrade::server::answer_at_once(stream, &refusal.response("fuzz"));
            Err(refusal)
        }
        Err(Failure::Page(_) | Failure::NoData | Failure::Broken(_) | Failure::Closed) => Ok(None),
    }
}

fn compare(answered: Option<&Answered>, sent_later: &[u8], outcome: &Outcome, peer: &ScriptedPeer) {
    let written = peer.written();
    match (answered, outcome) {
        (Some(Ok(Some((request, leftover)))), Ok(Some((expected, rest)))) => {
            assert_eq!(request, expected);
            assert_eq!([leftover, sent_later].concat(), *rest);
            let interim = written.strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n");
            assert!(interim.is_none() || request.has_raw_header("Expect"), "{written:?}");
            let last = interim.unwrap_or(&written);
            check_accept_key(last, request);
            assert!(last.starts_with(b"HTTP/1.1 101 "), "{written:?}");
        }
        (Some(Err(refusal)), Err(expected)) => {
            assert_eq!(refusal, expected);
            check_answer(&written, refusal);
        }
        (Some(Ok(None)), Ok(None)) => assert!(written.is_empty()),
        _ => unreachable!("{answered:?} instead of {outcome:?}"),
    }
}
