//! Reads and checks the head of a server's answer (RFC 6455 §4.1).

use std::mem;

use httparse::{EMPTY_HEADER, ParserConfig, Response, Status};

use crate::protocol::handshake::extensions::{self, AgreedExtensions};
use crate::protocol::handshake::grammar;
#[cfg(feature = "compression")]
use crate::protocol::handshake::permessage_deflate::offer;
use crate::protocol::handshake::request_head::HeadLimits;
use crate::protocol::handshake::response::HandshakeResponse;
#[cfg(feature = "compression")]
use crate::types::compression::Compression;

/// Collects the head of the final answer, and skips interim ones.
#[derive(Debug)]
pub(crate) struct ResponseReader {
    /// Only those for the number of headers and for the head apply.
    limits: HeadLimits,
    head: Vec<u8>,
    /// How many bytes have been searched for the end.
    searched: usize,
    /// Where the line that is being read begins.
    line_start: usize,
    /// How many interim answers have been skipped.
    interim: usize,
    /// Proxies answer with HTTP/1.0 too.
    is_of_proxy: bool,
}

/// The values of a request that its answer has to match.
pub(crate) struct ExpectedResponse<'a> {
    /// The accept key that proves that the server has read the key of the request.
    pub(crate) accept_key: &'a str,
    pub(crate) subprotocols: &'a [String],
    /// The settings of which the offers were made, if there were any.
    #[cfg(feature = "compression")]
    pub(crate) compression: Option<&'a Compression>,
}

/// The values of an answer on which both ends agree.
#[derive(Debug)]
pub(crate) struct Agreed {
    pub(crate) subprotocol: Option<String>,
    pub(crate) extensions: AgreedExtensions,
}

impl ResponseReader {
    /// Makes a reader of a server's answer.
    pub(crate) fn new(limits: HeadLimits) -> Self {
        let head = Vec::new();
        Self { limits, head, searched: 0, line_start: 0, interim: 0, is_of_proxy: false }
    }

    /// Makes a reader of the answer to `CONNECT`.
    pub(crate) fn of_proxy(limits: HeadLimits) -> Self {
        Self { is_of_proxy: true, ..Self::new(limits) }
    }

    /// Reads more, and returns the final answer once its head is complete.
    ///
    /// The bytes behind it are returned too.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for people.
    pub(crate) fn read<'b>(
        &mut self,
        mut bytes: &'b [u8],
    ) -> Result<Option<(HandshakeResponse, &'b [u8])>, &'static str> {
        while let Some((response, rest)) = self.read_head(bytes)? {
            // RFC 9110 §15.2: any number of interim answers precedes the final one. 101 is final: it
            // ends what HTTP has to say (§15.2.2).
            if !matches!(response.status(), 100 | 102..=199) {
                return Ok(Some((response, rest)));
            }
            self.interim += 1;
            if self.interim > MAX_INTERIM {
                return Err("more than 100 interim answers precede it");
            }
            bytes = rest;
        }
        Ok(None)
    }

    /// Returns whether nothing has come yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.head.is_empty() && self.interim == 0
    }

    fn read_head<'b>(
        &mut self,
        bytes: &'b [u8],
    ) -> Result<Option<(HandshakeResponse, &'b [u8])>, &'static str> {
        let before = self.head.len();
        let room = self.limits.head.saturating_sub(before);
        self.head.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        let Some(end) = self.find_end()? else {
            if self.head.len() >= self.limits.head {
                return Err("its head is too long");
            }
            // What does not begin as HTTP will not become HTTP.
            let is_http = HTTP.starts_with(self.head.get(..HTTP.len()).unwrap_or(&self.head));
            return if is_http { Ok(None) } else { Err("it is not HTTP") };
        };
        let head = mem::take(&mut self.head);
        (self.searched, self.line_start) = (0, 0);
        let response = self.parse(head.get(..end).unwrap_or_default())?;
        Ok(Some((response, bytes.get(end - before..).unwrap_or_default())))
    }

    /// Returns where the head ends, which is behind its first empty line.
    ///
    /// RFC 9112 §2.2: a line may end with a bare LF. A CR is a part of a line end or an error.
    fn find_end(&mut self) -> Result<Option<usize>, &'static str> {
        while let Some(byte) = self.head.get(self.searched) {
            let line = self.head.get(self.line_start..self.searched).unwrap_or_default();
            self.searched += 1;
            match (byte, line) {
                (b'\n', b"" | b"\r") => return Ok(Some(self.searched)),
                (b'\n', _) => self.line_start = self.searched,
                (_, [.., b'\r']) => return Err("one of its lines contains a CR"),
                _ => {}
            }
        }
        Ok(None)
    }

    fn parse(&self, head: &[u8]) -> Result<HandshakeResponse, &'static str> {
        // No header has fewer than two bytes.
        let mut headers = vec![EMPTY_HEADER; self.limits.headers.min(head.len() / 2)];
        let mut response = Response::new(&mut headers);
        let mut config = ParserConfig::default();
        config.allow_obsolete_multiline_headers_in_responses(true);
        match config.parse_response(&mut response, head) {
            Ok(Status::Complete(_)) => {}
            Ok(Status::Partial) => return Err("the head breaks off"),
            Err(httparse::Error::TooManyHeaders) => return Err("it has too many headers"),
            Err(_) => return Err("it is not HTTP"),
        }
        // RFC 6455 §4.1 speaks of HTTP/1.1; what httparse calls version 1 is that.
        if response.version != Some(1) && !self.is_of_proxy {
            return Err("it is not HTTP/1.1");
        }
        let headers = response.headers.iter();
        let headers = headers.map(|header| (header.name.to_owned(), unfold(header.value)));
        Ok(HandshakeResponse {
            status: response.code.unwrap_or_default(),
            reason: response.reason.unwrap_or_default().to_owned(),
            headers: headers.collect(),
            body: Vec::new(),
        })
    }
}

