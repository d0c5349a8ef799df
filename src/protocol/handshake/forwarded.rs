//! The address of a client behind proxies: `Forwarded` and `X-Forwarded-For`.
//!
//! Each proxy appends the address of its peer. What a client has sent stands on the left of what the
//! trusted proxies have appended, so the fields are read from the right.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::protocol::handshake::grammar;
use crate::protocol::handshake::request::HandshakeRequest;

/// Returns the address of the client that is behind a trusted proxy.
///
/// `None` when the proxies do not report it: an address is hidden or malformed, or both headers
/// exist and differ, as one of them is then the client's. Without both it is the proxy itself, if that
/// has an address.
pub(crate) fn client_address(
    request: &HandshakeRequest,
    proxy: Option<IpAddr>,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> Option<IpAddr> {
    let standard = client_of(request, "Forwarded", &is_trusted, forwarded_nodes);
    let usual = client_of(request, "X-Forwarded-For", &is_trusted, |line| {
        Some(grammar::list_members(line).map(node_address).collect())
    });
    match (standard, usual) {
        (None, None) => proxy,
        (Some(client), None) | (None, Some(client)) => client.ok(),
        (Some(client), Some(other)) => client.ok().filter(|_| client == other),
    }
}

/// The proxies hide the client, or their report is malformed.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Hidden;

/// Returns the client that a header reports; `None` if there is no such header.
fn client_of(
    request: &HandshakeRequest,
    name: &str,
    is_trusted: &impl Fn(IpAddr) -> bool,
    nodes: impl Fn(&[u8]) -> Option<Vec<Option<IpAddr>>>,
) -> Option<Result<IpAddr, Hidden>> {
    let lines: Vec<_> = request.raw_values(name).collect();
    let mut client = None;
    for line in lines.iter().rev() {
        let Some(nodes) = nodes(line) else { return Some(Err(Hidden)) };
        for node in nodes.into_iter().rev() {
            client = Some(node.ok_or(Hidden));
            if !node.is_some_and(is_trusted) {
                return client;
            }
        }
    }
    // All are trusted: the first one is the client, if there is any.
    client
}

/// Returns the address of each element of a `Forwarded` field (RFC 7239 §4).
///
/// `None` when the field is malformed: then nothing in it can be told apart.
fn forwarded_nodes(line: &[u8]) -> Option<Vec<Option<IpAddr>>> {
    let (mut nodes, mut rest) = (Vec::new(), grammar::trim(line));
    while !rest.is_empty() {
        let (mut node, mut has_pair, mut has_node) = (None, false, false);
        loop {
            if grammar::leading_token(rest) > 0 {
                let (name, value, behind) = split_pair(rest)?;
                has_pair = true;
                if name.eq_ignore_ascii_case(b"for") {
                    // §4: each parameter occurs once.
                    if std::mem::replace(&mut has_node, true) {
                        return None;
                    }
                    node = node_address(&value);
                }
                rest = behind;
            }
            match rest.split_first() {
                Some((b';', behind)) => rest = grammar::trim(behind),
                Some((b',', behind)) => {
                    rest = grammar::trim(behind);
                    break;
                }
                Some(_) => return None,
                None => break,
            }
        }
        if has_pair {
            nodes.push(node);
        }
    }
    Some(nodes)
}

/// A parameter: name, value without quotation marks, and the bytes behind it.
type Pair<'l> = (&'l [u8], Vec<u8>, &'l [u8]);

/// Splits a parameter off, which begins with its name.
fn split_pair(bytes: &[u8]) -> Option<Pair<'_>> {
    let (name, rest) = bytes.split_at(grammar::leading_token(bytes));
    let rest = rest.strip_prefix(b"=")?;
    let (value, rest) = if let Some(quoted) = rest.strip_prefix(b"\"") {
        split_quoted(quoted)?
    } else {
        let (value, rest) = rest.split_at(grammar::leading_token(rest));
        (value.to_vec(), rest)
    };
    Some((name, value, grammar::trim(rest)))
}

