//! The header of the PROXY protocol in front of a connection, versions 1 and 2.
//!
//! A proxy sends it before anything else, TLS too, with the address of its client. proxy-header parses
//! it; the limits and the signature are checked here, so that other input is refused at its first
//! bytes.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Poll, ready};

use proxy_header::{ParseConfig, Protocol, ProxyHeader};

use crate::net::stream::Stream;

/// The reason for which a connection has no valid header.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It begins with something else, which is described.
    Invalid(&'static str),
    /// It ended before the header was complete.
    Broken(io::Error),
    /// It ended before the first byte: a port scan, a health probe.
    NoData,
}

/// A header that was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The address of the client.
    ///
    /// `None` when the proxy does not know it, or is itself the client.
    pub(crate) client: Option<SocketAddr>,
    /// Its length in bytes.
    pub(crate) length: usize,
}

/// Reads the header; `received` bytes come first.
///
/// Also returns what was received behind it.
pub(crate) async fn read_header(
    stream: &mut Stream,
    mut received: Vec<u8>,
) -> Result<(Option<SocketAddr>, Vec<u8>), Failure> {
    loop {
        if let Some(Header { client, length }) = parse(&received).map_err(Failure::Invalid)? {
            received.drain(..length);
            return Ok((client, received));
        }
        poll_fn(|cx| {
            let mut buffer = [0; READ_SIZE];
            let length = match ready!(stream.poll_read(cx, &mut buffer)) {
                Ok(0) | Err(_) if received.is_empty() => return Poll::Ready(Err(Failure::NoData)),
                Ok(0) => {
                    let end = io::ErrorKind::UnexpectedEof.into();
                    return Poll::Ready(Err(Failure::Broken(end)));
                }
                Ok(length) => length,
                Err(error) => return Poll::Ready(Err(Failure::Broken(error))),
            };
            received.extend(buffer.get(..length).unwrap_or_default());
            Poll::Ready(Ok(()))
        })
        .await?;
    }
}

/// Returns the header in front of the bytes; `None` when it is incomplete.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Header>, &'static str> {
    let begins_as = |signature: &[u8]| {
        let length = signature.len().min(bytes.len());
        bytes.get(..length) == signature.get(..length)
    };
    let has_line = begins_as(LINE_SIGNATURE);
    if !has_line && !begins_as(BINARY_SIGNATURE) {
        return Err("it does not begin with a header of the PROXY protocol");
    }
    let length = if has_line { line_length(bytes)? } else { binary_length(bytes)? };
    let Some(header) = length.and_then(|length| bytes.get(..length)) else { return Ok(None) };
    // Rust's numbers may have a plus sign, those of the protocol may not.
    if has_line && header.contains(&b'+') {
        return Err(MALFORMED);
    }
    match ProxyHeader::parse(header, ParseConfig { include_tlvs: false, ..Default::default() }) {
        Ok((parsed, length)) if length == header.len() => {
            let address = parsed.proxied_address();
            if address.is_some_and(|address| address.protocol != Protocol::Stream) {
                return Err("the header of the PROXY protocol is not for a stream");
            }
            Ok(Some(Header { client: address.map(|address| address.source), length }))
        }
        _ => Err(MALFORMED),
    }
}

/// Returns the length of a header of version 1, a line.
///
/// `None` when it has no end yet.
fn line_length(bytes: &[u8]) -> Result<Option<usize>, &'static str> {
    let line = bytes.get(..LONGEST_LINE).unwrap_or(bytes);
    match line.windows(2).position(|end| end == b"\r\n") {
        Some(end) => Ok(Some(end + 2)),
        None if bytes.len() >= LONGEST_LINE => Err("the header of the PROXY protocol is too long"),
        None => Ok(None),
    }
}

/// Returns the length of a header of version 2; `None` before it is known.
fn binary_length(bytes: &[u8]) -> Result<Option<usize>, &'static str> {
    let Some([high, low]) = bytes.get(BINARY_START - 2..BINARY_START) else { return Ok(None) };
    match BINARY_START + usize::from(u16::from_be_bytes([*high, *low])) {
        length if length > LONGEST_BINARY => Err("the header of the PROXY protocol is too long"),
        length => Ok(Some(length)),
    }
}

