//! Fuzz target: PROXY headers, `Forwarded` and `X-Forwarded-For`.

use std::net::{IpAddr, SocketAddr};

use smol::future::{block_on, poll_once};

use crate::net::proxy_protocol::{Failure, Header, parse, read_header};
use crate::protocol::handshake::forwarded;
use crate::protocol::handshake::request::HandshakeRequest;
use crate::testing::requests::{HEAD, read};
use crate::testing::scripted_stream::scripted_stream;

/// The first byte chooses PROXY headers, and the size of reads, or HTTP headers.
pub fn proxy_header(data: &[u8]) {
    let Some((&choice, bytes)) = data.split_first() else { return };
    if choice & 0x80 == 0 {
        check_proxy_header(bytes, usize::from(choice) + 1);
    } else {
        check_forwarded(bytes);
    }
}

fn check_proxy_header(bytes: &[u8], piece_size: usize) {
    let outcome = parse(bytes);

    // A header, or what is none, is recognized at one byte, and remains the same with more of them.
    let mut decided = None;
    for length in 0..=bytes.len() {
        let part = parse(bytes.get(..length).unwrap_or_default());
        match &decided {
            Some(decided) => assert_eq!(part, *decided, "with {length} bytes"),
            None if part != Ok(None) => decided = Some(part),
            None => {}
        }
    }
    assert_eq!(decided.unwrap_or(Ok(None)), outcome);
    match &outcome {
        Ok(None) => assert!(bytes.len() < LONGEST_HEADER, "{} bytes are kept", bytes.len()),
        Ok(Some(header)) => {
            assert!(header.length <= LONGEST_HEADER);
            assert_eq!(
                model_of(bytes.get(..header.length).unwrap_or_default()),
                Some(header.client)
            );
            header.client.into_iter().for_each(check_written_again);
        }
        Err(_) => {}
    }
    check_stream(bytes, piece_size, outcome);
}

/// Reads the client of a header with other code; `None` when that is malformed.
#[expect(clippy::option_option, reason = "as in the header: a client is known, or it is not")]
fn model_of(header: &[u8]) -> Option<Option<SocketAddr>> {
    if let Some(line) = header.strip_prefix(b"PROXY ") {
        // What follows is ignored, up to the end of the line.
        if line.starts_with(b"UNKNOWN") {
            return Some(None);
        }
        let line = std::str::from_utf8(line).ok()?.strip_suffix("\r\n")?;
        let fields: Vec<_> = line.split(' ').collect();
        let [family, source, _, port, _] = *fields else { return None };
        let ip = match family {
            "TCP4" => IpAddr::V4(source.parse().ok()?),
            "TCP6" => IpAddr::V6(source.parse().ok()?),
            _ => return None,
        };
        return Some(Some(SocketAddr::new(ip, port.parse().ok()?)));
    }
    let [command, family, _, _, rest @ ..] = header.get(12..)? else { return None };
    let (ip, ports) = match (command, family) {
        (0x21, 0x11) => (IpAddr::from(*rest.first_chunk::<4>()?), rest.get(8..)?),
        (0x21, 0x21) => (IpAddr::from(*rest.first_chunk::<16>()?), rest.get(32..)?),
        (0x20 | 0x21, _) => return Some(None),
        _ => return None,
    };
    Some(Some(SocketAddr::new(ip, u16::from_be_bytes(*ports.first_chunk()?))))
}

/// Checks that an address is read from headers that this writes.
fn check_written_again(client: SocketAddr) {
    let (family, other) = if client.is_ipv4() { ("4", "2.2.2.2") } else { ("6", "::2") };
    let (ip, port) = (client.ip(), client.port());
    let line = format!("PROXY TCP{family} {ip} {other} {port} 0\r\n");
    let binary = match ip {
        IpAddr::V4(ip) => [&[0x21, 0x11, 0, 12], &ip.octets()[..], &[2; 4]].concat(),
        IpAddr::V6(ip) => [&[0x21, 0x21, 0, 36], &ip.octets()[..], &[2; 16]].concat(),
    };
    let ports = [port.to_be_bytes(), [0; 2]].concat();
    let binary = [b"\r\n\r\n\0\r\nQUIT\n".as_slice(), &binary, &ports].concat();
    for header in [line.into_bytes(), binary] {
        let length = header.len();
        assert_eq!(parse(&header), Ok(Some(Header { client: Some(client), length })));
    }
}