/// Splits a quoted string off behind its first quotation mark (RFC 9110 §5.6.4).
fn split_quoted(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (mut value, mut rest) = (Vec::new(), bytes);
    loop {
        match rest {
            [b'"', behind @ ..] => return Some((value, behind)),
            [b'\\', byte, behind @ ..] | [byte, behind @ ..] => {
                value.push(*byte);
                rest = behind;
            }
            [] => return None,
        }
    }
}

/// Returns the address of a node (RFC 7239 §6).
///
/// It has the usual forms of both headers. `None` for `unknown` and obfuscated identifiers.
fn node_address(node: &[u8]) -> Option<IpAddr> {
    let node = std::str::from_utf8(node).ok()?;
    let address = if let Some(rest) = node.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let is_whole = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        address.parse::<Ipv6Addr>().ok().filter(|_| is_whole)?.into()
    } else if let Ok(address) = node.parse::<IpAddr>() {
        address
    } else {
        let (address, port) = node.split_once(':')?;
        address.parse::<Ipv4Addr>().ok().filter(|_| is_port(port))?.into()
    };
    Some(address.to_canonical())
}

/// Returns whether the text is a port, or an obfuscated one (RFC 7239 §6.2).
fn is_port(text: &str) -> bool {
    let is_obfuscated = |name: &str| {
        let is_in_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        !name.is_empty() && name.bytes().all(is_in_name)
    };
    match text.strip_prefix('_') {
        Some(name) => is_obfuscated(name),
        None => (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::requests::{head_and, request};

    const PROXY: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)));

    /// The client of a request with these header lines, behind proxies of 10.0.0.0/8.
    fn client(lines: &str) -> Option<String> {
        let is_trusted = |ip| matches!(ip, IpAddr::V4(ip) if ip.octets()[0] == 10);
        let client = client_address(&request(&head_and(lines)), PROXY, is_trusted);
        client.map(|ip| ip.to_string())
    }

    fn check(name: &str, table: &[(&str, Option<&str>)]) {
        for (value, expected) in table {
            assert_eq!(client(&format!("{name}: {value}")).as_deref(), *expected, "{value}");
        }
    }

    #[test]
    fn x_forwarded_for_is_read_from_the_right() {
        check(
            "X-Forwarded-For",
            &[
                ("1.1.1.1", Some("1.1.1.1")),
                ("9.9.9.9, 1.1.1.1", Some("1.1.1.1")),
                ("unknown, _x, \"a, 1.1.1.1", Some("1.1.1.1")),
                ("9.9.9.9, 1.1.1.1, 10.0.0.2,10.0.0.3", Some("1.1.1.1")),
                ("10.0.0.9, 10.0.0.2", Some("10.0.0.9")),
                ("1.1.1.1:80", Some("1.1.1.1")),
                ("2001:db8::1", Some("2001:db8::1")),
                ("[2001:db8::1]", Some("2001:db8::1")),
                ("[2001:db8::1]:65535, 10.0.0.2:1", Some("2001:db8::1")),
                ("::ffff:1.1.1.1", Some("1.1.1.1")),
                ("1.1.1.1, ::ffff:10.0.0.2", Some("1.1.1.1")),
                (" , 1.1.1.1 ,, ", Some("1.1.1.1")),
                ("1.1.1.1, unknown", None),
                ("1.1.1.1, _hidden", None),
                ("1.1.1.1, 10.0.0.2, _SEVKISEK", None),
                ("1.1.1.1 2.2.2.2", None),
                ("\"1.1.1.1\"", None),
                ("01.1.1.1", None),
                ("1.1.1", None),
                ("1.1.1.1:", None),
                ("1.1.1.1:123456", None),
                ("1.1.1.1:-1", None),
                ("[1.1.1.1]", None),
                ("[::1", None),
                ("[::1]80", None),
                ("fe80::1%eth0", None),
                ("localhost", None),
                ("1.1.1.1\u{e9}", None),
                // No address at all is no report.
                ("", Some("10.0.0.1")),
                (", ,", Some("10.0.0.1")),
            ],
        );
    }

    /// RFC 7239 §4, §6 and §7.1.
    #[test]
    fn forwarded_is_read_from_the_right() {
        check(
            "Forwarded",
            &[
                ("for=1.1.1.1", Some("1.1.1.1")),
                ("For=\"1.1.1.1:80\";proto=https;by=10.0.0.1", Some("1.1.1.1")),
                ("proto=http ; for=1.1.1.1 ;", Some("1.1.1.1")),
                ("for=9.9.9.9, for=1.1.1.1, for=10.0.0.2", Some("1.1.1.1")),
                ("for=\"[2001:db8:cafe::17]:4711\"", Some("2001:db8:cafe::17")),
                ("for=\"[2001:db8:cafe::17]:_port\", for=10.0.0.2", Some("2001:db8:cafe::17")),
                ("for=\"\\1.1.1.1\"", Some("1.1.1.1")),
                ("for=10.0.0.9, for=10.0.0.2", Some("10.0.0.9")),
                ("for=\"a,b;c=\\\"\", for=1.1.1.1", Some("1.1.1.1")),
                ("for=9.9.9.9, host=\"x, for=8.8.8.8\", for=1.1.1.1", Some("1.1.1.1")),
                (", for=1.1.1.1,,", Some("1.1.1.1")),
                ("for=unknown", None),
                ("for=1.1.1.1, for=_hidden", None),
                ("for=1.1.1.1, for=\"_hidden:_x\"", None),
                ("for=1.1.1.1, proto=http", None),
                ("for=1.1.1.1;for=2.2.2.2", None),
                // An unfinished quotation of the client's swallows nothing.
                ("for=\"9.9.9.9, for=1.1.1.1", None),
                ("for=9.9.9.9, for=\"x, for=\"[2001:db8::1]\"", None),
                ("for=9.9.9.9, for=\"x, for=1.1.1.1;proto=\"https\"", None),
                ("for = 1.1.1.1", None),
                ("for", None),
                ("for=1.1.1.1 for=2.2.2.2", None),
                ("for=[::1]", None),
                ("=1.1.1.1", None),
                ("", Some("10.0.0.1")),
            ],
        );
    }

    /// Lines of one name are one list (RFC 9110 §5.3); what is malformed further left does not count.
    #[test]
    fn the_last_line_comes_first() {
        let table = [
            ("X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-For: 1.1.1.1", Some("1.1.1.1")),
            ("X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 10.0.0.2", Some("1.1.1.1")),
            ("X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: _x", None),
            ("Forwarded: for=\"9.9\r\nForwarded: for=1.1.1.1", Some("1.1.1.1")),
            ("Forwarded: for=\"9.9\r\nForwarded: for=10.0.0.2", None),
        ];
        for (lines, expected) in table {
            assert_eq!(client(lines).as_deref(), expected, "{lines}");
        }
    }

    /// One of the two may be the client's, which a proxy that sets the other passes on.
    #[test]
    fn headers_that_differ_are_not_believed() {
        let table = [
            ("Forwarded: for=1.1.1.1\r\nX-Forwarded-For: 1.1.1.1", Some("1.1.1.1")),
            ("Forwarded: for=1.1.1.1\r\nX-Forwarded-For: 2.2.2.2", None),
            ("Forwarded: for=unknown\r\nX-Forwarded-For: 2.2.2.2", None),
            ("Forwarded: for=1.1.1.1\r\nX-Forwarded-For: a", None),
            ("X-Real-IP: 1.1.1.1", Some("10.0.0.1")),
        ];
        for (lines, expected) in table {
            assert_eq!(client(lines).as_deref(), expected, "{lines}");
        }
    }

    /// The cost is linear, and no depth is reached.
    #[test]
    fn many_addresses_are_read() {
        let many = "10.0.0.2,".repeat(1500);
        assert_eq!(client(&format!("X-Forwarded-For: 1.1.1.1,{many}")).as_deref(), Some("1.1.1.1"));
        let many = ",for=10.0.0.2".repeat(1000);
        assert_eq!(client(&format!("Forwarded: for=1.1.1.1{many}")).as_deref(), Some("1.1.1.1"));
    }
}
