//! Attempts: after a loss, a failure, a restart; their number, and their end.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use slotwork::{
    Error, HostAddress, NetworkProxy, Reconnect, ReconnectCause, SendStatus, SslMode, WebSocket,
    WebSocketServer,
};

use support::raw_peer::TEXT;
use support::raw_server::{RawClient, RawServer, unmasked};
use support::{echo_all, run_until, serve, wait_until};

use super::{HOUR, answer, at_once, never, reconnecting_client, refusing_url, wait_for_delay};

/// Each connection and each attempt is reported as without a policy; slots stay connected.
#[test]
fn connects_again_when_the_connection_was_lost() -> Result<()> {
    let server = RawServer::listen()?;
    let (socket, recorder) = reconnecting_client(at_once());
    socket.open(server.url())?;

    serve(move || {
        drop(server.open()?);
        answer(&mut server.read_request()?, "503 Service Unavailable")?;
        server.open()?.close(1000, "")
    })?;

    recorder.wait_for_disconnected(3)?;
    let lost = "error: the peer closed the connection without a closing handshake";
    recorder.check(&[
        "Connecting",
        "Connected",
        "connected",
        lost,
        "Unconnected",
        "disconnected Some(1006) ",
        "reconnecting 1",
        "Connecting",
        "error: the server refused the upgrade with HTTP status 503 Service Unavailable",
        "Unconnected",
        "disconnected Some(1006) ",
        "reconnecting 2",
        "Connecting",
        "Connected",
        "connected",
        "about to close",
        "Closing",
        "Unconnected",
        "disconnected Some(1000) ",
    ])?;
    ensure!(!socket.is_reconnecting());
    Ok(())
}

/// A server of this package is restarted on the same port.
#[test]
fn survives_a_restart_of_the_server() -> Result<()> {
    let start = |port| {
        let server = WebSocketServer::new("Test Server", SslMode::NonSecure);
        echo_all(&server);
        server.listen(HostAddress::LocalHost, port).map(|()| server)
    };
    let server = start(0)?;
    let port = server.server_port();
    let policy = Reconnect::new().delay(Duration::from_millis(1)..=Duration::from_millis(20));
    let (socket, recorder) = reconnecting_client(policy);
    socket.connected().connect(|socket, ()| _ = socket.send_text_message("hello"));
    socket.open(server.server_url())?;
    let echoes = || recorder.lines().iter().filter(|line| *line == "text hello").count();
    wait_until(|| echoes() == 1)?;

    server.shutdown(Duration::ZERO);
    recorder.wait_for_disconnected(2)?;
    let _again = start(port)?;

    wait_until(|| echoes() == 2)?;
    ensure!(!socket.is_reconnecting() && socket.is_valid(), "{:#?}", recorder.lines());
    Ok(())
}

/// The delay applies to a first connection that fails, too, and `open` does not wait for it.
#[test]
fn a_first_attempt_that_fails_is_followed_after_the_delay() -> Result<()> {
    let (socket, recorder) = reconnecting_client(never());
    let delays = Rc::new(RefCell::new(Vec::new()));
    socket.reconnecting().connect_to(&delays, |delays, _socket, attempt| {
        let is_refused = matches!(attempt.cause, ReconnectCause::Failed(Error::Connect { .. }));
        delays.borrow_mut().push((attempt.delay, is_refused));
    });
    socket.open(refusing_url()?)?;
    wait_for_delay(&socket)?;
    assert_eq!(*delays.borrow(), [(HOUR, true)]);
    assert_eq!(socket.send_text_message("lost"), SendStatus::NotConnected);

    let server = RawServer::listen()?;
    socket.open(server.url())?;
    drop(serve(move || server.open())?);

    recorder.wait_for_disconnected(2)?;
    wait_for_delay(&socket)?;
    // The failure of the other URL does not count.
    let lines = recorder.lines();
    ensure!(lines.last().is_some_and(|line| line == "reconnecting 1"), "{lines:?}");
    socket.abort();
    Ok(())
}

/// The last failure is reported, then the end of the attempts, then `disconnected`.
#[test]
fn gives_up_after_the_maximum_of_attempts() -> Result<()> {
    let (socket, recorder) = reconnecting_client(at_once().give_up_after(Some(2)));
    let errors = Rc::new(RefCell::new(Vec::new()));
    socket.disconnected().connect_to(&errors, |errors, socket, ()| {
        let is_given_up = matches!(socket.error(), Some(Error::ReconnectGivenUp { attempts: 2 }));
        errors.borrow_mut().push((is_given_up, socket.is_reconnecting()));
    });

    socket.open(refusing_url()?)?;
    recorder.wait_for_disconnected(3)?;

    assert_eq!(*errors.borrow(), [(false, true), (false, true), (true, false)]);
    let attempts = |line: &&String| line.starts_with("reconnecting");
    assert_eq!(recorder.lines().iter().filter(attempts).count(), 2);
    Ok(())
}

/// Attempts that fail before the server is reached: an unknown host, a proxy that refuses.
#[test]
fn continues_behind_unknown_hosts_and_proxies_that_refuse() -> Result<()> {
    let (socket, recorder) = reconnecting_client(at_once().give_up_after(Some(2)));
    socket.open("ws://nobody.invalid/")?;
    recorder.wait_for_disconnected(3)?;

    let proxy = RawServer::listen()?;
    let (socket, recorder) = reconnecting_client(at_once());
    socket.set_proxy(Some(NetworkProxy::http("127.0.0.1", proxy.port)));
    socket.open("ws://server.example/")?;
    serve(move || {
        answer(&mut proxy.read_request()?, "502 Bad Gateway")?;
        let mut tunnel = proxy.read_request()?;
        tunnel.peer.send("HTTP/1.1 200 OK\r\n\r\n")?;
        let request = tunnel.peer.read_head()?;
        let mut client = RawClient { peer: tunnel.peer, request };
        client.accept("")?;
        client.close(1000, "")
    })?;
    recorder.wait_for_disconnected(2)
}

/// The stream of a connection ends with it, although the client reconnects.
#[test]
fn a_message_stream_ends_with_its_connection() -> Result<()> {
    let server = RawServer::listen()?;
    let (socket, _recorder) = reconnecting_client(never());
    socket.open(server.url())?;
    let mut messages = socket.message_stream();

    serve(move || server.open()?.peer.send(unmasked(TEXT, b"hello")))?;

    assert_eq!(run_until(messages.next())?, Some("hello".into()));
    assert_eq!(run_until(messages.next())?, None);
    ensure!(socket.is_reconnecting());
    socket.abort();
    Ok(())
}

/// Sockets of a server do not reconnect.
#[test]
fn the_socket_of_a_server_ignores_the_policy() -> Result<()> {
    let server = support::listening_server()?;
    let accepted = server.new_connection().next();
    let client = WebSocket::new();
    client.open(server.server_url())?;
    run_until(accepted)?.context("no connection")?;
    let socket = server.next_pending_connection().context("no socket")?;
    let disconnected = socket.disconnected().next();

    socket.set_reconnect(Some(at_once()));
    client.abort();

    run_until(disconnected)?;
    ensure!(!socket.is_reconnecting());
    Ok(())
}
