//! Opening handshakes: what is answered with 101, what is refused, and who is left waiting.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use async_tungstenite::tungstenite::handshake::derive_accept_key;
use slotwork::{EventLoop, WebSocketServer};

use support::raw_peer::{
    self, ACCEPT, Frame, KEY, RawPeer, Response, TEXT, check_good_client, masked,
};
use support::recorder::Recorder;
use support::{DEADLINE, echo, echo_server, listening_server, serve, wait_until};

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

/// Qt: HSR-07 and HSR-12, where the connection ends without an answer.
#[test]
fn heads_over_the_limits_are_refused_as_soon_as_that_is_certain() -> Result<()> {
    let request = raw_peer::request();
    let many = |count| changed("\r\n\r\n", &format!("\r\n{}\r\n", "X: y\r\n".repeat(count)));
    let long_header = |length| changed("\r\n\r\n", &format!("\r\n{:x<length$}\r\n\r\n", "X: "));
    let long_line = |length| changed("/chat", &format!("/{:x<1$}", "", length - REQUEST_LINE));
    let whole = |length: usize| {
        let missing = length - request.len() - 4 * 7002;
        let filler = format!("{:x<7000}\r\n", "X: ").repeat(4);
        let last = missing - 2;
        changed("\r\n\r\n", &format!("\r\n{filler}{:x<last$}\r\n\r\n", "X: "))
    };

    check_accepted(vec![many(95)?, long_header(16_384)?, long_line(8192)?, whole(32 * 1024)?])?;

    let too_large = Refusal { status: 431, close_code: 1009, headers: &[] };
    let mut endless = request.trim_end().to_owned();
    endless.push_str(&"\r\nX: y".repeat(100_000));
    check_refused(
        &too_large,
        vec![many(96)?, long_header(16_385)?, whole(32 * 1024 + 1)?, endless]
            .into_iter()
            .map(String::into_bytes)
            .collect(),
    )?;
    let too_long = Refusal { status: 414, close_code: 1009, headers: &[] };
    check_refused(&too_long, vec![long_line(8193)?.into(), b"GET /".repeat(100_000)])
}

