//! Failures of `open`: unknown hosts, refused connections, wrong answers and timeouts.

use std::cell::Cell;
use std::net::{Ipv4Addr, TcpListener};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use slotwork::{ClientRequest, CloseCode, Error, HandshakeResponse, SocketState, WebSocket};

use support::raw_peer::ACCEPT;
use support::raw_server::RawServer;
use support::recorder::Recorder;
use support::{echo_server, run_until, serve, wait_until};

/// The outcome of a connection that was not opened.
struct Failed {
    socket: WebSocket,
    error: Error,
    lines: Vec<String>,
}

/// Opens `url`, which is to fail, while `act` plays the server.
fn fail_to_open<T: Send + 'static>(
    url: &str,
    timeout: Duration,
    act: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<(Failed, T)> {
    let (socket, recorder) = (WebSocket::new(), Recorder::default());
    recorder.watch(&socket);
    socket.set_connect_timeout(Some(timeout));
    socket.open(url)?;
    let outcome = serve(act)?;
    recorder.wait_for_disconnected(1)?;

    let lines = recorder.lines();
    let Some(error) = socket.error() else { bail!("no error in {lines:?}") };
    let expected =
        ["Connecting", &format!("error: {error}"), "Unconnected", "disconnected Some(1006) "];
    ensure!(lines == expected, "recorded {lines:#?}, not {expected:#?}");
    ensure!(socket.state() == SocketState::Unconnected);
    ensure!(socket.close_code() == Some(CloseCode::ABNORMAL_DISCONNECTION));
    Ok((Failed { socket, error, lines }, outcome))
}

/// Opens a connection to a server that answers the request with `answer`, and ends then.
fn fail_with(answer: impl Into<Vec<u8>>) -> Result<Failed> {
    let (server, answer) = (RawServer::listen()?, answer.into());
    let (failed, ()) = fail_to_open(&server.url(), LONG, move || {
        let mut client = server.read_request()?;
        // A client that has seen enough goes before the end.
        let _ = client.peer.send(answer).and_then(|()| client.peer.finish());
        client.peer.read_to_end()?;
        server.expect_no_client()
    })?;
    Ok(failed)
}

const LONG: Duration = Duration::from_secs(20);

/// Qt: CLI-03.
#[test]
fn a_port_where_nothing_listens_is_an_error() -> Result<()> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();

    let (failed, ()) = fail_to_open(&format!("ws://127.0.0.1:{port}/"), LONG, || Ok(()))?;

    let Error::Connect { host, port: found, source } = &failed.error else {
        bail!("{:?}", failed.error)
    };
    assert_eq!((host.as_str(), *found), ("127.0.0.1", port));
    assert_eq!(source.kind(), std::io::ErrorKind::ConnectionRefused);
    assert_eq!(failed.socket.peer_name(), "127.0.0.1");
    assert_eq!(failed.socket.resource_name(), "/");
    Ok(())
}

/// Qt: CLI-07. RFC 6761 §6.4: no host has the name `invalid`.
#[test]
fn a_host_that_is_unknown_is_an_error() -> Result<()> {
    let (failed, ()) = fail_to_open("ws://nobody.invalid/", LONG, || Ok(()))?;

    ensure!(matches!(&failed.error, Error::HostNotFound { host, .. } if host == "nobody.invalid"));
    assert_eq!(failed.socket.peer_address(), None);
    Ok(())
}

/// Qt: CLI-04, CLI-06: nothing begins, and the error is reported as that of `listen` is.
#[test]
fn a_url_that_is_none_is_refused_at_once() {
    let (socket, recorder) = (WebSocket::new(), Recorder::default());
    recorder.watch(&socket);
    let mut expected = Vec::new();

    for url in ["", "ws://", "ws://127.0.0.1:99999", "ws://a\r\nX: y/", "ws://a/\r\nX: y"] {
        let error = socket.open(url).unwrap_err();
        assert!(matches!(error, Error::InvalidUrl(_)), "{url}");
        expected.push(format!("error: {error}"));
    }
    for url in ["http://127.0.0.1/", "ftp://127.0.0.1"] {
        let error = socket.open(url).unwrap_err();
        assert!(matches!(error, Error::UnsupportedScheme(_)), "{url}");
        expected.push(format!("error: {error}"));
    }

    assert_eq!(socket.state(), SocketState::Unconnected);
    assert_eq!(socket.request_url(), "");
    assert_eq!(recorder.lines(), expected);
}