/// RFC 9112 §5.2: a user agent replaces each fold of a value with a space.
fn unfold(value: &[u8]) -> Vec<u8> {
    let lines = value.split(|byte| *byte == b'\n');
    let lines = lines.map(|line| grammar::trim(line.strip_suffix(b"\r").unwrap_or(line)));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(&b' ')
}

/// Checks an answer with status 101, and returns what it has chosen.
///
/// # Errors
///
/// What is wrong with it, for people.
pub(crate) fn check(
    response: &HandshakeResponse,
    expected: &ExpectedResponse<'_>,
) -> Result<Agreed, &'static str> {
    if !has_member(response, "Upgrade", "websocket") {
        return Err("it has no Upgrade header that says websocket");
    }
    if !has_member(response, "Connection", "upgrade") {
        return Err("it has no Connection header that says Upgrade");
    }
    let mut accept_keys = response.raw_values("Sec-WebSocket-Accept");
    match (accept_keys.next(), accept_keys.next()) {
        (Some(key), None) if key == expected.accept_key.as_bytes() => {}
        (Some(_), None) => {
            return Err("its Sec-WebSocket-Accept does not fit the key of the request");
        }
        (Some(_), Some(_)) => return Err("it has two Sec-WebSocket-Accept headers"),
        (None, _) => return Err("it has no Sec-WebSocket-Accept header"),
    }
    let extensions = check_extensions(response, expected)?;
    Ok(Agreed { subprotocol: check_subprotocol(response, expected)?, extensions })
}

fn check_subprotocol(
    response: &HandshakeResponse,
    expected: &ExpectedResponse<'_>,
) -> Result<Option<String>, &'static str> {
    let mut chosen = response.raw_values("Sec-WebSocket-Protocol");
    let Some(subprotocol) = chosen.next() else { return Ok(None) };
    let is_offered = |subprotocol: &[u8]| {
        expected.subprotocols.iter().any(|offered| offered.as_bytes() == subprotocol)
    };
    if chosen.next().is_some() || !is_offered(subprotocol) {
        return Err("it has a subprotocol that was not requested");
    }
    Ok(std::str::from_utf8(subprotocol).ok().map(str::to_owned))
}

