//! Shutdown: 1001 to each client, and `closed` when all have answered or the time is over.

use anyhow::{Result, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{EventLoop, SslMode, WebSocketServer};

use support::raw_peer::{RawPeer, check_good_client};
use support::{DEADLINE, echo_server, listening_server, recorded_server, serve, wait_until};

/// LOOP-05: 1001 to all, then `closed`, once, when all have answered.
#[test]
fn shutdown_sends_1001_to_all_clients() -> Result<()> {
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

/// Pending sockets are closed as well, and waited for.
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