/// Qt: `errorOccurred`, `error()` and `errorString()` of a refused `open`: one rule with `listen`.
#[test]
fn a_refused_open_is_reported_by_error_and_by_the_signal() -> Result<()> {
    let request = || ClientRequest::new("ws://127.0.0.1:1/");
    let requests = [
        ClientRequest::new("nonsense"),
        ClientRequest::new("http://127.0.0.1/"),
        request().header("Host", "x"),
        request().header("X", "a\r\nb"),
        request().subprotocols(["a b"]),
        ClientRequest::new(format!("ws://127.0.0.1:1/{}", "x".repeat(40_000))),
    ];
    for request in requests {
        let (socket, recorder) = (WebSocket::new(), Recorder::default());
        recorder.watch(&socket);

        let error = socket.open_request(request).unwrap_err();

        let kept = socket.error().context("no error")?;
        assert_eq!(kept.to_string(), error.to_string());
        assert_eq!(socket.error_string(), error.to_string());
        assert_eq!(recorder.lines(), [format!("error: {error}")]);
        assert_eq!(socket.state(), SocketState::Unconnected);
    }
    Ok(())
}

/// A slot that opens again, with what is wrong still, is not called without end.
#[test]
fn a_slot_may_open_the_wrong_url_again() -> Result<()> {
    let server = echo_server()?;
    let (socket, calls) = (WebSocket::new(), Rc::new(Cell::new(0)));
    socket.error_occurred().connect_to(&calls, |calls, socket, _error| {
        calls.set(calls.get() + 1);
        assert!(socket.open("still nonsense").is_err());
    });

    socket.open("nonsense").unwrap_err();
    assert_eq!(calls.get(), 1);
    socket.open("nonsense").unwrap_err();
    assert_eq!(calls.get(), 2);

    let connected = socket.connected().next();
    socket.open(server.server_url())?;
    assert!(socket.error().is_none());
    run_until(connected)?.context("the socket is gone")
}

/// RFC 8305: `localhost` may be two addresses, of which a server has one.
#[test]
fn a_host_with_several_addresses_is_reached_at_one_of_them() -> Result<()> {
    let server = echo_server()?;
    let url = format!("ws://localhost:{}/", server.server_port());
    let socket = WebSocket::new();
    let connected = Rc::new(Cell::new(false));
    socket.connected().connect_to(&connected, |connected, _socket, ()| connected.set(true));

    socket.open(url)?;

    wait_until(|| connected.get())?;
    assert_eq!(socket.peer_name(), "localhost");
    assert_eq!(socket.peer_address(), Some(Ipv4Addr::LOCALHOST.into()));
    Ok(())
}

/// Qt: CLI-13: an honest server may cut its answer where it likes.
#[test]
fn an_answer_in_pieces_is_accepted() -> Result<()> {
    let server = RawServer::listen()?;
    let (socket, recorder) = (WebSocket::new(), Recorder::default());
    recorder.watch(&socket);
    socket.open(server.url())?;

    serve(move || {
        let mut client = server.read_request()?;
        let answer = client.upgrade()?;
        answer.as_bytes().chunks(1).try_for_each(|byte| client.peer.send(byte))?;
        client.close(1000, "")
    })?;

    recorder.wait_for_disconnected(1)?;
    assert_eq!(socket.close_code(), Some(CloseCode::NORMAL));
    Ok(())
}