/// The limits are those of the program, for handshakes that begin from then on.
#[test]
fn the_limits_of_a_head_can_be_set() -> Result<()> {
    let server = echo_server()?;
    let (line, header) = (server.max_request_line_size(), server.max_header_line_size());
    ensure!((line, header) == (8 * 1024, 16 * 1024), "{line} {header}");
    let (count, head) = (server.max_header_count(), server.max_header_size());
    ensure!((count, head) == (100, 32 * 1024), "{count} {head}");
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    let port = server.server_port();

    serve(move || {
        let status = |request: String| -> Result<u16> {
            let mut peer = RawPeer::connect(port)?;
            // What is refused need not be read to its end.
            let _ = peer.send(request);
            peer.read_status()
        };
        let line = |length: usize| changed("/chat", &"/x".repeat(length / 2));
        let header = |length| changed("\r\n\r\n", &format!("\r\n{:x<length$}\r\n\r\n", "Cookie: "));
        let many = |count| changed("\r\n\r\n", &format!("\r\n{}\r\n", "X: y\r\n".repeat(count)));
        ensure!((status(line(20_000)?)?, status(header(60_000)?)?) == (414, 431));
        ensure!(status(many(300)?)? == 431);

        server.set_max_request_line_size(30_000);
        server.set_max_header_line_size(60_000);
        server.set_max_header_count(400);
        server.set_max_header_size(100_000);
        ensure!((status(line(20_000)?)?, status(header(60_000)?)?) == (101, 101));
        ensure!(status(many(300)?)? == 101);
        ensure!((status(header(60_001)?)?, status(many(401)?)?) == (431, 431));

        server.set_max_request_line_size(usize::MAX);
        server.set_max_header_line_size(usize::MAX);
        server.set_max_header_size(500);
        ensure!(server.max_request_line_size() == 32 * 1024);
        ensure!((status(header(400)?)?, status(line(400)?)?) == (431, 431));
        check_good_client(port)
    })?;
    let expected = ["refused 414 1009", "refused 431 1009", "refused 431 1009"];
    ensure!(recorder.lines().starts_with(&expected.map(str::to_owned)), "{:?}", recorder.lines());
    Ok(())
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

/// RFC 9110 §15.5.22: health probes and browsers learn what this port is for.
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

/// RFC 6455 §4.2.1 item 5 and §4.2.2: 16 bytes are asked for, and the key is used as it was sent.
#[test]
fn any_key_of_16_bytes_is_accepted_and_answered_as_it_was_sent() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();

    serve(move || {
        // The example of RFC 6455 §4.1, whose unused bits are not zero, and others of its kind.
        for key in
            ["AQIDBAUGBwgJCgsMDQ4PEC==", "AAAAAAAAAAAAAAAAAAAAAB==", "////////////////////+/=="]
        {
            let mut peer = RawPeer::connect(port)?;
            peer.send(changed(KEY, key)?)?;
            let answer = Response { head: peer.read_head()?, body: String::new() };
            let accept = derive_accept_key(key.as_bytes());
            ensure!(answer.has_header("Sec-WebSocket-Accept", &accept), "{key}: {answer:?}");
            peer.check_echo("hello")?;
        }
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
    let server = echo_server()?;
    let port = server.server_port();

    serve(move || {
        for expectation in
            ["Expect: 100-continue", "expect:100-Continue ", "EXPECT: x, 100-continue"]
        {
            let mut peer = RawPeer::connect(port)?;
            peer.send(changed("\r\n\r\n", &format!("\r\n{expectation}\r\n\r\n"))?)?;
            ensure!(peer.read_head()? == "HTTP/1.1 100 Continue\r\n\r\n", "{expectation}");
            peer.expect_upgrade()?;
            peer.check_echo("hello")?;
        }
        let mut refused = RawPeer::connect(port)?;
        refused.send(changed("Upgrade: websocket", "Expect: 100-continue")?)?;
        let answer = refused.read_response()?;
        ensure!(answer.head.starts_with("HTTP/1.1 426 "), "{answer:?}");
        check_good_client(port)
    })
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
    ensure!(server.clients().is_empty() && !server.has_pending_connections());
    Ok(())
}

/// A client that goes away in the middle, with an end or with a reset, is reported; one that never
/// said a word, as port scans and health probes do, is not.
#[test]
fn connections_that_break_off_disturb_nobody() -> Result<()> {
    let server = echo_server()?;
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    let port = server.server_port();

    serve(move || {
        let half = &raw_peer::request()[..60];
        RawPeer::connect(port)?;
        RawPeer::connect(port)?.reset()?;
        let mut peer = RawPeer::connect(port)?;
        peer.send(half)?;
        drop(peer);
        check_good_client(port)?;
        let mut peer = RawPeer::connect(port)?;
        peer.send(half)?;
        // Answered behind it: the server has read the half by now.
        check_good_client(port)?;
        peer.reset()?;
        check_good_client(port)
    })?;

    let good = "new connection";
    recorder.wait_for(&["broken 1006", good, good, "broken 1006", good])
}

/// One that was refused and goes on sending, as fast as it can, takes nobody's time.
#[test]
fn a_refused_peer_that_floods_delays_nobody() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();

    serve(move || {
        let mut flooder = RawPeer::connect(port)?;
        flooder.send("garbage\r\n\r\n")?;
        let flood = std::thread::spawn(move || {
            let until = Instant::now() + 2 * DEADLINE;
            let flood = vec![b'x'; 256 * 1024];
            while Instant::now() < until && flooder.send(&flood).is_ok() {}
            Instant::now() < until
        });
        check_good_client(port)?;
        ensure!(flood.join().is_ok_and(|was_cut| was_cut), "the flood went on");
        Ok(())
    })
}

/// Qt: SRV-20 and SRV-21, where the peer gets no answer and the program no signal.
#[test]
fn silent_and_dripping_peers_are_cut_at_the_deadline() -> Result<()> {
    let server = echo_server()?;
    server.set_handshake_timeout(Some(Duration::from_millis(300)));
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    let port = server.server_port();

    serve(move || {
        let answer = RawPeer::connect(port)?.read_response()?;
        ensure!(answer.head.starts_with("HTTP/1.1 408 "), "{answer:?}");
        ensure!(answer.has_header("Connection", "close"), "{answer:?}");
        drip(&mut RawPeer::connect(port)?)?;
        check_good_client(port)
    })?;

    recorder.wait_for(&["timeout 1006", "timeout 1006", "new connection"])
}

/// Qt: SRV-20, last block.
#[test]
fn the_deadline_is_over_with_the_handshake() -> Result<()> {
    let server = echo_server()?;
    server.set_handshake_timeout(Some(Duration::from_millis(100)));
    let port = server.server_port();

    serve(move || {
        let mut good = RawPeer::open(port)?;
        // Accepted later and cut: the time of the first one is over too.
        RawPeer::connect(port)?.read_response()?;
        good.check_echo("still there")
    })
}

/// Qt: SRV-20, first block; the limit of later connections counts for them only.
#[test]
fn without_a_deadline_a_peer_may_take_its_time() -> Result<()> {
    let server = echo_server()?;
    server.set_handshake_timeout(None);
    let port = server.server_port();

    serve(move || {
        let mut slow = RawPeer::connect(port)?;
        check_good_client(port)?;
        server.set_handshake_timeout(Some(Duration::from_millis(100)));
        RawPeer::connect(port)?.read_response()?;
        slow.shake_hands()?;
        slow.check_echo("at last")
    })
}

/// Qt: SRV-21: no time at all is less than anybody needs, and does no harm.
#[test]
fn a_deadline_of_nothing_is_reported_for_each_peer() -> Result<()> {
    let server = echo_server()?;
    server.set_handshake_timeout(Some(Duration::ZERO));
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    let port = server.server_port();

    serve(move || {
        for _ in 0..2 {
            let answer = RawPeer::connect(port)?.read_response()?;
            ensure!(answer.head.starts_with("HTTP/1.1 408 "), "{answer:?}");
        }
        Ok(())
    })?;

    recorder.wait_for(&["timeout 1006", "timeout 1006"])
}

/// What the answer to a request says, and the error that is reported.
struct Refusal {
    status: u16,
    close_code: u16,
    headers: &'static [(&'static str, &'static str)],
}

impl Refusal {
    fn check(&self, answer: &Response) -> Result<()> {
        ensure!(answer.head.starts_with(&format!("HTTP/1.1 {} ", self.status)), "{answer:?}");
        for (name, value) in self.headers {
            ensure!(answer.has_header(name, value), "{answer:?}");
        }
        let connection = if self.status == 426 { "Upgrade, close" } else { "close" };
        ensure!(answer.has_header("Connection", connection), "{answer:?}");
        ensure!(answer.body.len() < 200, "{answer:?}");
        let length = answer.body.len().to_string();
        let is_whole = answer.has_header("Content-Length", &length);
        ensure!(is_whole || answer.body.is_empty(), "{answer:?}");
        Ok(())
    }
}

/// Sends each request in a connection of its own: each is refused in this way, reported once, and
/// a good client behind it is served.
fn check_refused(refusal: &Refusal, requests: Vec<Vec<u8>>) -> Result<()> {
    let server = echo_server()?;
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    let port = server.server_port();
    let expected = [&*format!("refused {} {}", refusal.status, refusal.close_code), GOOD];
    let expected = expected.repeat(requests.len());

    let answers: Vec<_> =
        serve(move || requests.into_iter().map(|request| ask(port, request)).collect())?;

    for (request, answer) in answers {
        refusal.check(&answer).context(request)?;
    }
    recorder.wait_for(&expected)
}

/// Sends a bad request and returns it with its answer, once a good client was served.
fn ask(port: u16, request: Vec<u8>) -> Result<(String, Response)> {
    let text = request.get(..400).unwrap_or(&request).escape_ascii().to_string();
    let mut peer = RawPeer::connect(port)?;
    let answer = peer.send(request).and_then(|()| peer.read_response());
    let answer = answer.with_context(|| text.clone())?;
    check_good_client(port).with_context(|| format!("after {text}"))?;
    Ok((text, answer))
}

/// Sends each request in a connection of its own: each is accepted and its messages are echoed.
fn check_accepted(requests: Vec<String>) -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();

    serve(move || {
        for request in requests {
            let mut peer = RawPeer::connect(port)?;
            peer.send(&request)?;
            let outcome = peer.expect_upgrade().and_then(|()| peer.check_echo("hello"));
            outcome.with_context(|| request.chars().take(400).collect::<String>())?;
        }
        Ok(())
    })
}

/// The good request with one part of it changed.
fn changed(from: &str, to: &str) -> Result<String> {
    let request = raw_peer::request();
    ensure!(request.contains(from), "{from:?} is not in the request");
    Ok(request.replacen(from, to, 1))
}

fn take_all(server: &WebSocketServer) {
    while let Some(socket) = server.next_pending_connection() {
        echo(&socket);
    }
}

/// Sends a request as slowly as it can without pausing for long, until the server ends it.
fn drip(peer: &mut RawPeer) -> Result<()> {
    let until = Instant::now() + DEADLINE;
    peer.set_read_timeout(Duration::from_millis(20))?;
    for byte in raw_peer::request().bytes().cycle() {
        ensure!(Instant::now() < until, "the server is still waiting");
        match peer.read_some() {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return Ok(()),
        }
        if peer.send([byte]).is_err() {
            return Ok(());
        }
    }
    bail!("the request has an end")
}

const GOOD: &str = "new connection";
/// How long the line of the good request is, without its first path segment.
const REQUEST_LINE: usize = "GET /?room=1 HTTP/1.1".len();
