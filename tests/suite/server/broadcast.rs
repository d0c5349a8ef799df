//! The clients of a server: the list, messages for all of them, keepalive, shutdown.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{Error, EventLoop, PreparedMessage, SslMode, WebSocketServer};

use support::raw_peer::{
    PING, PONG, RawPeer, TEXT, check_good_client, masked, masked_close, masked_texts,
};
use support::recorder::Recorder;
use support::{DEADLINE, echo_server, listening_server, recorded_server, serve, wait_until};

/// A server whose clients' texts go to all clients but their sender, as Qt's simplechat does it.
fn chat_server() -> Result<WebSocketServer> {
    let server = listening_server()?;
    server.new_connection().connect(|server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            socket.text_message_received().connect_to(server, |server, sender, text| {
                let message = PreparedMessage::text(text);
                for client in server.clients().iter().filter(|client| *client != sender) {
                    client.send_prepared(&message);
                }
            });
        }
    });
    Ok(server)
}

/// Qt: simplechat keeps such a list itself, and takes sockets out in a slot of `disconnected`.
#[test]
fn a_socket_is_a_client_from_when_it_is_taken_until_it_disconnects() -> Result<()> {
    let (server, recorder) = recorded_server(|_socket, _text| {})?;
    let port = server.server_port();
    let counts = Recorder::default();
    let (watcher, weak) = (counts.clone(), server.clone());
    server.new_connection().connect(move |server, ()| {
        // The slot before this one has taken the socket.
        for socket in server.clients() {
            let (watcher, server) = (watcher.clone(), weak.clone());
            socket.disconnected().connect(move |socket, ()| {
                let is_there = server.clients().contains(socket);
                watcher.add(format!("{} left, {is_there}", server.clients().len()));
            });
        }
        watcher.add(format!("{} there", server.clients().len()));
    });
    assert_eq!(server.clients(), []);

    serve(move || RawPeer::open(port)?.close(1000, ""))?;

    recorder.wait_for_disconnected(1)?;
    counts.check(&["1 there", "0 left, false"])
}

/// A pending socket is nobody's client yet, and one that was never taken never was.
#[test]
fn a_pending_socket_is_no_client() -> Result<()> {
    let server = listening_server()?;
    let connections = SignalSpy::new(&server.new_connection());
    let port = server.server_port();

    let peer = serve(move || RawPeer::open(port))?;
    connections.wait_for(1)?;

    assert!(server.has_pending_connections());
    assert_eq!(server.clients(), []);
    let socket = server.next_pending_connection().context("nothing is pending")?;
    assert_eq!(server.clients(), [socket]);
    drop(peer);
    Ok(())
}

/// The peers of a chat read what the others say, small and big, and not what they say themselves.
#[test]
fn a_prepared_message_reaches_those_it_is_sent_to() -> Result<()> {
    let server = chat_server()?;
    let port = server.server_port();

    serve(move || {
        let mut peers = (0..3).map(|_| RawPeer::open(port)).collect::<Result<Vec<_>>>()?;
        // Everybody is a client once an answer has come.
        for text in ["small", "", "é", &"big ".repeat(50_000)] {
            for sender in 0..peers.len() {
                peers[sender].send(masked_texts(&[text]))?;
                for (place, peer) in peers.iter_mut().enumerate() {
                    if place != sender {
                        peer.expect_texts(&[text])?;
                    }
                }
            }
        }
        Ok(())
    })
}

/// What is broadcast comes in order with what is sent to one socket alone, also when the kernel
/// takes only some of it.
#[test]
fn broadcasts_keep_their_place_in_the_output() -> Result<()> {
    const BIG: usize = 400_000;
    const ROUNDS: u8 = 8;
    let server = listening_server()?;
    let slot_server = server.clone();
    server.new_connection().connect(move |server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            let server = slot_server.clone();
            socket.text_message_received().connect(move |socket, _text| {
                for round in 0..ROUNDS {
                    socket.send_binary_message([round]);
                    assert_eq!(server.broadcast_binary(vec![round; BIG]), 1);
                    socket.send_text_message("between");
                    assert_eq!(server.broadcast_text("small"), 1);
                }
                assert!(socket.bytes_to_write() > 0, "the kernel took more than reckoned");
            });
        }
    });
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked(TEXT, b"go"))?;
        for round in 0..ROUNDS {
            ensure!(peer.read_frame()?.payload == [round]);
            ensure!(peer.read_frame()?.payload == vec![round; BIG]);
            peer.expect_texts(&["between", "small"])?;
        }
        peer.close(1000, "").map(drop)
    })?;
    server.close();
    Ok(())
}

