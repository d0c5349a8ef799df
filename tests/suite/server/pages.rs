//! Pages on the port of a server: `set_page_handler`, `HttpRequest`, `HttpAnswer`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use slotwork::{Error, HttpAnswer, SslMode, WebSocketServer};

use support::raw_peer::{RawPeer, Response, check_good_client, request};
use support::recorder::Recorder;
#[cfg(feature = "tls")]
use support::{certificates::Authority, secure_echo_server, tls_peer::TlsPeer};
use support::{echo_server, listening_server, panic_in_slot, run_until, serve, wait_until};

const GET: &str = "GET /page?a=b HTTP/1.1\r\nHost: example.org\r\n\r\n";

/// A server that echoes, with this handler.
fn server_with(
    handler: impl Fn(&str) -> Option<HttpAnswer> + Send + Sync + 'static,
) -> Result<WebSocketServer> {
    let server = echo_server()?;
    server.set_page_handler(move |_server, request| handler(request.resource_name()));
    Ok(server)
}

/// Sends a request and reads the answer up to the end of the connection; a good client follows.
fn ask(server: &WebSocketServer, request: impl Into<Vec<u8>>) -> Result<Response> {
    let (port, request) = (server.server_port(), request.into());
    serve(move || {
        let mut peer = RawPeer::connect(port)?;
        peer.send(request)?;
        let answer = peer.read_response()?;
        check_good_client(port)?;
        Ok(answer)
    })
}

fn status(answer: &Response) -> &str {
    answer.head.split(' ').nth(1).unwrap_or_default()
}

/// RFC 9112 §9.6: one answer, `Connection: close`, and the end.
#[test]
fn a_page_is_answered_and_the_connection_closed() -> Result<()> {
    let server = server_with(|resource| {
        let answer = HttpAnswer::new(200).header("Content-Type", "text/html");
        Some(answer.header("X-More", "1").body(format!("<p>{resource}</p>")))
    })?;
    server.set_server_name("Test")?;

    let answer = ask(&server, GET)?;

    assert_eq!(
        answer.head,
        "HTTP/1.1 200 OK\r\nConnection: close\r\nServer: Test\r\nContent-Type: text/html\r\n\
         X-More: 1\r\nContent-Length: 16\r\n"
    );
    assert_eq!(answer.body, "<p>/page?a=b</p>");
    Ok(())
}

/// RFC 9110 §9.3.2: the head of GET, with its length, and no body. RFC 9112 §3.2: HTTP/1.0 has no
/// `Host`.
#[test]
fn head_and_http_1_0_are_answered() -> Result<()> {
    let server = server_with(|_resource| Some(HttpAnswer::new(200).body("12345")))?;
    for (request, body) in [
        ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", ""),
        ("HEAD / HTTP/1.0\r\n\r\n", ""),
        ("GET / HTTP/1.0\r\n\r\n", "12345"),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", "12345"),
        ("GET http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "12345"),
    ] {
        let answer = ask(&server, request)?;

        ensure!(status(&answer) == "200" && answer.body == body, "{request}: {answer:?}");
        ensure!(answer.has_header("Content-Length", "5"), "{request}: {answer:?}");
        ensure!(answer.has_header("Connection", "close"), "{request}: {answer:?}");
    }
    Ok(())
}

#[test]
fn the_handler_sees_the_request() -> Result<()> {
    let server = echo_server()?;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    server.set_page_handler(move |server, request| {
        if let Ok(mut seen) = kept.lock() {
            seen.push(format!("{request:?}"));
            seen.extend([request.method(), request.path(), request.query()].map(str::to_owned));
            seen.push(format!("{} {:?}", request.host(), request.header("x-a")));
            seen.push(format!("{:?}", request.raw_headers().count()));
            seen.push(format!("{} {}", request.peer_address(), request.peer_port() > 0));
            seen.push(format!("{}", server.clients().len()));
        }
        Some(HttpAnswer::new(204))
    });

    let head = "HEAD /a/%2e%2e/?b=?c HTTP/1.1\r\nHost: b:1\r\nX-A: 1\r\nCookie: secret\r\n\r\n";
    let answer = ask(&server, head)?;

    ensure!(status(&answer) == "204", "{answer:?}");
    let debug = "HttpRequest { method: \"HEAD\", path: \"/a/%2e%2e/\", \
                 headers: [\"Host\", \"X-A\", \"Cookie\"], .. }";
    let expected =
        [debug, "HEAD", "/a/%2e%2e/", "b=?c", "b:1 Some(\"1\")", "3", "127.0.0.1 true", "0"];
    assert_eq!(*seen.lock().unwrap(), expected);
    Ok(())
}

/// Without an answer, and without a handler, requests are refused as WebSocket handshakes.
#[test]
fn a_handler_without_an_answer_leaves_the_refusal() -> Result<()> {
    let silent = server_with(|_resource| None)?;
    let removed = server_with(|_resource| Some(HttpAnswer::new(200)))?;
    removed.remove_page_handler();
    for server in [&silent, &removed, &echo_server()?] {
        for (request, expected) in [
            (GET, "426"),
            ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "405"),
            ("GET / HTTP/1.0\r\n\r\n", "505"),
        ] {
            let answer = ask(server, request)?;
            ensure!(status(&answer) == expected, "{request}: {answer:?}");
        }
    }
    Ok(())
}