/// Checks the same over a stream, with the bytes behind the header.
fn check_stream(bytes: &[u8], piece_size: usize, outcome: Result<Option<Header>, &'static str>) {
    let Ok((mut stream, peer)) = scripted_stream() else { return };
    let mut reading = Box::pin(read_header(&mut stream, Vec::new()));
    let mut sent = 0;
    let mut found = None;
    for piece in bytes.chunks(piece_size) {
        peer.send(piece);
        sent += piece.len();
        found = block_on(poll_once(&mut reading));
        if found.is_some() {
            break;
        }
    }
    if found.is_none() {
        peer.end();
        found = block_on(poll_once(&mut reading));
    }
    match (found, outcome) {
        (Some(Ok((client, rest))), Ok(Some(header))) => {
            assert_eq!(client, header.client);
            assert_eq!(bytes.get(header.length..sent), Some(&*rest));
        }
        (Some(Err(Failure::Invalid(reason))), Err(expected)) => assert_eq!(reason, expected),
        (Some(Err(Failure::Broken(_))), Ok(None)) => assert!(!bytes.is_empty()),
        (Some(Err(Failure::NoData)), Ok(None)) => assert!(bytes.is_empty()),
        (found, outcome) => unreachable!("{found:?} instead of {outcome:?}"),
    }
}

/// Checks the headers of an HTTP proxy; the bytes are lines of a request.
fn check_forwarded(lines: &[u8]) {
    let Some(request) = request_with(lines) else { return };
    let client = client_of(&request);
    let is_proxy = client.is_some_and(is_trusted);
    let headers = [("X-Forwarded-For", ""), ("Forwarded", "for=")];

    for (place, (name, prefix)) in headers.into_iter().enumerate() {
        // If both headers are there, they may contradict each other.
        if request.has_raw_header(headers[1 - place].0) {
            continue;
        }
        let appended = |address: &str| {
            let line = format!("\r\n{name}: {prefix}{address}");
            request_with(&[lines, line.as_bytes()].concat()).map(|request| client_of(&request))
        };
        // What a trusted proxy has appended counts, whatever stands on the left of it.
        let other = Some(IpAddr::from([1, 1, 1, 1]));
        assert!(appended("1.1.1.1").is_none_or(|seen| seen == other), "{name}");
        // A proxy in front of the others changes nothing.
        if request.has_raw_header(name) && !is_proxy {
            assert!(appended("10.0.0.1").is_none_or(|seen| seen == client), "{name}");
        }
    }
    // What is reported is read alike in both forms.
    if let Some(client) = client {
        let node = if client.is_ipv6() { format!("\"[{client}]\"") } else { client.to_string() };
        for line in [format!("X-Forwarded-For: {client}"), format!("Forwarded: for={node}")] {
            let again = request_with(line.as_bytes()).and_then(|request| client_of(&request));
            assert_eq!(again, Some(client), "{line}");
        }
    }
}

/// Returns a request with these lines, if it is valid and ends with them.
fn request_with(lines: &[u8]) -> Option<HandshakeRequest> {
    let head = HEAD.strip_suffix("\r\n").unwrap_or(HEAD).as_bytes();
    let bytes = [head, lines, b"\r\n\r\n"].concat();
    let (request, rest) = read(&mut [&*bytes].into_iter()).ok()??;
    rest.is_empty().then_some(request)
}

/// Returns the client of a request that a proxy has forwarded.
fn client_of(request: &HandshakeRequest) -> Option<IpAddr> {
    forwarded::client_address(request, Some(IpAddr::from([10, 0, 0, 9])), is_trusted)
}

fn is_trusted(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(ip) if ip.octets()[0] == 10)
}

/// The longest header, in bytes.
const LONGEST_HEADER: usize = 4096;