/// Nobody gets a broadcast after its end, and counts are of those who do.
#[test]
fn a_broadcast_reaches_open_sockets_only() -> Result<()> {
    let (server, recorder) = recorded_server(|_socket, _text| {})?;
    let port = server.server_port();
    assert_eq!(server.broadcast_text("nobody"), 0);

    let (mut stays, mut leaves) = serve(move || Ok((RawPeer::open(port)?, RawPeer::open(port)?)))?;
    wait_until(|| server.clients().len() == 2)?;
    serve(move || leaves.close(1000, ""))?;
    recorder.wait_for_disconnected(1)?;

    assert_eq!(server.broadcast_text("one"), 1);
    serve(move || stays.expect_texts(&["one"]))
}

/// RFC 6455 §5.5.2: a silent peer that answers pings stays, and its pongs are not emitted.
#[test]
fn keepalive_asks_a_silent_peer_for_a_sign_of_life() -> Result<()> {
    let (server, recorder) = recorded_server(|_socket, _text| {})?;
    assert_eq!(server.keepalive_interval(), Some(Duration::from_secs(20)));
    server.set_keepalive_interval(Some(Duration::from_millis(20)));
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        for _ in 0..3 {
            let ping = peer.read_frame()?;
            ensure!(ping.opcode == PING, "{ping:?}");
            peer.send(masked(PONG, &ping.payload))?;
        }
        peer.send(masked(PONG, b"mine"))?;
        peer.send(masked_close(1000, ""))?;
        // Another ping may have been under way.
        while peer.read_frame()?.opcode == PING {}
        Ok(())
    })?;

    recorder.wait_for_disconnected(1)?;
    let lines = recorder.lines();
    assert_eq!(lines.iter().filter(|line| line.starts_with("pong")).count(), 1, "{lines:?}");
    Ok(())
}

/// A shorter interval counts at once, also for clients that are connected: here the one before lasts
/// for ever.
#[test]
fn a_shorter_keepalive_interval_counts_for_connected_clients() -> Result<()> {
    for before in [Duration::MAX, Duration::from_secs(1_000_000)] {
        let (server, recorder) = recorded_server(|_socket, _text| {})?;
        server.set_keepalive_interval(Some(before));
        let port = server.server_port();
        let peer = serve(move || {
            let mut peer = RawPeer::open(port)?;
            peer.send(masked_texts(&["connected"]))?;
            Ok(peer)
        })?;
        wait_until(|| !recorder.lines().is_empty())?;

        server.set_keepalive_interval(Some(Duration::from_millis(20)));

        serve(move || {
            let mut peer = peer;
            let ping = peer.read_frame()?;
            anyhow::ensure!(ping.opcode == PING, "{ping:?}");
            Ok(())
        })?;
    }
    Ok(())
}

/// MSG-10: keepalive ends half-open connections and leaves the others alone.
#[test]
fn keepalive_ends_a_connection_whose_peer_is_gone() -> Result<()> {
    let server = echo_server()?;
    let recorder = Recorder::default();
    let watcher = recorder.clone();
    server.new_connection().connect(move |server, ()| {
        server.clients().iter().for_each(|socket| watcher.watch(socket));
        server.set_keepalive_interval(Some(Duration::from_millis(20)));
    });
    let port = server.server_port();

    // It reads nothing and says nothing, like a peer whose machine is gone.
    let peer = serve(move || RawPeer::open(port))?;
    recorder.wait_for_disconnected(1)?;

    recorder.check(&[
        "error: the peer was idle and did not answer a ping",
        "Unconnected",
        "disconnected Some(1006) ",
    ])?;
    server.set_keepalive_interval(None);
    serve(move || check_good_client(port))?;
    drop(peer);
    Ok(())
}

/// A pending socket reads nothing, so that its silence says nothing.
#[test]
fn keepalive_leaves_pending_sockets_alone() -> Result<()> {
    let server = listening_server()?;
    server.set_keepalive_interval(Some(Duration::from_millis(1)));
    let connections = SignalSpy::new(&server.new_connection());
    let port = server.server_port();
    let _pending = serve(move || RawPeer::open(port))?;
    connections.wait_for(1)?;

    let pending = server.next_pending_connection().context("nothing is pending")?;
    let errors = SignalSpy::new(&pending.error_occurred());
    errors.wait_for(1)?;

    assert!(matches!(*errors.values(), [Error::KeepaliveTimeout]));
    Ok(())
}