/// What is neither GET nor HEAD without a body does not reach the handler, nor do handshakes.
#[test]
fn the_handler_gets_requests_for_pages_alone() -> Result<()> {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let server = server_with(move |_resource| {
        counter.fetch_add(1, Ordering::Relaxed);
        Some(HttpAnswer::new(200))
    })?;
    for (request, expected) in [
        ("POST / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "405"),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx".to_owned(), "400"),
        ("HEAD / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(), "400"),
        ("GET / HTTP/1.0\r\nHost: a b\r\n\r\n".to_owned(), "400"),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n".to_owned(), "505"),
        ("GET /\r\n\r\n".to_owned(), "400"),
        (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(9000)), "414"),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "a".repeat(40_000)), "431"),
        (request().replacen("GET", "HEAD", 1), "405"),
        (request().replacen("HTTP/1.1", "HTTP/1.0", 1), "505"),
        (request().replacen(": 13", ": 8", 1), "426"),
    ] {
        let answer = ask(&server, &*request)?;
        ensure!(status(&answer) == expected, "{request}: {answer:?}");
    }
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    Ok(())
}

/// RFC 9110 §15.5.6: the answer to another method names HEAD beside GET, if a page may have it.
#[test]
fn another_method_is_answered_with_those_of_pages() -> Result<()> {
    let server = server_with(|_resource| None)?;
    for (request, allowed) in [
        ("POST / HTTP/1.1\r\nHost: a\r\n\r\n", "GET, HEAD"),
        ("OPTIONS * HTTP/1.0\r\n\r\n", "GET, HEAD"),
        // There is no such page.
        ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "GET"),
    ] {
        let answer = ask(&server, request)?;
        ensure!(status(&answer) == "405", "{request}: {answer:?}");
        ensure!(answer.has_header("Allow", allowed), "{request}: {answer:?}");
    }
    server.remove_page_handler();
    let answer = ask(&server, "POST / HTTP/1.1\r\nHost: a\r\n\r\n")?;
    ensure!(answer.has_header("Allow", "GET"), "{answer:?}");
    Ok(())
}

