//! Requests that are answered with 101, and requests that are refused.

use anyhow::{Context, Result, ensure};
use async_tungstenite::tungstenite::handshake::derive_accept_key;
use slotwork::{EventLoop, WebSocketServer};

use support::raw_peer::{
    self, ACCEPT, Frame, KEY, RawPeer, Response, TEXT, check_good_client, masked,
};
use support::{echo, echo_server, listening_server, serve, wait_until};

use crate::protocol::handshake::{Refusal, changed, check_accepted, check_answered, check_refused};

/// Qt: HSR-14, HSR-15 (a `Date`, which is not asked for), HSR-17; RFC 6455 §4.2.2.
#[test]
fn the_answer_has_the_headers_of_an_upgrade_and_no_others() -> Result<()> {
    let server = echo_server()?;
    server.set_server_name("Ünnamed").unwrap_err();
    let port = server.server_port();

    for (name, lines) in [("Echo Server", 4), ("", 3)] {
        server.set_server_name(name)?;
        let extended = "Sec-WebSocket-Extensions: permessage-deflate\r\n\
                        Sec-WebSocket-Protocol: chat\r\n\r\n";
        let request = changed("\r\n\r\n", &format!("\r\n{extended}"))?;
        let head = serve(move || {
            let mut peer = RawPeer::connect(port)?;
            peer.send(request)?;
            peer.read_head()
        })?;

        let answer = Response { head, body: String::new() };
        ensure!(answer.head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{answer:?}");
        ensure!(answer.has_header("Upgrade", "websocket"), "{answer:?}");
        ensure!(answer.has_header("Connection", "Upgrade"), "{answer:?}");
        ensure!(answer.has_header("Sec-WebSocket-Accept", ACCEPT), "{answer:?}");
        ensure!(answer.has_header("Server", name) != name.is_empty(), "{answer:?}");
        ensure!(answer.head.matches(": ").count() == lines, "{answer:?}");
    }
    Ok(())
}

/// Qt: HSR-03 to HSR-06, HSR-18; RFC 9110 §7.8, RFC 9112 §2.2 and §3.2.2.
#[test]
fn what_http_allows_is_accepted() -> Result<()> {
    let requests = vec![
        changed("Connection: Upgrade", "Connection: keep-alive\r\nConnection: Upgrade")?,
        changed("Connection: Upgrade", "Connection: Upgrade\r\nConnection: Upgrade")?,
        changed("Connection: Upgrade", "connection: Keep-Alive , uPGRADE,x")?,
        changed("Upgrade: websocket", "upgrade:  WebSocket ")?,
        changed("Upgrade: websocket", "Upgrade: h2c\r\nUpgrade: websocket")?,
        changed("Host: 127.0.0.1", "HOST:localhost:1234")?,
        changed("GET /chat?room=1", "GET ws://example.org/chat")?,
        changed("GET ", "\r\nGET ")?,
        changed("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n")?,
        changed("\r\n\r\n", "\r\nX-Old: caf\u{e9}\r\nX-Empty:\r\n\r\n")?,
        changed("\r\n\r\n", "\r\nOrigin: https://example.org\r\n\r\n")?,
        changed("/chat?room=1", "/chât?q=é&r=\u{1F600}")?,
        changed("/chat?room=1", "ws://bücher.example/é")?,
    ];

    check_accepted(requests)
}

/// RFC 6455 §4.2.2; Qt scans the request from its start for each packet.
#[test]
fn requests_that_come_byte_by_byte_get_the_same_answers() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::connect(port)?;
        for byte in raw_peer::request().bytes() {
            peer.send([byte])?;
        }
        peer.expect_upgrade()?;
        peer.check_echo("one byte at a time")?;

        let mut bad_peer = RawPeer::connect(port)?;
        for byte in changed("HTTP/1.1", "HTTP/1.0")?.bytes() {
            bad_peer.send([byte])?;
        }
        let answer = bad_peer.read_response()?;
        ensure!(answer.head.starts_with("HTTP/1.1 505 "), "{answer:?}");
        Ok(())
    })
}

/// Qt: SRV-29 (b), where these frames are lost; RFC 6455 §4.2.2.
#[test]
fn frames_in_the_segment_of_the_request_are_delivered() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::connect(port)?;
        let early = [masked(TEXT, b"one"), masked(TEXT, b"two")].concat();
        peer.send([raw_peer::request().into_bytes(), early].concat())?;
        peer.expect_upgrade()?;
        ensure!(peer.read_frame()? == Frame::text("one"));
        ensure!(peer.read_frame()? == Frame::text("two"));
        peer.check_echo("three")
    })
}

