//! Proxies that answer what they should not, or more than that, before and behind a tunnel.

use anyhow::{Context, Result, bail, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{Error, NetworkProxy, WebSocket};

use support::logged::everything_of;
use support::logins::RIGHT;
use support::raw_server::{RawClient, RawServer};
use support::{recorded_client, serve};

/// How a proxy sends its answer.
#[derive(Clone, Copy)]
enum Pace {
    AtOnce,
    Bytewise,
}

use Pace::{AtOnce, Bytewise};

const REFUSED_101: &str = "HTTP status 101 Switching Protocols";
const MORE: &str = "it sent more than its answer";
const NOT_BASIC: &str = "it asks for an authentication other than Basic";

/// The answer to `CONNECT`, and the error.
const ANSWERS: [(&str, Pace, Option<&str>); 17] = [
    ("HTTP/1.1 200 OK\r\n\r\n", Bytewise, None),
    ("HTTP/1.1 200\r\n\r\n", AtOnce, None),
    ("HTTP/1.1 204 No Content\r\n\r\n", AtOnce, None),
    ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", AtOnce, None),
    // RFC 9110 §9.3.6: what it says of a body has no meaning.
    ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", AtOnce, None),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", AtOnce, None),
    ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", AtOnce, Some(MORE)),
    ("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n", AtOnce, Some(MORE)),
    ("HTTP/1.1 101 Switching Protocols\r\n\r\n", AtOnce, Some(REFUSED_101)),
    // No redirection is followed: it would name another server.
    (
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\n\r\n",
        AtOnce,
        Some("HTTP status 302 Found"),
    ),
    ("HTTP/1.1 307 x\r\nLocation: ws://127.0.0.1:9/\r\n\r\n", Bytewise, Some("HTTP status 307 x")),
    // The server's own challenge is not the proxy's.
    (
        "HTTP/1.1 401 x\r\nWWW-Authenticate: Basic realm=x\r\n\r\n",
        AtOnce,
        Some("HTTP status 401 x"),
    ),
    ("HTTP/1.1 407 x\r\n\r\n", AtOnce, Some(NOT_BASIC)),
    ("HTTP/1.1 407 x\r\nWWW-Authenticate: Basic realm=x\r\n\r\n", AtOnce, Some(NOT_BASIC)),
    (
        "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic\r\n\r\n",
        AtOnce,
        Some("it ended the connection"),
    ),
    ("HTTP/1.1 200 OK\r\nX: y", AtOnce, Some("it ended the connection")),
    ("\x15\x03\x03\0\x02\x02\x28", AtOnce, Some("its answer is wrong: it is not HTTP")),
];

/// RFC 9110 §9.3.6 and §15.2.
#[test]
fn only_an_answer_of_2xx_opens_a_tunnel() -> Result<()> {
    for (answer, pace, reason) in ANSWERS {
        let server = RawServer::listen()?;
        let (socket, recorder) = recorded_client();
        let proxy = NetworkProxy::http("127.0.0.1", server.port).credentials("ok", "right");
        socket.set_proxy(Some(proxy));
        let challenges = SignalSpy::new(&socket.authentication_required());

        socket.open("ws://u:p@server.example:81/chat")?;
        serve(move || act(&server, answer, pace, reason.is_none()))?;
        recorder.wait_for_disconnected(1)?;

        match (socket.error(), reason) {
            (None, None) => {}
            (Some(Error::Proxy { reason, .. }), Some(expected)) if reason == expected => {}
            (other, _) => bail!("{answer:?}: {other:?}"),
        }
        assert_eq!(challenges.count(), 0);
    }
    Ok(())
}

/// Answers a tunnel, and is the server behind it.
fn act(server: &RawServer, answer: &str, pace: Pace, is_well: bool) -> Result<()> {
    let mut client = server.read_request()?;
    ensure!(client.header("Proxy-Authorization").is_none(), "{}", client.request);
    match pace {
        AtOnce => client.peer.send(answer)?,
        Bytewise => {
            for byte in answer.bytes() {
                client.peer.send([byte])?;
            }
        }
    }
    if is_well {
        let request = client.peer.read_head()?;
        let mut client = RawClient { request, ..client };
        client.accept("")?;
        return client.close(1000, "");
    }
    client.peer.finish()?;
    ensure!(client.peer.read_to_end()?.is_empty(), "{answer:?}: the client sent something");
    // With the credentials that are known, which this proxy does not get to see.
    if answer.contains("Basic\r\n") {
        server.accept()?.finish()?;
    } else {
        server.expect_no_client()?;
    }
    Ok(())
}

/// RFC 9110 §11.7.1: a server behind the tunnel gets no credentials of the proxy, whatever it answers.
#[test]
fn a_challenge_behind_the_tunnel_is_not_the_proxys() -> Result<()> {
    let server = RawServer::listen()?;
    let (socket, recorder) = recorded_client();
    socket.set_proxy(Some(NetworkProxy::http("127.0.0.1", server.port).credentials("ok", "right")));
    let challenges = SignalSpy::new(&socket.proxy_authentication_required());

    socket.open("ws://server.example:81/chat")?;
    serve(move || {
        let mut client = server.read_request()?;
        client.peer.send("HTTP/1.1 200 OK\r\n\r\n")?;
        client.peer.read_head()?;
        client.peer.send(
            "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n",
        )?;
        ensure!(client.peer.read_to_end()?.is_empty());
        server.expect_no_client()
    })?;

    recorder.wait_for_disconnected(1)?;
    let error = socket.error().context("no error")?;
    ensure!(matches!(error, Error::UpgradeRefused { status: 407, .. }), "{error:?}");
    assert_eq!(challenges.count(), 0);
    Ok(())
}

/// Neither errors nor logs have what a proxy is sent, or the proxy that is printed.
#[test]
fn the_password_of_a_proxy_is_in_no_error_and_in_no_log() -> Result<()> {
    let lines = everything_of(|| {
        for proxy in [NetworkProxy::http, NetworkProxy::socks5] {
            let server = RawServer::listen()?;
            let (socket, recorder) = recorded_client();
            let proxy = proxy("127.0.0.1", server.port).credentials("ok", "right");
            log::info!("{proxy:?}");
            socket.set_proxy(Some(proxy));
            socket.proxy_authentication_required().connect(|_: &WebSocket, challenge| {
                log::info!("{challenge:?}");
            });
            socket.open("ws://server.example:81/chat")?;
            serve(move || refuse_login(&server))?;
            recorder.wait_for_disconnected(1)?;
            let error = socket.error().context("no error")?;
            log::info!("{error} {error:?} {:?}", recorder.lines());
        }
        Ok(())
    })?;

    ensure!(lines.iter().any(|line| line.contains("NetworkProxy")), "{lines:?}");
    for line in lines {
        ensure!(!line.contains("right") && !line.contains(RIGHT), "{line}");
    }
    Ok(())
}

/// Takes the credentials of a client, and refuses them.
fn refuse_login(server: &RawServer) -> Result<()> {
    let mut peer = server.accept()?;
    if peer.read_bytes(1)? == [5] {
        peer.read_bytes(3)?;
        peer.send([5, 2])?;
        peer.read_bytes(10)?;
        peer.send([1, 1])?;
        return peer.read_to_end().map(drop);
    }
    let answer = "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=x\r\n\r\n";
    peer.read_head()?;
    peer.send(answer)?;
    let mut client = server.read_request()?;
    ensure!(client.header("Proxy-Authorization") == Some(RIGHT), "{}", client.request);
    client.peer.send(answer)
}
