//! Which headers a request must have, and what they may say.

use crate::protocol::handshake::request_rules::is_key;

use crate::protocol::handshake::refusal::Refusal;
use crate::testing::requests::{HEAD, head_and, head_with, refusal, request};

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";

/// Checks that each head is refused as a bad request that is described with these words.
fn assert_bad_requests<const N: usize>(reason: &str, heads: [String; N]) {
    for head in heads {
        let refusal = refusal(&head);

        assert!(matches!(refusal, Refusal::BadRequest(_)), "{refusal:?} for {head:?}");
        assert!(refusal.to_string().contains(reason), "{refusal} for {head:?}");
    }
}

/// RFC 6455 §4.2.1 items 3 and 4; Qt: HSR-03 and HSR-05. Qt refuses `websocket,ftp` (HSR-02);
/// RFC 9110 §7.8 and §5.3 allow lists, and several lines for one list.
#[test]
fn upgrade_and_connection_are_lists_in_one_line_or_several() {
    for head in [
        HEAD.to_owned(),
        head_with("Connection: Upgrade", "Connection: Upgrade,keepalive"),
        head_with("Connection: Upgrade", "Connection: keep-alive, Upgrade"),
        head_with("Connection: Upgrade", "CONNECTION:\tuPGRADE "),
        head_with("Connection: Upgrade", "Connection: keep-alive\r\nconnection: upgrade"),
        head_with("Connection: Upgrade", "Connection: upgrade\r\nConnection: close"),
        head_with("Connection: Upgrade", "Connection: ,, upgrade ,"),
        head_with("Upgrade: websocket", "upgrade:WebSocket"),
        head_with("Upgrade: websocket", "Upgrade: websocket,ftp"),
        head_with("Upgrade: websocket", "Upgrade: h2c\r\nUpgrade: WEBSOCKET"),
    ] {
        assert_eq!(request(&head).resource_name(), "/chat");
    }
}

/// RFC 9110 §15.5.22: a health probe, a browser, or an upgrade to something else. Qt: HSR-10.
#[test]
fn a_request_for_something_else_is_answered_with_upgrade() {
    let probe = "GET / HTTP/1.1\r\nHost: foo.com\r\nUser-Agent: probe/1\r\nAccept: */*\r\n\r\n";

    for head in [
        probe.to_owned(),
        head_with("Upgrade: websocket\r\n", ""),
        head_with("Upgrade: websocket", "Upgrade:"),
        head_with("Upgrade: websocket", "Upgrade: wabsocket"),
        head_with("Upgrade: websocket", "Upgrade: h2c"),
        head_with("Upgrade: websocket", "Upgrade: websocket/13"),
        head_with("Upgrade: websocket", "Upgrade: web socket"),
    ] {
        assert_eq!(refusal(&head), Refusal::UpgradeRequired, "{head}");
    }
}

/// RFC 6455 §4.2.1 item 4; Qt: HSR-02 and HSR-10.
#[test]
fn connection_must_contain_upgrade() {
    assert_bad_requests(
        "Connection header",
        ["", "Connection:\r\n", "Connection: xxxxxxx\r\n", "Connection: keep-alive, upgraded\r\n"]
            .map(|line| head_with("Connection: Upgrade\r\n", line)),
    );
}

/// RFC 6455 §4.2.2 and §4.4. Qt accepts `013` and lists that contain 13 (HSR-04, HSR-11), and
/// refuses a missing version without an answer (HSR-10).
#[test]
fn the_version_must_be_exactly_13() {
    for line in [
        "",
        "Sec-WebSocket-Version:\r\n",
        "Sec-WebSocket-Version: 013\r\n",
        "Sec-WebSocket-Version: 8\r\n",
        "Sec-WebSocket-Version: 99\r\n",
        "Sec-WebSocket-Version: 8, 13\r\n",
        "Sec-WebSocket-Version: 4, 5, 6, 7, 8, 13\r\n",
        "Sec-WebSocket-Version: 13,\r\n",
        "Sec-WebSocket-Version: +13\r\n",
        "Sec-WebSocket-Version: thirteen\r\n",
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13\r\n",
        "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Version: 13\r\n",
    ] {
        let head = head_with("Sec-WebSocket-Version: 13\r\n", line);
        assert_eq!(refusal(&head), Refusal::UnsupportedVersion, "{head}");
    }
    request(&head_with("Sec-WebSocket-Version: 13", "sec-websocket-VERSION:13  "));
}

