//! What a program reads from a request.

use crate::protocol::handshake::request::{HandshakeRequest, USUAL, USUAL_LINES};

use crate::testing::requests::{HEAD, head_and, head_with, request};

/// RFC 6455 §1.3, as a browser sends it.
#[test]
fn a_browsers_request_is_readable() {
    let request = request(
        "GET /chat?room=1&name=%C3%A9 HTTP/1.1\r\n\
         Host: server.example.com:8080\r\n\
         Upgrade: websocket\r\n\
         Connection: keep-alive, Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Origin: http://example.com\r\n\
         Sec-WebSocket-Protocol: chat, superchat\r\n\
         Sec-WebSocket-Version: 13\r\n\
         \r\n",
    );

    assert_eq!(request.resource_name(), "/chat?room=1&name=%C3%A9");
    assert_eq!(request.host(), "server.example.com:8080");
    assert_eq!(request.origin(), Some("http://example.com"));
    assert_eq!(request.key(), b"dGhlIHNhbXBsZSBub25jZQ==");
    assert!(request.subprotocols().eq(["chat", "superchat"]));
    let url = "server.example.com:8080/chat?room=1&name=%C3%A9";
    assert_eq!(request.request_url(false), format!("ws://{url}"));
    assert_eq!(request.request_url(true), format!("wss://{url}"));
}

/// Qt: HSR-03 (path, host and number of headers).
#[test]
fn the_smallest_request_has_five_headers_and_nothing_else() {
    let request = request(HEAD);

    assert_eq!(request.request_url(false), "ws://foo.com/chat");
    assert_eq!(request.raw_headers().count(), 5);
    assert_eq!((request.origin(), request.subprotocols().next()), (None, None));
}

/// Qt: `rawHeader()`, `hasRawHeader()`, `rawHeaderList()`; names in any case (HSR-05).
#[test]
fn headers_are_found_in_any_case_and_listed_in_order() {
    let request = request(&head_and("X-Real-IP: 10.0.0.1\r\nx-real-ip: 10.0.0.2\r\nEmpty:"));

    assert_eq!(request.raw_header("x-REAL-ip"), Some(&b"10.0.0.1"[..]));
    assert_eq!(request.header("X-Real-IP").as_deref(), Some("10.0.0.1"));
    assert_eq!(request.header("Empty").as_deref(), Some(""));
    assert!(request.has_raw_header("empty") && !request.has_raw_header("X-Real"));
    assert_eq!(request.raw_header("X-Real"), None);
    let last: Vec<_> = request.raw_headers().skip(5).collect();
    assert_eq!(last, [("X-Real-IP", &b"10.0.0.1"[..]), ("x-real-ip", b"10.0.0.2"), ("Empty", b"")]);
}

/// RFC 9110 §5.5: bytes from 0x80 have no meaning of their own.
#[test]
fn a_value_that_is_not_utf8_is_shown_as_far_as_it_goes() {
    let head = head_and("X: caf?").into_bytes();
    let head: Vec<u8> = head.into_iter().map(|b| if b == b'?' { 0xe9 } else { b }).collect();
    let (request, _) = crate::testing::requests::outcome(&head).unwrap().unwrap();

    assert_eq!(request.raw_header("X"), Some(&b"caf\xe9"[..]));
    assert_eq!(request.header("X").as_deref(), Some("caf\u{fffd}"));
}

/// Qt: HSR-06, HSR-08: an address without a port stays without one.
#[test]
fn the_host_is_as_it_was_sent() {
    for host in ["localhost:1234", "[::1]:80", "10.0.0.1", "FOO.com:"] {
        let request = request(&head_with("foo.com", host));

        assert_eq!(request.host(), host);
        assert_eq!(request.request_url(true), format!("wss://{host}/chat"));
    }
}

/// Qt: HSR-18; RFC 9112 §3.2.2 and RFC 6455 §3 (an empty path is a slash).
#[test]
fn an_absolute_target_has_its_own_host() {
    let table = [
        ("ws://bar.net:81/a?b=c", "bar.net:81", "/a?b=c"),
        ("http://bar.net/", "bar.net", "/"),
        ("wss://bar.net", "bar.net", "/"),
        ("HTTPS://[::1]?a=/b", "[::1]", "/?a=/b"),
    ];

    for (target, host, resource_name) in table {
        let request = request(&head_with("/chat", target));

        assert_eq!((request.host(), request.resource_name()), (host, resource_name));
        assert_eq!(request.request_url(false), format!("ws://{host}{resource_name}"));
        assert_eq!(request.raw_header("host"), Some(&b"foo.com"[..]));
        assert_eq!(request.raw_headers().count(), 5);
    }
}

/// Logs must not contain passwords.
#[test]
fn debug_output_has_no_header_values_that_may_be_secret() {
    let request = request(&head_and(
        "Origin: http://a.b\r\nAuthorization: Basic c2VjcmV0\r\nCookie: session=secret",
    ));

    let shown = format!("{request:?}");
    for known in ["/chat", "foo.com", "http://a.b", "\"Authorization\"", "\"Cookie\""] {
        assert!(shown.contains(known), "{known} in {shown}");
    }
    assert!(!shown.contains("c2VjcmV0") && !shown.contains("secret"), "{shown}");
}

/// A request keeps its head, but for what nearly all requests have.
#[test]
fn a_request_is_four_words_and_the_text_that_is_its_own() {
    let usual = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n";

    assert!(size_of::<HandshakeRequest>() <= 32);
    assert_eq!(request(HEAD).head.len(), HEAD.len() - usual.len());
    let twice = request(&head_and("Connection: Upgrade"));
    assert_eq!(twice.raw_values("connection").collect::<Vec<_>>(), [b"Upgrade", b"Upgrade"]);
    let mixed = request(&HEAD.replace("Upgrade: websocket", "upgrade: WebSocket"));
    assert_eq!(mixed.raw_header("Upgrade"), Some(&b"WebSocket"[..]));
}

/// RFC 3986 §2: clients send more characters than URLs may have.
#[test]
fn a_target_may_have_every_visible_character() {
    for character in ('!'..='~').filter(|character| *character != '#') {
        for target in [format!("/{character}"), format!("/?{character}")] {
            assert_eq!(request(&head_with("/chat", &target)).resource_name(), target);
        }
    }
}

#[test]
fn usual_lines_are_those_of_the_usual_headers() {
    let lines = USUAL.map(|(name, value)| format!("{name}: {value}\r\n").into_bytes());

    assert_eq!(USUAL_LINES.map(<[u8]>::to_vec), lines);
}