/// RFC 6455 §4.1; Qt: CLI-14 to CLI-17, where some of these leave the client waiting for ever.
#[test]
fn an_answer_that_breaks_a_rule_is_an_error() -> Result<()> {
    let with = |lines: &str| format!("HTTP/1.1 101 Switching Protocols\r\n{lines}\r\n");
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
    let long = format!("HTTP/1.1 101 x\r\nX: {}", "y".repeat(40_000));
    let table = [
        ("nothing", String::new()),
        ("half a head", "HTTP/1.1 101 Switching Protocols\r\nUpgrade".into()),
        ("no HTTP", "SSH-2.0-OpenSSH\r\n".into()),
        ("a head without end", long),
        ("HTTP/1.0", format!("HTTP/1.0 101 x\r\n{upgrade}Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n")),
        ("a folded first line", "HTTP/1.1 101 x\r\n folded\r\n\r\n".into()),
        ("a space before the colon", with(&format!("{upgrade}X : y\r\n"))),
        ("many headers", with(&"X: y\r\n".repeat(101))),
        ("no accept key", with(upgrade)),
        // It fits another key than the one that was sent.
        ("wrong accept key", with(&format!("{upgrade}Sec-WebSocket-Accept: {ACCEPT}\r\n"))),
    ];
    for (what, answer) in table {
        let failed = fail_with(answer)?;
        ensure!(matches!(failed.error, Error::InvalidAnswer(_)), "{what}: {:?}", failed.error);
    }
    Ok(())
}

/// What an answer may have is for the program to limit.
#[test]
fn the_limits_of_an_answer_can_be_set() -> Result<()> {
    let long = format!("Set-Cookie: {}\r\n", "y".repeat(60_000));
    let many = "X: y\r\n".repeat(300);
    let few = "X: y\r\n".repeat(20);
    let open = |set: fn(&WebSocket), lines: &str| {
        let (server, lines) = (RawServer::listen()?, lines.to_owned());
        let (socket, recorder) = (WebSocket::new(), Recorder::default());
        recorder.watch(&socket);
        set(&socket);
        socket.open(server.url())?;
        serve(move || {
            let mut client = server.read_request()?;
            // A client that has seen enough goes before the end.
            let _ = client.accept(&lines).and_then(|()| client.close(1000, ""));
            Ok(())
        })?;
        recorder.wait_for_disconnected(1)?;
        anyhow::Ok(socket.error())
    };
    let raise = |socket: &WebSocket| {
        socket.set_max_header_size(100_000);
        socket.set_max_header_count(400);
    };
    let is_invalid = |error: Option<Error>| matches!(error, Some(Error::InvalidAnswer(_)));

    for lines in [&long, &many] {
        ensure!(is_invalid(open(|_socket| {}, lines)?));
        let error = open(raise, lines)?;
        ensure!(error.is_none(), "{error:?}");
    }
    ensure!(open(|_socket| {}, &few)?.is_none());
    ensure!(is_invalid(open(|socket| socket.set_max_header_count(10), &few)?));
    ensure!(is_invalid(open(|socket| socket.set_max_header_size(200), &few)?));
    let endless = open(|socket| socket.set_max_header_count(usize::MAX), &few)?;
    ensure!(endless.is_none(), "{endless:?}");
    Ok(())
}