/// RFC 6455 §4.2.2: the server says which versions it speaks, whatever the key looks like.
#[test]
fn an_unsupported_version_is_reported_before_its_key() {
    let head = head_with(KEY, "Sec-WebSocket-Key: abc").replace("Version: 13", "Version: 14");

    assert_eq!(refusal(&head), Refusal::UnsupportedVersion);
}

/// RFC 6455 §4.2.1 item 5. Qt looks at no key (HSR-09) and accepts two.
#[test]
fn the_key_must_be_there_once_and_encode_16_bytes() {
    assert_bad_requests(
        "Sec-WebSocket-Key",
        [
            String::new(),
            "Sec-WebSocket-Key:\r\n".to_owned(),
            "Sec-WebSocket-Key: abc\r\n".to_owned(),
            "Sec-WebSocket-Key: AVD FBDDFF\r\n".to_owned(),
            format!("{KEY}\r\n{KEY}\r\n"),
            format!("{KEY}, x\r\n"),
        ]
        .map(|lines| head_with(&format!("{KEY}\r\n"), &lines)),
    );
}

/// RFC 4648 §4 and §3.5; RFC 6455 §4.1 has the first one.
#[test]
fn a_key_is_base64_of_16_bytes() {
    for key in [
        "AQIDBAUGBwgJCgsMDQ4PEC==",
        "dGhlIHNhbXBsZSBub25jZQ==",
        "dGhlIHNhbXBsZSBub25jZR==",
        "AAAAAAAAAAAAAAAAAAAAAA==",
        "+/+/+/+/+/+/+/+/+/+/+w==",
        "//////////////////////==",
    ] {
        assert!(is_key(key.as_bytes()), "{key}");
    }
    for key in [
        "",
        "==",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ===",
        "dGhlIHNhbXBsZSBub25jZQAA",
        "dGhlIHNhbXBsZSBub25jZ===",
        "dGhlIHNhbXBsZSBub25jAQ=Q",
        "dGhlIHNhbXBsZSBub25j-_==",
        "dGhlIHNhbXBsZSBub25jIA== ",
        "dGhlIHNhbXBsZS ub25jZQ==",
        "dGhlIHNhbXBsZSBub25jZQAAAA==",
        "dGhlIHNhbXBsZSBub25\u{e9}Q==",
    ] {
        assert!(!is_key(key.as_bytes()), "{key}");
    }
}

/// RFC 9112 §3.2; Qt: HSR-02, HSR-08 and HSR-10.
#[test]
fn there_must_be_one_valid_host() {
    assert_bad_requests(
        "Host header",
        [
            "",
            "Host:\r\n",
            "Host: \t\r\n",
            "Host: foo.com\r\nHost: foo.com\r\n",
            "Host: foo.com\r\nhost: bar.net\r\n",
            "Host: foo.com/\r\n",
            "Host: abc:def@foo.com\r\n",
            "Host: localhost:1234/:1111/none\r\n",
            "Host: foo.com bar.net\r\n",
            "Host: b\u{fc}cher.example\r\n",
        ]
        .map(|lines| head_with("Host: foo.com\r\n", lines)),
    );
    assert_eq!(request(&head_with("foo.com", "[v7.1234]:1234")).host(), "[v7.1234]:1234");
}

/// RFC 9112 §3.2.2: a client sends `Host` with an absolute target too.
#[test]
fn an_absolute_target_does_not_replace_the_host_header() {
    let absolute = head_with("GET /chat", "GET ws://bar.net/chat");

    assert_bad_requests(
        "Host header",
        [absolute.replace("Host: foo.com\r\n", ""), absolute.replace("foo.com", "foo.com/")],
    );
    assert_eq!(request(&absolute).host(), "bar.net");
}