const MALFORMED: &str = "the header of the PROXY protocol is malformed";
const LINE_SIGNATURE: &[u8] = b"PROXY ";
const BINARY_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The signature of version 2, command, family and length.
const BINARY_START: usize = 16;
/// The protocol's own maximum.
const LONGEST_LINE: usize = 107;
/// Proxies add some hundred bytes, such as the name in a client's certificate.
const LONGEST_BINARY: usize = 4096;
/// The size of a read, in bytes; behind the header there may be a whole request.
const READ_SIZE: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    /// The client's address in a header, and the bytes behind it.
    fn outcome(bytes: &[u8]) -> Result<Option<(String, usize)>, &'static str> {
        let header = parse(bytes)?;
        Ok(header.map(|Header { client, length }| {
            (client.map(|it| it.to_string()).unwrap_or_default(), bytes.len() - length)
        }))
    }

    fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [BINARY_SIGNATURE, &[command, family], &length, rest].concat()
    }

    const IPV4: [u8; 12] = [1, 1, 1, 1, 2, 2, 2, 2, 0, 80, 1, 187];

    fn valid_headers() -> Vec<(Vec<u8>, &'static str)> {
        let ipv6 = [[0x20; 16].as_slice(), &[0x30; 16], &[0, 80, 1, 187]].concat();
        let address = "[2020:2020:2020:2020:2020:2020:2020:2020]:80";
        vec![
            (b"PROXY TCP4 1.1.1.1 2.2.2.2 80 443\r\n".to_vec(), "1.1.1.1:80"),
            (b"PROXY TCP6 2001:db8::1 ::1 65535 0\r\n".to_vec(), "[2001:db8::1]:65535"),
            (b"PROXY UNKNOWN\r\n".to_vec(), ""),
            (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n".to_vec(), ""),
            (binary(0x21, 0x11, &IPV4), "1.1.1.1:80"),
            (binary(0x21, 0x21, &ipv6), address),
            // With a field behind the addresses.
            (binary(0x21, 0x11, &[IPV4.as_slice(), &[4, 0, 1, 0]].concat()), "1.1.1.1:80"),
            // LOCAL: the proxy's own health check.
            (binary(0x20, 0, &[]), ""),
            (binary(0x20, 0x11, &IPV4), ""),
            (binary(0x21, 0, &[0; 7]), ""),
            (binary(0x21, 0x31, &[b'/'; 216]), ""),
        ]
    }

    #[test]
    fn headers_of_both_versions_are_read_in_any_pieces() {
        for (header, client) in valid_headers() {
            for behind in ["", "G", "GET / HTTP/1.1\r\n\r\n", "PROXY UNKNOWN\r\n"] {
                let bytes = [&header, behind.as_bytes()].concat();
                let expected = Ok(Some((client.to_owned(), behind.len())));
                assert_eq!(outcome(&bytes), expected, "{}", bytes.escape_ascii());
            }
            for length in 0..header.len() {
                let part = &header[..length];
                assert_eq!(outcome(part), Ok(None), "{}", part.escape_ascii());
            }
        }
    }

    #[test]
    fn what_is_not_a_header_is_refused_at_its_first_bytes() {
        for bytes in
            ["G", "PRI", "PROXYX", "PROXY\t", "\r\n\r\nG", "\n", "\x16\x03\x01", "PROXY_TCP4"]
        {
            assert!(outcome(bytes.as_bytes()).is_err(), "{}", bytes.escape_debug());
        }
        for line in [
            "PROXY \r\n",
            "PROXY TCP4\r\n",
            "PROXY TCP4 1.1.1.1 2.2.2.2 80\r\n",
            "PROXY TCP4 1.1.1.1 2.2.2.2 80 443 1\r\n",
            "PROXY TCP4 1.1.1.1  2.2.2.2 80 443\r\n",
            "PROXY  TCP4 1.1.1.1 2.2.2.2 80 443\r\n",
            "PROXY TCP4 01.1.1.1 2.2.2.2 80 443\r\n",
            "PROXY TCP4 1.1.1.1 2.2.2.2 +80 443\r\n",
            "PROXY TCP4 1.1.1.1 2.2.2.2 80 65536\r\n",
            "PROXY TCP4 ::1 ::1 80 443\r\n",
            "PROXY TCP6 1.1.1.1 2.2.2.2 80 443\r\n",
            "PROXY TCP5 1.1.1.1 2.2.2.2 80 443\r\n",
            "PROXY tcp4 1.1.1.1 2.2.2.2 80 443\r\n",
            "PROXY TCP4 1.1.1.1 2.2.2.2 80 443\n\r\n",
        ] {
            assert!(outcome(line.as_bytes()).is_err(), "{}", line.escape_debug());
        }
        for header in [
            binary(0x11, 0x11, &IPV4),
            binary(0x22, 0x11, &IPV4),
            binary(0x21, 0x12, &IPV4),
            binary(0x21, 0x41, &IPV4),
            binary(0x21, 0x11, &IPV4[..11]),
            binary(0x21, 0x21, &IPV4),
            binary(0x21, 0x31, &IPV4),
        ] {
            assert!(outcome(&header).is_err(), "{}", header.escape_ascii());
        }
    }

    #[test]
    fn headers_without_an_end_are_refused_at_the_limit() {
        let endless = [b"PROXY UNKNOWN ".as_slice(), &[b'a'; LONGEST_LINE]].concat();
        assert_eq!(outcome(&endless[..LONGEST_LINE - 1]), Ok(None));
        assert!(outcome(&endless[..LONGEST_LINE]).is_err());

        let longest = binary(0x20, 0, &[0; LONGEST_BINARY - BINARY_START]);
        assert_eq!(outcome(&longest), Ok(Some((String::new(), 0))));
        let longer = binary(0x20, 0, &[0; LONGEST_BINARY - BINARY_START + 1]);
        assert!(outcome(&longer[..BINARY_START]).is_err());
    }

    /// Random bytes, and valid headers with some bytes changed, break no promise.
    #[test]
    fn random_headers_break_no_promise() {
        let mut random = Random(2_024);
        let valid = valid_headers();
        for _ in 0..200_000 {
            let mut bytes = valid[random.below(valid.len())].0.clone();
            for _ in 0..=random.below(3) {
                let place = random.below(bytes.len());
                bytes[place] = *b"PROXY TCP46UNKNOWN 0123456789.:\r\n+\0\x20\x21\xff"
                    .get(random.below(45))
                    .unwrap_or(&0);
            }
            bytes.truncate(random.below(bytes.len() + 60));

            let whole = parse(&bytes);

            if let Ok(Some(header)) = &whole {
                assert!(header.length <= bytes.len() && header.length <= LONGEST_BINARY);
                assert_eq!(parse(&bytes[..header.length]), whole);
            }
            // The result of the first bytes is that of more of them.
            let part = parse(&bytes[..random.below(bytes.len() + 1)]);
            assert!(part == Ok(None) || part == whole, "{}", bytes.escape_ascii());
        }
    }
}