/// The same with an accept key that is right.
#[test]
fn an_answer_with_something_not_requested_is_an_error() -> Result<()> {
    for (part, replacement) in [
        ("Upgrade: websocket\r\n", ""),
        ("Upgrade: websocket", "Upgrade: h2c"),
        ("Connection: Upgrade\r\n", ""),
        ("Connection: Upgrade", "Connection: close"),
        ("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
        ("\r\n\r\n", "\r\nSec-WebSocket-Protocol: chat\r\n\r\n"),
        ("Sec-WebSocket-Accept", "Sec-WebSocket-Accept: AAAA\r\nSec-WebSocket-Accept"),
    ] {
        let server = RawServer::listen()?;
        let (failed, ()) = fail_to_open(&server.url(), LONG, move || {
            let mut client = server.read_request()?;
            let answer = client.upgrade()?;
            ensure!(answer.contains(part), "{part}");
            client.peer.send(answer.replacen(part, replacement, 1))?;
            ensure!(client.peer.read_to_end()?.is_empty());
            Ok(())
        })?;
        let is_invalid = matches!(failed.error, Error::InvalidAnswer(_));
        ensure!(is_invalid, "{replacement:?} instead of {part:?}: {:?}", failed.error);
    }
    Ok(())
}

/// CLIENT-03; Qt: CLI-15 shows the status in its text only.
#[test]
fn a_refusal_can_be_read() -> Result<()> {
    let table = [
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\nX-Why: no\r\n\r\nno chatBEHIND",
            "no chat",
        ),
        ("HTTP/1.1 404 Not Found\r\nX-Why: no\r\nConnection: close\r\n\r\nno chat", "no chat"),
        (
            "HTTP/1.1 404 Not Found\r\nX-Why: no\r\nTransfer-Encoding: chunked\r\n\r\n\
             3\r\nno \r\n4;x=y\r\nchat\r\n0\r\n\r\n",
            "no chat",
        ),
        ("HTTP/1.1 404 Not Found\r\nX-Why: no\r\nContent-Length: 0\r\n\r\n", ""),
    ];
    for (answer, body) in table {
        let Failed { socket, error, .. } = fail_with(answer)?;

        let Error::UpgradeRefused { status, reason } = &error else { bail!("{error:?}") };
        assert_eq!((*status, reason.as_str()), (404, "Not Found"));
        let response = socket.handshake_response();
        let seen = response
            .as_ref()
            .map(|response| (response.status(), response.header("x-why"), response.body()));
        assert_eq!(seen, Some((404, Some("no".into()), body.as_bytes())), "{answer}");
    }
    Ok(())
}

/// CLIENT-04: redirections are reported, not followed; Qt: CLI-15.
#[test]
fn a_redirection_is_not_followed() -> Result<()> {
    for status in [301, 302, 307, 308] {
        let elsewhere = RawServer::listen()?;
        let answer = format!(
            "HTTP/1.1 {status} Over There\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n",
            elsewhere.url()
        );

        let Failed { socket, error, lines } = fail_with(answer)?;

        elsewhere.expect_no_client()?;
        ensure!(
            matches!(&error, Error::UpgradeRefused { status: found, .. } if *found == status),
            "{lines:?}"
        );
        let response = socket.handshake_response();
        let location = response.as_ref().and_then(|response| response.header("Location"));
        assert_eq!(location.as_deref(), Some(elsewhere.url().as_str()));
    }
    Ok(())
}

/// A refusal with a body that stops in the middle, or never ends, does not delay its client.
#[test]
fn a_body_without_end_is_cut_off() -> Result<()> {
    let server = RawServer::listen()?;
    let (failed, ()) = fail_to_open(&server.url(), LONG, move || {
        let mut client = server.read_request()?;
        client.peer.send("HTTP/1.1 503 Busy\r\nContent-Length: 1000000\r\n\r\nbusy")?;
        client.peer.read_to_end().map(drop)
    })?;
    assert_eq!(body(&failed), Some(b"busy".to_vec()));

    let failed = fail_with([&b"HTTP/1.1 503 Busy\r\n\r\n"[..], &vec![b'x'; 1_000_000]].concat());
    let length = body(&failed?).map(|body| body.len());
    assert_eq!(length, Some(32 * 1024));
    Ok(())
}

fn body(failed: &Failed) -> Option<Vec<u8>> {
    failed.socket.handshake_response().as_ref().map(HandshakeResponse::body).map(<[u8]>::to_vec)
}

/// A client that could not be opened can be opened then, elsewhere.
#[test]
fn a_client_that_was_refused_connects_elsewhere() -> Result<()> {
    let Failed { socket, .. } = fail_with("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")?;
    let server = echo_server()?;
    let connected = Rc::new(Cell::new(false));
    socket.connected().connect_to(&connected, |connected, socket, ()| {
        connected.set(socket.is_valid());
    });

    socket.open(server.server_url())?;

    wait_until(|| connected.get())?;
    let status = socket.handshake_response().map(|response| response.status());
    assert_eq!(status, Some(101));
    assert!(socket.error().is_none(), "{:?}", socket.error());
    Ok(())
}