/// RFC 9112 §6.3. Qt takes the body for frames.
#[test]
fn a_request_with_a_body_is_refused() {
    assert_bad_requests(
        "has a body",
        [
            "Content-Length: 5",
            "Content-Length:",
            "Content-Length: 0, 0",
            "Content-Length: -0",
            "Content-Length: 0x0",
            "Content-Length: none",
            "Content-Length: 0\r\nContent-Length: 5",
            "Transfer-Encoding: chunked",
            "transfer-encoding: identity",
            "Transfer-Encoding:",
        ]
        .map(head_and),
    );
    for line in ["Content-Length: 0", "Content-Length: 00"] {
        assert!(request(&head_and(line)).has_raw_header("content-length"), "{line}");
    }
}

/// RFC 6454 §7.2: one `Origin` at most. Whether it is allowed is not decided here.
#[test]
fn there_is_at_most_one_origin_and_it_is_printable() {
    for origin in ["http://foo.com", "null", "", "file://", "a b"] {
        let request = request(&head_and(&format!("Origin: {origin}")));
        assert_eq!(request.origin(), Some(origin));
    }
    assert_bad_requests(
        "Origin header",
        [
            "Origin: http://a\r\nOrigin: http://a",
            "Origin: null\r\norigin:",
            "Origin: http://\u{e9}",
        ]
        .map(head_and),
    );
}

/// RFC 6455 §4.1 item 10 and §11.3.4; Qt: SRV-13 (options and header make two lists).
#[test]
fn subprotocols_keep_their_order_over_several_lines() {
    let table = [
        ("Sec-WebSocket-Protocol: chat", vec!["chat"]),
        ("Sec-WebSocket-Protocol: chat, superchat", vec!["chat", "superchat"]),
        ("Sec-WebSocket-Protocol:chat,superchat", vec!["chat", "superchat"]),
        ("Sec-WebSocket-Protocol: b , ,a\r\nsec-websocket-protocol: A", vec!["b", "a", "A"]),
        ("Sec-WebSocket-Protocol:\r\nSec-WebSocket-Protocol: a", vec!["a"]),
        ("X-Other: chat", vec![]),
    ];

    for (lines, subprotocols) in table {
        assert!(request(&head_and(lines)).subprotocols().eq(subprotocols), "{lines}");
    }
}

/// RFC 6455 §4.1 item 10: tokens, all unique.
#[test]
fn malformed_and_doubled_subprotocols_are_refused() {
    assert_bad_requests(
        "Sec-WebSocket-Protocol",
        [
            "Sec-WebSocket-Protocol:",
            "Sec-WebSocket-Protocol: ,",
            "Sec-WebSocket-Protocol: foo bar",
            "Sec-WebSocket-Protocol: chat, foo{}",
            "Sec-WebSocket-Protocol: \"chat\"",
            "Sec-WebSocket-Protocol: ch\u{e4}t",
            "Sec-WebSocket-Protocol: chat, superchat, chat",
            "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat",
        ]
        .map(head_and),
    );
}

/// RFC 6455 §9.1; Qt: HSR-17. Quoted values, several lines and unknown extensions are valid.
#[test]
fn extensions_are_well_formed_lists() {
    for line in [
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
        "Sec-WebSocket-Extensions: a; b=\"c\"\r\nSec-WebSocket-Extensions: d,, e ; f = g",
        "Sec-WebSocket-Extensions:",
    ] {
        request(&head_and(line));
    }
    assert_bad_requests(
        "Sec-WebSocket-Extensions",
        [
            "Sec-WebSocket-Extensions: caf\u{e9}",
            "Sec-WebSocket-Extensions: ;;==,",
            "Sec-WebSocket-Extensions: permessage-deflate;",
            "Sec-WebSocket-Extensions: a\r\nSec-WebSocket-Extensions: b; c=\"d e\"",
        ]
        .map(head_and),
    );
}
