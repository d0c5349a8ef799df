//! Keepalive: pings for idle clients, and the end of those that do not answer.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use slotwork::Error;
use slotwork::signals::SignalSpy;

use support::raw_peer::{
    PING, PONG, RawPeer, check_good_client, masked, masked_close, masked_texts,
};
use support::recorder::Recorder;
use support::{DEADLINE, echo_server, listening_server, recorded_server, serve, wait_until};

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

    // It reads nothing and sends nothing, like a peer on a machine that has failed.
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

/// A pending socket reads nothing, so that it cannot be idle.
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