/// LOOP-05: 1001 to all, then `closed`, once, when all have answered.
#[test]
fn shutdown_says_goodbye_to_everybody() -> Result<()> {
    let (server, recorder) = recorded_server(|_socket, _text| {})?;
    recorder.watch_server(&server);
    let closed = SignalSpy::new(&server.closed());
    let port = server.server_port();
    let peers = serve(move || (0..3).map(|_| RawPeer::open(port)).collect::<Result<Vec<_>>>())?;
    wait_until(|| server.clients().len() == 3)?;

    server.shutdown(DEADLINE);
    server.shutdown(DEADLINE);
    assert!(!server.is_listening());
    assert_eq!(closed.count(), 0);
    serve(move || {
        for mut peer in peers {
            ensure!(peer.read_frame()?.close_code()? == 1001);
            peer.close_back()?;
        }
        Ok(())
    })?;
    closed.wait_for(1)?;
    EventLoop::current().process_events();

    assert_eq!(closed.count(), 1);
    assert_eq!(server.clients(), []);
    assert_eq!(recorder.lines().last().map(String::as_str), Some("closed"));
    Ok(())
}

/// LOOP-05: a client that does not answer is cut off at the deadline.
#[test]
fn shutdown_does_not_wait_for_ever() -> Result<()> {
    let (server, recorder) = recorded_server(|_socket, _text| {})?;
    let closed = SignalSpy::new(&server.closed());
    let port = server.server_port();
    let mut silent = serve(move || RawPeer::open(port))?;
    wait_until(|| server.clients().len() == 1)?;

    server.shutdown(Duration::from_millis(50));
    closed.wait_for(1)?;

    assert_eq!(recorder.lines().iter().filter(|line| line.starts_with("disconnected")).count(), 1);
    serve(move || {
        ensure!(silent.read_frame()?.close_code()? == 1001);
        ensure!(silent.read_to_end()? == b"");
        Ok(())
    })
}

/// Sockets that nobody has taken are told as well, and waited for.
#[test]
fn shutdown_closes_pending_sockets() -> Result<()> {
    let server = listening_server()?;
    let connections = SignalSpy::new(&server.new_connection());
    let closed = SignalSpy::new(&server.closed());
    let port = server.server_port();
    let mut peer = serve(move || RawPeer::open(port))?;
    connections.wait_for(1)?;

    server.shutdown(DEADLINE);

    serve(move || {
        ensure!(peer.read_frame()?.close_code()? == 1001);
        peer.close_back()
    })?;
    closed.wait_for(1)?;
    assert!(!server.has_pending_connections());
    Ok(())
}

/// A server without clients is shut down at once, may listen again, and be shut down again.
#[test]
fn shutdown_can_be_followed_by_another_life() -> Result<()> {
    let server = echo_server()?;
    let closed = SignalSpy::new(&server.closed());
    for round in 1..=2 {
        server.shutdown(DEADLINE);
        closed.wait_for(round)?;
        server.listen(slotwork::HostAddress::LocalHost, 0)?;
        let port = server.server_port();
        serve(move || check_good_client(port))?;
    }
    Ok(())
}

/// Each `shutdown` is followed by `closed`, also of a server that never listened; `close` of such a
/// server emits nothing (Qt: `close()`).
#[test]
fn shutdown_of_a_server_that_never_listened_emits_closed() -> Result<()> {
    let server = WebSocketServer::new("Idle", SslMode::NonSecure);
    let closed = SignalSpy::new(&server.closed());

    server.close();
    server.shutdown(DEADLINE);

    closed.wait_for(1)?;
    EventLoop::current().process_events();
    assert_eq!(closed.count(), 1);
    Ok(())
}

/// MSG-10: the same for clients that are accepted after pending sockets were shut down.
#[test]
fn keepalive_goes_on_after_a_shutdown_of_pending_sockets() -> Result<()> {
    let server = listening_server()?;
    server.set_keepalive_interval(Some(Duration::from_millis(1)));
    let connections = SignalSpy::new(&server.new_connection());
    let closed = SignalSpy::new(&server.closed());
    let port = server.server_port();
    let mut peer = serve(move || RawPeer::open(port))?;
    connections.wait_for(1)?;
    server.shutdown(DEADLINE);
    serve(move || peer.read_frame().and_then(|_| peer.close_back()))?;
    closed.wait_for(1)?;

    server.listen(slotwork::HostAddress::LocalHost, 0)?;
    let port = server.server_port();
    let _silent = serve(move || RawPeer::open(port))?;
    connections.wait_for(2)?;
    let silent = server.next_pending_connection().context("nothing is pending")?;

    let errors = SignalSpy::new(&silent.error_occurred());
    errors.wait_for(1)?;
    assert!(matches!(*errors.values(), [Error::KeepaliveTimeout]));
    Ok(())
}