/// RFC 6455 §4.1: the client fails the connection if one was not requested.
#[cfg_attr(not(feature = "compression"), expect(unused_variables, reason = "none is requested"))]
fn check_extensions(
    response: &HandshakeResponse,
    expected: &ExpectedResponse<'_>,
) -> Result<AgreedExtensions, &'static str> {
    let mut headers = response.raw_values(extensions::HEADER);
    #[cfg(feature = "compression")]
    if let Some(settings) = expected.compression {
        let compression = offer::check(headers, settings)?.map(Box::new);
        return Ok(AgreedExtensions { compression });
    }
    match headers.find_map(|value| extensions::members(value).next()) {
        None => Ok(AgreedExtensions::default()),
        Some(None) => Err(extensions::MALFORMED_ANSWER),
        Some(Some(_)) => Err(extensions::NOT_REQUESTED),
    }
}

/// Returns whether a list header has a member (case-insensitive).
fn has_member(response: &HandshakeResponse, header: &str, member: &str) -> bool {
    let mut members = response.raw_values(header).flat_map(grammar::list_members);
    members.any(|found| found.eq_ignore_ascii_case(member.as_bytes()))
}

const HTTP: &[u8] = b"HTTP/";
/// How many interim answers are skipped.
const MAX_INTERIM: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    fn read(
        bytes: &[u8],
        size: usize,
    ) -> Result<Option<(HandshakeResponse, Vec<u8>)>, &'static str> {
        let mut reader = ResponseReader::new(HeadLimits::default());
        for (place, piece) in bytes.chunks(size).enumerate() {
            if let Some((response, rest)) = reader.read(piece)? {
                let behind = bytes.get((place + 1) * size..).unwrap_or_default();
                return Ok(Some((response, [rest, behind].concat())));
            }
        }
        Ok(None)
    }

    fn check_headers(headers: &str) -> Result<Option<String>, &'static str> {
        let head = format!("HTTP/1.1 101 Switching Protocols\r\n{headers}\r\n");
        let (response, _) = read(head.as_bytes(), 7)?.unwrap();
        let subprotocols = ["chat".to_owned(), "v2".to_owned()];
        let expected = ExpectedResponse {
            accept_key: ACCEPT,
            subprotocols: &subprotocols,
            #[cfg(feature = "compression")]
            compression: None,
        };
        check(&response, &expected).map(|agreed| agreed.subprotocol)
    }

    fn good() -> String {
        format!("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {ACCEPT}\r\n")
    }

    /// Qt: CLI-13, CLI-21.
    #[test]
    fn an_answer_comes_in_pieces_of_any_size() {
        let answer =
            b"HTTP/1.1 404 Not Found\r\nServer: x\r\nSet-Cookie: a\r\nset-cookie: b\r\n\r\nbehind";
        for size in 1..answer.len() {
            let (response, behind) = read(answer, size).unwrap().unwrap();
            assert_eq!((response.status(), response.reason_phrase()), (404, "Not Found"));
            assert_eq!(response.header("SERVER").as_deref(), Some("x"));
            assert_eq!(response.raw_values("Set-Cookie").collect::<Vec<_>>(), [b"a", b"b"]);
            assert_eq!(behind, b"behind", "pieces of {size}");
        }
    }

    /// RFC 9110 §15.2, in pieces of any size; each has limits of its own.
    #[test]
    fn interim_answers_are_skipped() {
        let interim = format!("HTTP/1.1 103 x\nX: {}\n y\n\n", "x".repeat(900));
        let answer = [&interim.repeat(40), "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 404 y\r\n\r\nbehind"];
        let answer = answer.concat();
        for size in [1, 2, 7, 1000, 5000, answer.len()] {
            let (response, behind) = read(answer.as_bytes(), size).unwrap().unwrap();
            assert_eq!((response.status(), response.reason_phrase()), (404, "y"));
            assert_eq!((response.headers.len(), &*behind), (0, &b"behind"[..]), "pieces of {size}");
        }
        let many = |count| "HTTP/1.1 199 x\r\n\r\n".repeat(count);
        assert_eq!(read(many(100).as_bytes(), 999), Ok(None));
        let endless = read(many(101).as_bytes(), 999);
        assert_eq!(endless, Err("more than 100 interim answers precede it"));
    }

    /// RFC 9112 §2.2 and §5.2.
    #[test]
    fn lines_may_be_folded_or_end_with_lf() {
        let read = |head: &str, size| read(head.as_bytes(), size).unwrap().unwrap().0;
        for (lines, expected) in [
            ("X: a\r\n b\r\n", "a b"),
            ("X: a \n\t \n\tb\t\n", "a b"),
            ("X:\r\n a\r\n", "a"),
            ("X:\n \n", ""),
        ] {
            for (size, end) in [(1, "\n"), (3, "\r\n"), (999, "\n")] {
                let found = read(&format!("HTTP/1.1 101 x{end}{lines}Y: z{end}{end}"), size);
                assert_eq!(found.header("X").as_deref(), Some(expected), "{lines:?}");
                assert_eq!(found.header("Y").as_deref(), Some("z"), "{lines:?}");
            }
        }
    }

    /// CLIENT-02; Qt: CLI-16 hangs.
    #[test]
    fn what_is_no_http_answer_is_refused_at_once() {
        assert_eq!(read(b"SSH-2.0", 1), Err("it is not HTTP"));
        assert_eq!(read(b"HTTP/1.0 101 x\r\n\r\n", 9), Err("it is not HTTP/1.1"));
        assert_eq!(read(b"HTTP/1.1 101 x\r\n folded\r\n\r\n", 9), Err("it is not HTTP"));
        assert_eq!(read(b"\r\nHTTP/1.1 101 x\r\n\r\n", 99), Err("the head breaks off"));
        assert_eq!(read(b"HTTP/1.1 101 x\rX", 1), Err("one of its lines contains a CR"));
        let long = [&b"HTTP/1.1 101 x\r\nX: "[..], &vec![b'x'; 32 * 1024]].concat();
        assert_eq!(read(&long, 1000), Err("its head is too long"));
        let many = format!("HTTP/1.1 101 x\r\n{}\r\n", "X: y\r\n".repeat(101));
        assert_eq!(read(many.as_bytes(), 1000), Err("it has too many headers"));
        assert_eq!(read(b"HTTP/1.1 101 x\r\n", 100), Ok(None));
    }

    /// RFC 6455 §4.1; Qt: CLI-11, CLI-14.
    #[test]
    fn a_good_answer_is_accepted() {
        let mixed = format!(
            "upgrade: WebSocket\r\nConnection: keep-alive, UPGRADE\r\nSec-WebSocket-Accept: {ACCEPT}\r\n"
        );
        assert_eq!(check_headers(&good()), Ok(None));
        assert_eq!(check_headers(&mixed), Ok(None));
        let chosen = good() + "Sec-WebSocket-Protocol: v2\r\n";
        assert_eq!(check_headers(&chosen), Ok(Some("v2".into())));
    }

    /// RFC 6455 §4.1; CLIENT-02; Qt: CLI-15, CLI-16, CLI-17.
    #[test]
    fn an_answer_that_does_not_fit_is_refused() {
        let table = [
            (good().replace("websocket", "h2c"), "it has no Upgrade header that says websocket"),
            (
                good().replace(": Upgrade", ": close"),
                "it has no Connection header that says Upgrade",
            ),
            (
                good().replace("s3p", "S3p"),
                "its Sec-WebSocket-Accept does not fit the key of the request",
            ),
            (good().replace("-Accept", "-Key"), "it has no Sec-WebSocket-Accept header"),
            (
                good() + &format!("Sec-WebSocket-Accept: {ACCEPT}\r\n"),
                "it has two Sec-WebSocket-Accept headers",
            ),
            (
                good() + "Sec-WebSocket-Extensions: permessage-deflate\r\n",
                "it has an extension that was not requested",
            ),
            (
                good() + "Sec-WebSocket-Extensions: permessage-deflate;\r\n",
                "its Sec-WebSocket-Extensions header is malformed",
            ),
            (
                good() + "Sec-WebSocket-Protocol: v3\r\n",
                "it has a subprotocol that was not requested",
            ),
            (
                good() + "Sec-WebSocket-Protocol: v2\r\nSec-WebSocket-Protocol: chat\r\n",
                "it has a subprotocol that was not requested",
            ),
        ];
        for (headers, error) in table {
            assert_eq!(check_headers(&headers), Err(error), "{headers}");
        }
    }
}
