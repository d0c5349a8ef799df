//! Servers: their values, pending connections, pausing and closing.

use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use slotwork::{CloseCode, Error, HostAddress, SocketState, SslMode, WebSocketServer};

use support::raw_peer::{self, CLOSE, RawPeer, check_good_client, masked};
use support::recorder::Recorder;
use support::{DEADLINE, echo, echo_server, listening_server, serve};

/// Qt: SRV-01 and SRV-02, where `close` emits `closed` even then.
#[test]
fn a_new_server_has_the_documented_values_and_close_changes_none() -> Result<()> {
    let server = WebSocketServer::new("A name", SslMode::NonSecure);
    let recorder = Recorder::default();
    recorder.watch_server(&server);

    for _ in 0..2 {
        assert_eq!(server.server_name(), "A name");
        assert_eq!(server.secure_mode(), SslMode::NonSecure);
        assert!(!server.is_listening());
        assert_eq!(server.max_pending_connections(), 30);
        assert_eq!(server.handshake_timeout(), Some(Duration::from_secs(10)));
        assert_eq!(server.server_port(), 0);
        assert_eq!(server.server_address(), None);
        assert_eq!(server.server_url(), "");
        assert!(!server.has_pending_connections());
        assert!(server.next_pending_connection().is_none());
        assert!(server.error().is_none());
        assert_eq!(server.error_string(), "");
        server.close();
    }

    serve(|| Ok(()))?;
    recorder.check(&[])
}

/// Qt: SRV-03.
#[test]
fn setters_read_back() -> Result<()> {
    let server = WebSocketServer::new("", SslMode::Secure);

    for limit in [23, 0, usize::MAX] {
        server.set_max_pending_connections(limit);
        assert_eq!(server.max_pending_connections(), limit);
    }
    for timeout in [Some(Duration::from_millis(64)), Some(Duration::ZERO), None] {
        server.set_handshake_timeout(timeout);
        assert_eq!(server.handshake_timeout(), timeout);
    }
    server.set_server_name("Another")?;
    assert_eq!(server.server_name(), "Another");
    assert_eq!(server.secure_mode(), SslMode::Secure);
    Ok(())
}

/// Qt: HSR-16, where such a name breaks every handshake.
#[test]
fn a_name_that_no_header_can_carry_is_refused() -> Result<()> {
    let server = WebSocketServer::new("A\r\nB\0", SslMode::NonSecure);
    assert_eq!(server.server_name(), "AB");

    for name in ["A\r\nSet-Cookie: b", "A\nB", "A\0", "\u{c9}cho"] {
        let error = server.set_server_name(name).unwrap_err();
        ensure!(matches!(&error, Error::InvalidHeaderValue(value) if value == name), "{error}");
    }

    assert_eq!(server.server_name(), "AB");
    Ok(())
}

/// Qt: `closed()`; its slots run once for each `listen` that was followed by `close`.
#[test]
fn closed_is_emitted_once_for_each_time_it_listened() -> Result<()> {
    let server = WebSocketServer::new("", SslMode::NonSecure);
    let recorder = Recorder::default();
    recorder.watch_server(&server);

    for _ in 0..2 {
        server.listen(HostAddress::LocalHost, 0)?;
        server.close();
        server.close();
    }

    recorder.wait_for(&["closed", "closed"])?;
    serve(|| Ok(()))?;
    recorder.check(&["closed", "closed"])
}

/// Qt: `listen()` accepts until the queue is empty; the kernel reports each connection once.
#[test]
fn clients_that_come_one_after_another_are_all_accepted() -> Result<()> {
    let server = echo_server()?;
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    let port = server.server_port();

    serve(move || (0..5).try_for_each(|_| check_good_client(port)))?;

    recorder.check(&["new connection"; 5])
}

/// Qt: SRV-33; a burst finds room in the backlog before the loop accepts.
#[test]
#[cfg(target_os = "linux")]
fn a_burst_of_clients_is_served() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();

    // Nothing is accepted meanwhile: this very thread would run the loop.
    let peers = (0..200).map(|_| RawPeer::connect(port)).collect::<Result<Vec<_>>>()?;

    serve(move || {
        for mut peer in peers {
            peer.shake_hands()?;
            peer.check_echo("hello")?;
        }
        Ok(())
    })
}

/// Qt: SRV-28.
#[test]
fn the_client_has_its_answer_and_the_socket_waits_when_new_connection_is_emitted() -> Result<()> {
    let server = listening_server()?;
    let port = server.server_port();
    let (answered, is_answered) = mpsc::channel();
    let recorder = Recorder::default();
    let in_slot = recorder.clone();
    server.new_connection().connect(move |server, ()| {
        let answered = is_answered.recv_timeout(DEADLINE).is_ok();
        let pending = server.has_pending_connections();
        let socket = server.next_pending_connection().unwrap();
        let connected = socket.is_valid() && socket.state() == SocketState::Connected;
        in_slot.add(format!("answered: {answered}, pending: {pending}, {connected}"));
    });

    serve(move || {
        let peer = RawPeer::open(port)?;
        answered.send(())?;
        Ok(peer)
    })?;

    recorder.wait_for(&["answered: true, pending: true, true"])
}