/// Qt: SRV-29 (a) and (b). Some turns of the loop pass before the application takes the socket.
#[test]
fn frames_that_come_before_the_socket_is_taken_are_delivered() -> Result<()> {
    let server = listening_server()?;
    let port = server.server_port();
    let event_loop = EventLoop::current().handle();

    serve(move || {
        let mut peer = RawPeer::connect(port)?;
        peer.send([raw_peer::request().into_bytes(), masked(TEXT, b"in the segment")].concat())?;
        peer.expect_upgrade()?;
        peer.send(masked(TEXT, b"after the answer"))?;
        // Connections are accepted in turn: the loop has been around when this one is answered.
        RawPeer::open(port)?;
        event_loop.post(move || take_all(&server));

        ensure!(peer.read_frame()? == Frame::text("in the segment"));
        ensure!(peer.read_frame()? == Frame::text("after the answer"));
        Ok(())
    })
}

/// Qt: HSR-02, HSR-05, HSR-08, HSR-09 and HSR-13; RFC 9112 §2.2, §3.2, §5.1 and §5.2, RFC 6455
/// §4.2.1. Qt ends the connection without an answer (HSR-10), or accepts it.
#[test]
fn broken_requests_are_answered_with_400() -> Result<()> {
    let host = "Host: 127.0.0.1";
    let key = format!("Sec-WebSocket-Key: {KEY}");
    let requests: Vec<Vec<u8>> = vec![
        // Smuggled bytes.
        changed("\r\n\r\n", "\r\nX: a\0b\r\n\r\n")?.into(),
        changed("\r\n\r\n", "\r\nX: a\rb\r\n\r\n")?.into(),
        changed("\r\n\r\n", "\r\nX: a\nInjected: b\r\n\r\n")?.into(),
        changed("\r\n\r\n", "\r\nX: a\r\n folded\r\n\r\n")?.into(),
        changed("\r\n\r\n", "\r\nX : a\r\n\r\n")?.into(),
        changed("\r\n\r\n", "\r\nno colon\r\n\r\n")?.into(),
        changed("\r\n\r\n", "\r\n: no name\r\n\r\n")?.into(),
        changed("GET", "G\u{c9}T")?.into(),
        [b"GET /\xe4 ", &raw_peer::request().as_bytes()["GET /chat?room=1 ".len()..]].concat(),
        [b"GET /\xc3( ", &raw_peer::request().as_bytes()["GET /chat?room=1 ".len()..]].concat(),
        raw_peer::request().replace("\r\n", "\n").into(),
        // The host.
        changed(&format!("{host}\r\n"), "")?.into(),
        changed(host, &format!("{host}\r\n{host}"))?.into(),
        changed(host, "Host: user@example.org")?.into(),
        changed(host, "Host:")?.into(),
        // The key.
        changed(&format!("{key}\r\n"), "")?.into(),
        changed(&key, &format!("{key}\r\n{key}"))?.into(),
        changed(KEY, "c2hvcnQ=")?.into(),
        changed(KEY, "dGhlIHNhbXBsZSBub25jZ!==")?.into(),
        changed(KEY, "")?.into(),
        // A body.
        [changed("\r\n\r\n", "\r\nContent-Length: 5\r\n\r\n")?.as_bytes(), b"\x81\x83abc"].concat(),
        changed("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")?.into(),
        // The rest.
        changed("Connection: Upgrade", "Connection: keep-alive")?.into(),
        changed("\r\n\r\n", "\r\nOrigin: a\r\nOrigin: b\r\n\r\n")?.into(),
        changed("\r\n\r\n", "\r\nSec-WebSocket-Protocol: a b\r\n\r\n")?.into(),
        changed("HTTP/1.1", "HTTP/1.1 x")?.into(),
        changed("HTTP/1.1", "HTTP/one")?.into(),
        b"garbage\r\n\r\n".to_vec(),
        // The first bytes of a TLS client.
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
    ];

    check_refused(&Refusal { status: 400, close_code: 1002, headers: &[] }, requests)
}

/// Qt: HSR-04 and HSR-11 (answered with 400); RFC 6455 §4.2.2 and §4.4.
#[test]
fn versions_other_than_13_are_answered_with_426_and_the_right_one() -> Result<()> {
    let version = "Sec-WebSocket-Version: 13";
    let requests = vec![
        changed(&format!("{version}\r\n"), "")?.into(),
        changed(version, "Sec-WebSocket-Version: 8")?.into(),
        changed(version, "Sec-WebSocket-Version: 013")?.into(),
        changed(version, "Sec-WebSocket-Version: 8, 13")?.into(),
        changed(version, &format!("{version}\r\n{version}"))?.into(),
        changed(version, "Sec-WebSocket-Version: thirteen")?.into(),
    ];

    let headers = &[("Sec-WebSocket-Version", "13"), ("Upgrade", "websocket")];
    check_refused(&Refusal { status: 426, close_code: 1002, headers }, requests)
}

/// RFC 9110 §15.5.22: health probes and browsers get the protocol of this port.
#[test]
fn plain_http_requests_are_answered_with_426() -> Result<()> {
    let requests = vec![
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        changed("Upgrade: websocket\r\n", "")?.into(),
        changed("Upgrade: websocket", "Upgrade: wabsocket")?.into(),
    ];

    let headers = &[("Upgrade", "websocket")];
    check_refused(&Refusal { status: 426, close_code: 1002, headers }, requests)
}

