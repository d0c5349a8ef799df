//! Keepalive: pings for idle clients, and the end of those that do not answer.

use std::time::Duration;

use anyhow::{Context, Result};
use slotwork::signals::SignalSpy;
use slotwork::testing::{self, Peer, VirtualClock};
use slotwork::{Error, SslMode, WebSocketServer};

use support::raw_peer::{PONG, masked, masked_close, masked_texts};
use support::recorder::Recorder;

const INTERVAL: Duration = Duration::from_secs(20);
/// An idle client is pinged at one of four checks in an interval.
const LATEST_PING: Duration = Duration::from_secs(25);
const KEEPALIVE_PING: &[u8] = b"\x89\x0a\0keepalive";

/// A server without keepalive until a test sets it, with a recorder of its sockets.
fn recorded_server() -> (WebSocketServer, Recorder) {
    let (server, recorder) =
        (WebSocketServer::new("Test Server", SslMode::NonSecure), Recorder::default());
    assert_eq!(server.keepalive_interval(), Some(INTERVAL));
    let watcher = recorder.clone();
    server.new_connection().connect(move |server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            watcher.watch(&socket);
        }
    });
    (server, recorder)
}

/// RFC 6455 §5.5.2: a silent peer that answers pings stays, and its pongs are not emitted.
#[test]
fn keepalive_asks_a_silent_peer_for_a_sign_of_life() -> Result<()> {
    let clock = VirtualClock::install();
    let (server, recorder) = recorded_server();
    let peer = Peer::connect(&server)?;
    peer.upgrade()?;

    for _ in 0..3 {
        clock.advance(LATEST_PING);
        assert_eq!(peer.received(), KEEPALIVE_PING);
        peer.send(masked(PONG, &KEEPALIVE_PING[2..]));
    }
    peer.send(masked(PONG, b"mine"));
    peer.send(masked_close(1000, ""));
    clock.advance(Duration::from_secs(3));

    let lines = recorder.lines();
    assert_eq!(lines.iter().filter(|line| line.starts_with("pong")).count(), 1, "{lines:?}");
    assert_eq!(lines.last().map(String::as_str), Some("disconnected Some(1000) "));
    Ok(())
}

/// A peer that sends something is not pinged.
#[test]
fn keepalive_leaves_a_talking_peer_alone() -> Result<()> {
    let clock = VirtualClock::install();
    let (server, _recorder) = recorded_server();
    let peer = Peer::connect(&server)?;
    peer.upgrade()?;

    for _ in 0..20 {
        peer.send(masked_texts(&["hi"]));
        clock.advance(INTERVAL / 2);
    }

    assert_eq!(peer.received(), b"");
    Ok(())
}

/// A shorter interval counts at once, also for clients that are connected: here the one before lasts
/// for ever.
#[test]
fn a_shorter_keepalive_interval_counts_for_connected_clients() -> Result<()> {
    let clock = VirtualClock::install();
    for before in [Duration::MAX, Duration::from_secs(1_000_000)] {
        let (server, _recorder) = recorded_server();
        server.set_keepalive_interval(Some(before));
        let peer = Peer::connect(&server)?;
        peer.upgrade()?;
        clock.advance(Duration::from_secs(1000));
        assert_eq!(peer.received(), b"");

        server.set_keepalive_interval(Some(INTERVAL));
        clock.advance(LATEST_PING);

        assert_eq!(peer.received(), KEEPALIVE_PING);
    }
    Ok(())
}

/// MSG-10: keepalive ends half-open connections and leaves the others alone.
#[test]
fn keepalive_ends_a_connection_whose_peer_is_gone() -> Result<()> {
    let clock = VirtualClock::install();
    let (server, recorder) = recorded_server();
    // It reads nothing and sends nothing, like a peer on a machine that has failed.
    let gone = Peer::connect(&server)?;
    gone.upgrade()?;
    let (client, ..) = testing::pair(&server)?;

    clock.advance((2 * INTERVAL).saturating_sub(Duration::from_millis(1)));
    recorder.check(&[])?;
    clock.advance(2 * LATEST_PING.saturating_sub(INTERVAL));

    recorder.check(&[
        "error: the peer was idle and did not answer a ping",
        "Unconnected",
        "disconnected Some(1006) ",
    ])?;
    assert!(client.is_valid());
    Ok(())
}

/// The time of the answer begins when the ping leaves: a ping that waits for room is not held
/// against the peer.
#[test]
fn a_ping_that_is_delayed_does_not_end_a_connection() -> Result<()> {
    let clock = VirtualClock::install();
    let (server, recorder) = recorded_server();
    let (_client, _socket, link) = testing::pair(&server)?;
    link.to_client().delay(INTERVAL / 2);

    clock.advance(20 * INTERVAL);

    recorder.check(&[])
}

/// A pending socket reads nothing, so that it cannot be idle.
#[test]
fn keepalive_leaves_pending_sockets_alone() -> Result<()> {
    let clock = VirtualClock::install();
    let server = WebSocketServer::new("Test Server", SslMode::NonSecure);
    let silent = Peer::connect(&server)?;
    silent.upgrade()?;
    clock.advance(10 * INTERVAL);

    let pending = server.next_pending_connection().context("nothing is pending")?;
    let errors = SignalSpy::new(&pending.error_occurred());
    clock.advance(INTERVAL);
    assert_eq!(errors.count(), 0);
    clock.advance(2 * INTERVAL);

    assert!(matches!(*errors.values(), [Error::KeepaliveTimeout]));
    Ok(())
}

/// MSG-10: the same for clients that are accepted after pending sockets were shut down.
#[test]
fn keepalive_goes_on_after_a_shutdown_of_pending_sockets() -> Result<()> {
    let clock = VirtualClock::install();
    let server = WebSocketServer::new("Test Server", SslMode::NonSecure);
    let peer = Peer::connect(&server)?;
    peer.upgrade()?;
    let closed = SignalSpy::new(&server.closed());
    server.shutdown(INTERVAL);
    peer.send(masked_close(1001, ""));
    peer.end();
    closed.wait_for(1)?;

    let silent = Peer::connect(&server)?;
    silent.upgrade()?;
    let socket = server.next_pending_connection().context("nothing is pending")?;
    let errors = SignalSpy::new(&socket.error_occurred());
    clock.advance(3 * INTERVAL);

    assert!(matches!(*errors.values(), [Error::KeepaliveTimeout]));
    Ok(())
}