/// Qt: SRV-15 and SRV-16, where the connection ends without an answer.
#[test]
fn clients_over_the_limit_of_pending_connections_get_503() -> Result<()> {
    let server = listening_server()?;
    server.set_max_pending_connections(2);
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    let port = server.server_port();

    let peers = serve(move || {
        let peers = [RawPeer::open(port)?, RawPeer::open(port)?];
        let mut third = RawPeer::connect(port)?;
        third.send(raw_peer::request())?;
        let answer = third.read_response()?;
        ensure!(answer.head.starts_with("HTTP/1.1 503 "), "{answer:?}");
        Ok(peers)
    })?;

    recorder.wait_for(&["new connection", "new connection", "refused 503 1006"])?;
    assert!(server.is_listening());
    for has_one in [true, true, false] {
        assert_eq!(server.next_pending_connection().is_some_and(|one| one.is_valid()), has_one);
    }
    // There is room again.
    serve(move || RawPeer::open(port))?;
    drop(peers);
    Ok(())
}

/// Qt: SRV-32, where it can be read inside the slot alone since 6.11.3: it stays, as before.
#[test]
fn the_last_error_can_be_read_in_the_slot_and_later() -> Result<()> {
    let server = listening_server()?;
    let recorder = Recorder::default();
    let lines = recorder.clone();
    server.server_error().connect(move |server, error| {
        let is_same = server.error().is_some_and(|last| last.to_string() == error.to_string());
        lines.add(format!("{is_same} {:?}", server.error_string().is_empty()));
    });
    ensure!(server.error().is_none() && server.error_string().is_empty());
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::connect(port)?;
        peer.send("garbage\r\n\r\n")?;
        peer.read_response().map(drop)
    })?;

    recorder.wait_for(&["true false"])?;
    let error = server.error().context("it is forgotten")?;
    ensure!(error.close_code() == CloseCode::PROTOCOL_ERROR, "{error}");
    ensure!(!server.error_string().is_empty());
    Ok(())
}

/// Qt: SRV-16. What is wrong with a request comes before the lack of room.
#[test]
fn with_no_pending_connections_allowed_every_client_is_refused() -> Result<()> {
    let server = echo_server()?;
    server.set_max_pending_connections(0);
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    let port = server.server_port();

    serve(move || {
        for request in [raw_peer::request(), raw_peer::request(), "garbage\r\n\r\n".into()] {
            let mut peer = RawPeer::connect(port)?;
            peer.send(request)?;
            peer.read_response()?;
        }
        server.set_max_pending_connections(1);
        check_good_client(port)
    })?;

    let full = "refused 503 1006";
    recorder.wait_for(&[full, full, "refused 400 1002", "new connection"])
}

/// Qt: SRV-23 (`CloseCode::GOING_AWAY`).
#[test]
fn close_ends_pending_sockets_and_leaves_those_that_were_taken() -> Result<()> {
    let server = listening_server()?;
    let port = server.server_port();
    let recorder = Recorder::default();
    let taken_lines = recorder.clone();
    server.new_connection().once().connect(move |server, ()| {
        let taken = server.next_pending_connection().unwrap();
        taken_lines.watch(&taken);
        echo(&taken);
    });
    let observed = server.clone();

    serve(move || {
        let (mut taken, mut pending) = (RawPeer::open(port)?, RawPeer::open(port)?);
        observed.close();
        ensure!(!observed.is_listening() && !observed.has_pending_connections());
        ensure!(observed.server_port() == 0 && observed.server_url().is_empty());
        ensure!(observed.server_address().is_none());

        let farewell = pending.read_frame()?;
        ensure!(farewell.close_code()? == 1001, "{farewell:?}");
        pending.send(masked(CLOSE, &farewell.payload))?;
        ensure!(pending.read_to_end()?.is_empty());
        taken.check_echo("still here")
    })?;

    // What comes next is the end of the peer, if the loop has seen it already.
    ensure!(recorder.lines().first().is_some_and(|line| line == "text still here"));
    Ok(())
}

/// Qt: SRV-24.
#[test]
fn a_paused_server_lets_clients_wait() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();

    serve(move || {
        let mut early = RawPeer::connect(port)?;
        check_good_client(port)?;
        server.pause_accepting();
        early.shake_hands()?;
        let mut late = RawPeer::connect(port)?;
        late.send(raw_peer::request())?;
        early.check_echo("the loop goes on")?;
        early.check_echo("and has been around")?;
        ensure!(server.is_listening());
        late.expect_silence()?;

        server.resume_accepting();
        late.expect_upgrade()?;
        check_good_client(port)
    })
}

/// Qt: `pauseAccepting()` followed by `close()`.
#[test]
fn a_paused_server_can_be_closed() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();
    let recorder = Recorder::default();
    recorder.watch_server(&server);

    serve(move || {
        server.pause_accepting();
        let mut waiting = RawPeer::connect(port)?;
        server.close();
        ensure!(waiting.read_to_end()?.is_empty());
        server.resume_accepting();
        server.listen(HostAddress::LocalHost, port)?;
        check_good_client(port)
    })?;

    recorder.wait_for(&["closed", "new connection"])
}
