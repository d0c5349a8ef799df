//! Limits: of connections and handshakes for all threads together, of pending ones in each.

use std::sync::mpsc;

use anyhow::{Result, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{Error, HostAddress, SslMode, WebSocketServer};

use support::raw_peer::{RawPeer, check_good_client};
use support::{serve, wait_until};

use crate::server::threads::{echo_all, echo_on_threads};

/// SRV-20: `set_max_connections` holds for all threads, also for clients that come at once.
#[test]
fn the_limit_of_connections_holds_for_all_threads_together() -> Result<()> {
    let (server, _threads) = echo_on_threads(4)?;
    server.set_max_connections(Some(6));
    let errors = SignalSpy::new(&server.server_error());
    let port = server.server_port();

    let (peers, refused) = serve(move || {
        let mut peers = (0..20).map(|_| RawPeer::connect(port)).collect::<Result<Vec<_>>>()?;
        peers.iter_mut().try_for_each(|peer| peer.send(support::raw_peer::request()))?;
        let statuses = peers.iter_mut().map(RawPeer::read_status).collect::<Result<Vec<_>>>()?;
        let refused = statuses.iter().filter(|status| **status == 503).count();
        ensure!(statuses.iter().all(|status| [101, 503].contains(status)), "{statuses:?}");
        Ok((peers, refused))
    })?;
    errors.wait_for(14)?;

    assert_eq!(refused, 14);
    ensure!(
        errors
            .values()
            .iter()
            .all(|error| matches!(error, Error::TooManyConnections { limit: 6, .. })),
        "{errors:?}"
    );
    // There is room again when clients leave.
    drop(peers);
    wait_until(|| server.clients().is_empty())?;
    serve(move || check_good_client(port))
}

/// `set_max_handshakes` holds for all threads: the next connection is refused with 503.
#[test]
fn the_limit_of_handshakes_holds_for_all_threads_together() -> Result<()> {
    let (server, _threads) = echo_on_threads(2)?;
    server.set_max_handshakes(Some(3));
    let errors = SignalSpy::new(&server.server_error());
    let port = server.server_port();

    let silent = serve(move || {
        let silent = (0..3).map(|_| RawPeer::connect(port)).collect::<Result<Vec<_>>>()?;
        ensure!(RawPeer::connect(port)?.read_status()? == 503);
        Ok(silent)
    })?;
    errors.wait_for(1)?;

    let error = errors.at(0);
    ensure!(matches!(error, Some(Error::TooManyHandshakes { limit: 3, .. })), "{error:?}");
    drop(silent);
    // Their ends are noticed one after the other.
    serve(move || {
        while check_good_client(port).is_err() {}
        Ok(())
    })
}

/// Each thread has its own queue of pending connections, of the size that is set on the server.
#[test]
fn pending_connections_are_limited_in_each_thread() -> Result<()> {
    let server = WebSocketServer::new("Pending", SslMode::NonSecure);
    server.set_max_pending_connections(2);
    let _threads = server.serve_on_threads(2, |_part| ())?;
    server.listen(HostAddress::LocalHost, 0)?;
    let port = server.server_port();

    serve(move || {
        let mut peers = (0..4).map(|_| RawPeer::open(port)).collect::<Result<Vec<_>>>()?;
        let mut fifth = RawPeer::connect(port)?;
        fifth.send(support::raw_peer::request())?;
        ensure!(fifth.read_status()? == 503);
        peers.iter_mut().try_for_each(RawPeer::expect_silence)
    })
}

/// The limit of a part is its own.
#[test]
fn a_limit_of_a_part_holds_there_alone() -> Result<()> {
    let server = WebSocketServer::new("Own limits", SslMode::NonSecure);
    let _threads = server.serve_on_threads(2, |part| {
        echo_all(part);
        part.set_max_connections(Some(1));
    })?;
    server.listen(HostAddress::LocalHost, 0)?;
    let port = server.server_port();

    assert_eq!(server.max_connections(), None);
    serve(move || {
        let _peers = [RawPeer::open(port)?, RawPeer::open(port)?];
        let mut third = RawPeer::connect(port)?;
        third.send(support::raw_peer::request())?;
        ensure!(third.read_status()? == 503);
        Ok(())
    })
}

/// Connections over the limit do not pile up for a thread that does not take them.
#[test]
fn connections_for_a_blocked_thread_are_limited() -> Result<()> {
    const WAITING: usize = 1 + 256;
    let (server, threads) = echo_on_threads(1)?;
    server.set_max_handshakes(Some(1));
    let errors = SignalSpy::new(&server.server_error());
    let port = server.server_port();
    let (release, released) = mpsc::channel::<()>();
    threads.handle(0).post(move || _ = released.recv());

    let peers = serve(move || {
        (0..WAITING + 20).map(|_| RawPeer::connect(port)).collect::<Result<Vec<_>>>()
    })?;
    errors.wait_for(20)?;

    let is_limit = |error: &Error| matches!(error, Error::TooManyHandshakes { limit: 1, .. });
    ensure!(errors.values().iter().all(is_limit), "{errors:?}");
    drop((peers, release));
    wait_until(|| errors.count() >= WAITING)?;
    server.set_max_handshakes(None);
    serve(move || check_good_client(port))
}