/// Qt: HSR-09 and HSR-10; RFC 9110 §15.5.6 and §15.6.6.
#[test]
fn other_methods_and_versions_of_http_are_refused() -> Result<()> {
    let allow = &[("Allow", "GET")];
    let post = changed("GET", "POST")?.into();
    let lower_case = changed("GET", "get")?.into();
    check_refused(
        &Refusal { status: 405, close_code: 1002, headers: allow },
        vec![post, lower_case, changed("GET", "HEAD")?.into()],
    )?;

    let (old, new) = (changed("HTTP/1.1", "HTTP/1.0")?, changed("HTTP/1.1", "HTTP/2.0")?);
    let versions = vec![old.into(), new.into()];
    check_refused(&Refusal { status: 505, close_code: 1002, headers: &[] }, versions)
}

/// RFC 6455 §4.2.1 item 5 and §4.2.2: a key has 16 bytes, and is used as it was sent.
#[test]
fn any_key_of_16_bytes_is_accepted_and_answered_as_it_was_sent() -> Result<()> {
    // The example of RFC 6455 §4.1, with unused bits that are not zero, and others of its kind.
    let keys = ["AQIDBAUGBwgJCgsMDQ4PEC==", "AAAAAAAAAAAAAAAAAAAAAB==", "////////////////////+/=="];
    let requests = keys.into_iter().map(|key| changed(KEY, key)).collect::<Result<_>>()?;

    check_answered(requests, |peer, request| {
        let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
        let accept = derive_accept_key(key.context("no key")?.as_bytes());
        let answer = Response { head: peer.read_head()?, body: String::new() };
        ensure!(answer.has_header("Sec-WebSocket-Accept", &accept), "{answer:?}");
        Ok(())
    })
}

/// RFC 3986 §2.1: what no URL contains is shown as URLs have it. Qt accepts these requests, too.
#[test]
fn raw_utf_8_in_the_target_is_shown_percent_encoded() -> Result<()> {
    let server = listening_server()?;
    let port = server.server_port();

    for (target, resource, url) in [
        ("/p?q=é", "/p?q=%C3%A9", "ws://127.0.0.1/p?q=%C3%A9"),
        (
            "/日本?x=%41\"",
            "/%E6%97%A5%E6%9C%AC?x=%41\"",
            "ws://127.0.0.1/%E6%97%A5%E6%9C%AC?x=%41\"",
        ),
        ("ws://a.example?é", "/?%C3%A9", "ws://a.example/?%C3%A9"),
    ] {
        let _peer = serve(move || {
            let mut peer = RawPeer::connect(port)?;
            // Byte by byte: a character may be cut.
            for byte in changed("/chat?room=1", target)?.bytes() {
                peer.send([byte])?;
            }
            peer.expect_upgrade()?;
            Ok(peer)
        })?;

        wait_until(|| server.has_pending_connections())?;
        let socket = server.next_pending_connection().context("no socket")?;
        ensure!(socket.resource_name() == resource, "{}", socket.resource_name());
        ensure!(socket.request_url() == url, "{}", socket.request_url());
        ensure!(socket.request().resource_name() == resource);
    }
    Ok(())
}

/// RFC 9110 §7.8 and §10.1.1: 100 first, then 101; a refusal comes without it.
#[test]
fn an_upgrade_with_an_expectation_is_continued_first() -> Result<()> {
    let lines = ["Expect: 100-continue", "expect:100-Continue ", "EXPECT: x, 100-continue"];
    let requests = lines.map(|line| raw_peer::request_with(&format!("{line}\r\n")));

    check_answered(requests.to_vec(), |peer, _request| {
        let head = peer.read_head()?;
        ensure!(head == "HTTP/1.1 100 Continue\r\n\r\n", "{head}");
        peer.expect_upgrade()
    })?;

    let refused = changed("Upgrade: websocket", "Expect: 100-continue")?.into();
    check_refused(&Refusal { status: 426, close_code: 1002, headers: &[] }, vec![refused])
}

/// RFC 9110 §15.5.22: what docs/porting.md has the health check of a proxy expect.
#[test]
fn a_health_check_over_http_1_1_is_answered_with_426_and_leaves_nothing() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();

    serve(move || {
        for _ in 0..3 {
            let mut check = RawPeer::connect(port)?;
            check.send("GET / HTTP/1.1\r\nhost: chat.example.org\r\nconnection: close\r\n\r\n")?;
            let answer = check.read_response()?;
            ensure!(answer.head.starts_with("HTTP/1.1 426 "), "{answer:?}");
        }
        check_good_client(port)
    })?;
    // The end of the good client may come later.
    wait_until(|| server.clients().is_empty())?;
    ensure!(!server.has_pending_connections());
    Ok(())
}

fn take_all(server: &WebSocketServer) {
    while let Some(socket) = server.next_pending_connection() {
        echo(&socket);
    }
}
