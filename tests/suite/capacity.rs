//! How many connections and handshakes a server has at a time, and what it holds for them.

use std::sync::mpsc;

use anyhow::{Result, ensure};
use slotwork::{Error, Verdict, WebSocketServer};

use crate::support::raw_peer::{self, RawPeer, check_good_client};
use crate::support::recorder::Recorder;
use crate::support::{DEADLINE, echo_server, listening_server, serve};
#[cfg(feature = "tls")]
use crate::support::{
    certificates::Authority,
    secure_echo_server,
    tls_peer::{TlsPeer, check_good_tls_client},
};

/// Writes down the errors of a server that name a limit.
fn record_limits(server: &WebSocketServer) -> Recorder {
    let recorder = Recorder::default();
    let lines = recorder.clone();
    server.server_error().connect(move |_server, error| match error {
        Error::TooManyConnections { limit, .. } => lines.add(format!("connections {limit}")),
        Error::TooManyHandshakes { limit, .. } => lines.add(format!("handshakes {limit}")),
        error => lines.add(error.to_string()),
    });
    recorder
}

/// RFC 9110 §15.6.4 (503): open connections are bounded, and one that ends makes room.
#[test]
fn a_connection_too_many_is_answered_with_503() -> Result<()> {
    let server = echo_server()?;
    ensure!(server.max_connections().is_none());
    server.set_max_connections(Some(2));
    let recorder = record_limits(&server);
    let port = server.server_port();

    serve(move || {
        let mut peers = [RawPeer::open(port)?, RawPeer::open(port)?];
        for _ in 0..2 {
            let mut other = RawPeer::connect(port)?;
            other.send(raw_peer::request())?;
            let answer = other.read_response()?;
            ensure!(answer.head.starts_with("HTTP/1.1 503 "), "{answer:?}");
        }
        for peer in &mut peers {
            peer.check_echo("still there?")?;
        }
        peers[0].close(1000, "")?;
        wait_for_room(port);
        Ok(())
    })?;

    check_first(&recorder, &["connections 2"; 2])
}

/// Sockets that no slot has taken are open, too.
#[test]
fn pending_connections_count_as_open() -> Result<()> {
    let server = listening_server()?;
    server.set_max_connections(Some(1));
    let recorder = record_limits(&server);
    let port = server.server_port();

    serve(move || {
        let _pending = RawPeer::open(port)?;
        let mut other = RawPeer::connect(port)?;
        other.send(raw_peer::request())?;
        ensure!(other.read_status()? == 503);
        Ok(())
    })?;

    recorder.wait_for(&["connections 1"])
}

/// A client that became one too many while a verifier decided about it is refused after all.
#[test]
fn connections_are_counted_when_the_verdict_is_there() -> Result<()> {
    let server = echo_server()?;
    server.set_max_connections(Some(1));
    let recorder = record_limits(&server);
    let (let_in, door) = smol::channel::unbounded::<()>();
    server.set_verifier(async move |_server, _handshake| {
        door.recv().await.map(|()| Verdict::accept())
    });
    let port = server.server_port();

    serve(move || {
        let mut peers = [RawPeer::connect(port)?, RawPeer::connect(port)?];
        for peer in &mut peers {
            peer.send(raw_peer::request())?;
        }
        let mut bad = RawPeer::connect(port)?;
        bad.send("garbage\r\n\r\n")?;
        bad.read_response()?;
        let_in.send_blocking(())?;
        let_in.send_blocking(())?;
        let mut statuses = [peers[0].read_status()?, peers[1].read_status()?];
        statuses.sort_unstable();
        ensure!(statuses == [101, 503], "{statuses:?}");
        Ok(())
    })?;

    ensure!(recorder.lines().last().map(String::as_str) == Some("connections 1"));
    Ok(())
}

/// Handshakes are bounded, silent ones and those that a verifier decides about alike.
#[test]
fn a_handshake_too_many_is_answered_with_503() -> Result<()> {
    let server = echo_server()?;
    ensure!(server.max_handshakes() == Some(4096));
    server.set_max_handshakes(Some(2));
    server.set_handshake_timeout(None);
    let recorder = record_limits(&server);
    let (asked, is_asked) = mpsc::channel();
    server.set_verifier(async move |_server, handshake| {
        if handshake.request().header("X-Wait").is_some() {
            asked.send(()).unwrap();
            std::future::pending::<()>().await;
        }
        Verdict::accept()
    });
    let port = server.server_port();

    serve(move || {
        let silent = RawPeer::connect(port)?;
        let mut undecided = RawPeer::connect(port)?;
        undecided.send(raw_peer::request_with("X-Wait: 1\r\n"))?;
        is_asked.recv_timeout(DEADLINE)?;
        for _ in 0..3 {
            let mut other = RawPeer::connect(port)?;
            other.send(raw_peer::request())?;
            let answer = other.read_response()?;
            ensure!(answer.head.starts_with("HTTP/1.1 503 "), "{answer:?}");
        }
        drop(silent);
        wait_for_room(port);
        Ok(())
    })?;

    check_first(&recorder, &["handshakes 2"; 3])
}

/// An answer over TLS would take a handshake: the connection is closed without one.
#[cfg(feature = "tls")]
#[test]
fn a_handshake_too_many_over_tls_is_closed() -> Result<()> {
    let authority = Authority::new()?;
    let server = secure_echo_server(authority.server_config()?)?;
    server.set_max_handshakes(Some(1));
    let recorder = record_limits(&server);
    let (port, trusted) = (server.server_port(), authority.certificate());

    serve(move || {
        let silent = RawPeer::connect(port)?;
        let mut other = TlsPeer::begin_with(port, &trusted)?;
        ensure!(other.finish_tls().is_err());
        drop(silent);
        // The server may see its end later than the next one.
        while check_good_tls_client(port, &trusted).is_err() {}
        Ok(())
    })?;

    check_first(&recorder, &["handshakes 1"])
}

/// Checks that a good client is served, once the server has seen the end of another one.
fn wait_for_room(port: u16) {
    while check_good_client(port).is_err() {}
}

fn check_first(recorder: &Recorder, expected: &[&str]) -> Result<()> {
    let lines = recorder.lines();
    ensure!(lines.iter().zip(expected).all(|(line, expected)| line == expected), "{lines:?}");
    ensure!(lines.len() >= expected.len(), "{lines:?}");
    Ok(())
}