/// Header injection, reserved headers and invalid statuses are errors of the program: 500.
#[test]
fn an_invalid_answer_is_not_sent() -> Result<()> {
    let server = server_with(|resource| {
        let answer = HttpAnswer::new(200).body("body");
        Some(match resource {
            "/1" => answer.header("X", "a\r\nSet-Cookie: b=c"),
            "/2" => answer.header("X: y\r\nSet-Cookie", "b=c"),
            "/3" => answer.header("Content-Length", "1"),
            "/4" => answer.header("connection", "keep-alive"),
            "/5" => answer.header("", "a"),
            "/6" => HttpAnswer::new(101),
            "/7" => HttpAnswer::new(600),
            _ => answer.header("X", "ä"),
        })
    })?;
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    for number in 1..=8 {
        let answer = ask(&server, format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n"))?;

        ensure!(status(&answer) == "500", "{number}: {answer:?}");
        ensure!(!answer.head.contains("Set-Cookie"), "{number}: {answer:?}");
    }
    let reported = recorder.lines().iter().filter(|line| *line == "refused 500 1011").count();
    assert_eq!(reported, 8);
    Ok(())
}

#[test]
fn a_panic_in_the_handler_is_answered_with_500() -> Result<()> {
    let server = server_with(|_resource| panic_in_slot())?;
    let recorder = Recorder::default();
    recorder.watch_server(&server);

    let answer = ask(&server, GET)?;
    ensure!(status(&answer) == "500", "{answer:?}");
    let answer = ask(&server, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")?;
    ensure!(status(&answer) == "500" && answer.body.is_empty(), "{answer:?}");

    let lines = recorder.lines();
    ensure!(lines.contains(&"refused 500 1011".to_owned()), "{lines:?}");
    Ok(())
}

/// RFC 9110 §15.3.5: 204 has neither body nor length.
#[test]
fn the_request_may_arrive_in_any_pieces() -> Result<()> {
    let server = server_with(|_resource| Some(HttpAnswer::new(204).body("not sent")))?;
    let port = server.server_port();

    let answer = serve(move || {
        let mut peer = RawPeer::connect(port)?;
        for byte in GET.bytes() {
            peer.send([byte])?;
        }
        peer.read_response()
    })?;

    assert_eq!(
        answer.head,
        "HTTP/1.1 204 No Content\r\nConnection: close\r\nServer: Test Server\r\n"
    );
    assert_eq!(answer.body, "");
    Ok(())
}

/// A peer that does not read a long answer is given up at the handshake timeout.
#[test]
fn a_peer_that_does_not_read_the_page_is_disconnected() -> Result<()> {
    let server = server_with(|resource| {
        let length = if resource == "/long" { 32 << 20 } else { 1 };
        Some(HttpAnswer::new(200).body(vec![b'a'; length]))
    })?;
    server.set_handshake_timeout(Some(Duration::from_millis(300)));
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    let port = server.server_port();

    let _slow = serve(move || {
        let mut slow = RawPeer::connect(port)?;
        slow.send("GET /long HTTP/1.1\r\nHost: a\r\n\r\n")?;
        let mut other = RawPeer::connect(port)?;
        other.send(GET)?;
        let answer = other.read_response()?;
        ensure!(answer.body == "a", "{answer:?}");
        Ok(slow)
    })?;

    wait_until(|| recorder.lines().iter().any(|line| line == "timeout 1006"))
}

/// A page of some MiB reaches a peer that reads.
#[test]
fn a_long_page_is_sent_whole() -> Result<()> {
    let server = server_with(|_resource| Some(HttpAnswer::new(200).body(vec![b'a'; 8 << 20])))?;

    let answer = ask(&server, GET)?;

    assert_eq!(answer.body.len(), 8 << 20);
    Ok(())
}

/// The limit of connections is that of sockets: a full server answers its health check.
#[test]
fn a_full_server_answers_pages() -> Result<()> {
    let server = listening_server()?;
    server.set_page_handler(|_server, _request| Some(HttpAnswer::new(204)));
    server.set_max_connections(Some(0));
    let port = server.server_port();

    let statuses = serve(move || {
        let status = |text: &str| {
            let mut peer = RawPeer::connect(port)?;
            peer.send(text)?;
            peer.read_status()
        };
        Ok([status(GET)?, status(&request())?])
    })?;

    assert_eq!(statuses, [204, 503]);
    Ok(())
}

/// A handler may close its server, or drop it: nothing is answered then.
#[test]
fn the_handler_may_close_the_server() -> Result<()> {
    let server = listening_server()?;
    server.set_page_handler(|server, _request| {
        server.close();
        server.remove_page_handler();
        Some(HttpAnswer::new(200))
    });
    let (port, closed) = (server.server_port(), server.closed().next());

    serve(move || {
        let mut peer = RawPeer::connect(port)?;
        peer.send(GET)?;
        peer.read_to_end()
    })?;

    run_until(closed)?.context("not closed")?;
    ensure!(!server.is_listening());
    Ok(())
}

/// The parts of a server on several threads share the handler, and are its first argument.
#[test]
fn each_thread_answers_pages() -> Result<()> {
    let server = WebSocketServer::new("Test Server", SslMode::NonSecure);
    server.set_page_handler(|part, _request| {
        Some(HttpAnswer::new(200).body(if part.is_listening() { "whole" } else { "part" }))
    });
    let _threads = server.serve_on_threads(2, |_part| ())?;
    server.listen(slotwork::HostAddress::LocalHost, 0)?;
    let port = server.server_port();

    let bodies = serve(move || {
        let ask = |_| {
            let mut peer = RawPeer::connect(port)?;
            peer.send(GET)?;
            Ok(peer.read_response()?.body)
        };
        (0..4).map(ask).collect::<Result<Vec<_>>>()
    })?;

    assert_eq!(bodies, ["part"; 4]);
    Ok(())
}

/// Pages over HTTPS and `wss` on one port.
#[cfg(feature = "tls")]
#[test]
fn pages_are_served_over_tls() -> Result<()> {
    let authority = Authority::new()?;
    let server = secure_echo_server(authority.server_config()?)?;
    server.set_page_handler(|_server, _request| Some(HttpAnswer::new(200).body("secure")));
    let (port, trusted) = (server.server_port(), authority.certificate());

    let (answer, plain) = serve(move || {
        let mut peer = TlsPeer::begin_with(port, &trusted)?;
        peer.send(GET)?;
        let answer = peer.read_response()?;
        let mut plain = RawPeer::connect(port)?;
        plain.send(GET)?;
        let plain = plain.read_to_end()?;
        let mut socket = TlsPeer::begin_with(port, &trusted)?;
        socket.shake_hands()?;
        socket.check_echo("hello")?;
        Ok((answer, plain))
    })?;

    assert_eq!(answer.body, "secure");
    ensure!(!plain.starts_with(b"HTTP/"), "{plain:?}");
    Ok(())
}

/// The limit of handshakes is also that of pages under way.
#[test]
fn pages_count_as_handshakes() -> Result<()> {
    let server = server_with(|_resource| Some(HttpAnswer::new(200)))?;
    server.set_max_handshakes(Some(0));
    let errors = server.server_error().next();
    let port = server.server_port();

    let status = serve(move || {
        let mut peer = RawPeer::connect(port)?;
        peer.send(GET)?;
        peer.read_status()
    })?;

    assert_eq!(status, 503);
    let error = run_until(errors)?;
    ensure!(matches!(error, Some(Error::TooManyHandshakes { .. })), "{error:?}");
    Ok(())
}
