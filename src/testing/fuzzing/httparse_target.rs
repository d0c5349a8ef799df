//! Fuzz target: the heads of requests and answers beside httparse's reading.
//!
//! What is accepted here httparse accepts, with the same end, method, target, version and headers.
//! Answers are read with httparse here, too: of them the ends of heads, the interim ones and folded
//! lines are compared. The differences are named by the functions that check them.

use httparse::{EMPTY_HEADER, Header, ParserConfig, Status};

use crate::protocol::handshake::request::HandshakeRequest;
use crate::protocol::handshake::request_head::HeadLimits;
use crate::protocol::handshake::response::HandshakeResponse;
use crate::protocol::handshake::response_head::{self, ExpectedResponse, ResponseReader};
use crate::testing::requests::{read, read_page};

/// The first byte chooses a request or an answer; the others are its head.
///
/// Anything may be behind the head.
pub fn httparse(data: &[u8]) {
    let Some((&choice, bytes)) = data.split_first() else { return };
    if choice & 1 == 0 { check_request(bytes) } else { check_answer(bytes, choice >> 1) }
}

fn check_request(bytes: &[u8]) {
    match read(&mut [bytes].into_iter()) {
        Ok(Some((request, rest))) => {
            let head = &bytes[..bytes.len() - rest.len()];
            compare_request(head, &request, "GET", &[1]);
        }
        Ok(None) => check_incomplete(bytes),
        Err(_) => {}
    }
    if let (_, Some(page)) = read_page(&mut [bytes].into_iter()) {
        let method = if page.is_head { "HEAD" } else { "GET" };
        compare_request(bytes, &page.request, method, &[0, 1]);
    }
}

/// A head that is incomplete for this library is not complete for httparse.
fn check_incomplete(bytes: &[u8]) {
    let mut headers = [EMPTY_HEADER; 200];
    let found = httparse::Request::new(&mut headers).parse(bytes);
    assert!(!matches!(found, Ok(Status::Complete(_))), "{found:?}");
}

fn compare_request(head: &[u8], ours: &HandshakeRequest, method: &str, versions: &[u8]) {
    let mut headers = [EMPTY_HEADER; 100];
    let mut theirs = httparse::Request::new(&mut headers);

    let end = theirs.parse(head);

    assert!(matches!(end, Ok(Status::Complete(_))), "{end:?}");
    assert_eq!(theirs.method, Some(method));
    assert!(theirs.version.is_some_and(|it| versions.contains(&it)), "{:?}", theirs.version);
    let (authority, resource) = escaped_parts(theirs.path.unwrap_or_default());
    assert_eq!(ours.resource_name(), resource);
    let host = theirs.headers.iter().find(|header| header.name.eq_ignore_ascii_case("Host"));
    let host = host.map_or(&[][..], |host| host.value);
    assert_eq!(ours.host().as_bytes(), authority.as_ref().map_or(host, |it| it.as_bytes()));
    assert_eq!(usual_first(ours.raw_headers()), usual_first(pairs(theirs.headers)));
}

/// Takes a target apart, with what is not ASCII percent-encoded.
///
/// RFC 9112 §3.2.2: it may be absolute, with an authority.
fn escaped_parts(target: &str) -> (Option<String>, String) {
    let escape = |byte: u8| match byte {
        0x80.. => format!("%{byte:02X}"),
        _ => char::from(byte).to_string(),
    };
    let target: String = target.bytes().map(escape).collect();
    if target.starts_with('/') {
        return (None, target);
    }
    let (_, rest) = target.split_once("://").unwrap_or_default();
    let (authority, resource) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let slash = if resource.starts_with('/') { "" } else { "/" };
    (Some(authority.to_owned()), format!("{slash}{resource}"))
}

/// Moves the headers of nearly every request to the beginning, as here.
///
/// A second one keeps its place, and so does one that is written in another way.
fn usual_first<'h>(
    headers: impl Iterator<Item = (&'h str, &'h [u8])>,
) -> [Vec<(&'h str, &'h [u8])>; 2] {
    let (mut usual, others): (Vec<_>, _) = headers.partition(|header| USUAL.contains(header));
    usual.sort_unstable();
    [usual, others]
}

fn pairs<'h>(headers: &'h [Header<'h>]) -> impl Iterator<Item = (&'h str, &'h [u8])> {
    headers.iter().map(|header| (header.name, header.value))
}

/// The answer comes in pieces; the last head that httparse finds is the same.
fn check_answer(bytes: &[u8], piece_size: u8) {
    let mut reader = ResponseReader::new(HeadLimits::default());
    let mut pieces = bytes.chunks(usize::from(piece_size) + 1);
    let mut left = bytes.len();
    let found = pieces.find_map(|piece| {
        left -= piece.len();
        reader
            .read(piece)
            .map(|found| found.map(|(response, rest)| (response, rest.len())))
            .transpose()
    });
    match found {
        Some(Ok((response, rest))) => {
            let heads = &bytes[..bytes.len() - left - rest];
            compare_answer(heads, &response);
        }
        None => check_no_final_answer(bytes),
        Some(Err(_)) => {}
    }
}

/// Where this library waits for more, httparse finds no final answer either.
fn check_no_final_answer(bytes: &[u8]) {
    let mut rest = bytes;
    let mut headers = [EMPTY_HEADER; 200];
    loop {
        let mut theirs = httparse::Response::new(&mut headers);
        let Ok(Status::Complete(length)) = answers().parse_response(&mut theirs, rest) else {
            return;
        };
        assert!(theirs.code.is_some_and(is_interim), "{theirs:?}");
        rest = &rest[length..];
    }
}

fn compare_answer(heads: &[u8], ours: &HandshakeResponse) {
    let mut rest = heads;
    let mut headers = [EMPTY_HEADER; 100];
    loop {
        let mut theirs = httparse::Response::new(&mut headers);
        let end = answers().parse_response(&mut theirs, rest);
        let Ok(Status::Complete(length)) = end else { unreachable!("{end:?}") };
        rest = &rest[length..];
        if !rest.is_empty() {
            assert!(theirs.code.is_some_and(is_interim), "{theirs:?}");
            continue;
        }
        assert_eq!(theirs.version, Some(1));
        assert_eq!((Some(ours.status()), Some(ours.reason_phrase())), (theirs.code, theirs.reason));
        assert_eq!(ours.raw_headers().count(), theirs.headers.len());
        for ((name, value), header) in ours.raw_headers().zip(theirs.headers.iter()) {
            assert_eq!(name, header.name);
            check_unfolded(value, header.value);
        }
        return check_acceptance(ours, theirs.headers);
    }
}

/// RFC 9112 §5.2: httparse leaves the line breaks in a folded value.
fn check_unfolded(value: &[u8], folded: &[u8]) {
    if !folded.contains(&b'\n') {
        assert_eq!(value, folded);
        return;
    }
    assert!(!value.contains(&b'\n') && !value.contains(&b'\r'));
    let is_text = |byte: &u8| !byte.is_ascii_whitespace();
    let text = |bytes: &[u8]| bytes.iter().copied().filter(is_text).collect::<Vec<_>>();
    assert_eq!(text(value), text(folded));
}

/// RFC 6455 §4.1: an answer that is accepted has the headers that it must have.
fn check_acceptance(ours: &HandshakeResponse, headers: &[Header<'_>]) {
    let expected = ExpectedResponse {
        accept_key: ACCEPT_KEY,
        subprotocols: &["chat".to_owned()],
        #[cfg(feature = "compression")]
        compression: None,
    };
    let Ok(agreed) = response_head::check(ours, &expected) else { return };
    let values = |name: &str| {
        let found = headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| String::from_utf8_lossy(header.value).to_lowercase()).collect::<Vec<_>>()
    };
    assert!(values("Upgrade").join(",").contains("websocket"));
    assert!(values("Connection").join(",").contains("upgrade"));
    assert_eq!(values("Sec-WebSocket-Accept"), [ACCEPT_KEY.to_lowercase()]);
    assert_eq!(
        values("Sec-WebSocket-Protocol").first().map(|name| name.trim()),
        agreed.subprotocol.as_deref()
    );
    let extensions = values("Sec-WebSocket-Extensions").join(",");
    assert!(extensions.bytes().all(|byte| b" \t,".contains(&byte)), "{extensions}");
}

/// RFC 9110 §15.2: 101 is final, as nothing of HTTP follows.
const fn is_interim(status: u16) -> bool {
    matches!(status, 100 | 102..=199)
}

/// Folded lines are taken from servers (RFC 9112 §5.2).
fn answers() -> ParserConfig {
    let mut config = ParserConfig::default();
    config.allow_obsolete_multiline_headers_in_responses(true);
    config
}

const USUAL: [(&str, &[u8]); 3] =
    [("Upgrade", b"websocket"), ("Connection", b"Upgrade"), ("Sec-WebSocket-Version", b"13")];

/// RFC 6455 §1.3, for the key in the corpus.
const ACCEPT_KEY: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
