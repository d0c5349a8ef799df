//! Signals of the whole server and of its parts: which one emits what, and in which thread.

use anyhow::{Result, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{HostAddress, SslMode, WebSocketServer};

use support::logged::warnings_of;
use support::raw_peer::{RawPeer, check_good_client};
use support::{DEADLINE, serve, wait_until};

use crate::server::threads::{Shared, echo_all, echo_on_threads, thread_name};

/// SRV-17: the error of a handshake is emitted by the part and by the server, each in its thread.
#[test]
fn errors_of_handshakes_are_emitted_by_the_part_and_the_whole() -> Result<()> {
    let server = WebSocketServer::new("Errors", SslMode::NonSecure);
    let of_parts = Shared::new();
    let added = of_parts.clone();
    let _threads = server.serve_on_threads(2, move |part| {
        echo_all(part);
        let added = added.clone();
        part.server_error()
            .connect(move |_part, error| added.add((thread_name(), error.to_string())));
    })?;
    server.listen(HostAddress::LocalHost, 0)?;
    let errors = SignalSpy::new(&server.server_error());
    let port = server.server_port();

    serve(move || {
        RawPeer::connect(port)?.send("GARBAGE\r\n\r\n")?;
        check_good_client(port)
    })?;
    errors.wait_for(1)?;

    let of_parts = of_parts.get();
    assert_eq!(of_parts, [("Errors 0".to_owned(), errors.values()[0].to_string())]);
    assert_eq!(server.error().map(|error| error.to_string()), Some(of_parts[0].1.clone()));
    Ok(())
}

/// `closed` is emitted by the server alone, `new_connection` by the parts alone.
#[test]
fn closed_is_emitted_by_the_whole_and_new_connection_by_parts() -> Result<()> {
    let server = WebSocketServer::new("Signals", SslMode::NonSecure);
    let of_parts = Shared::new();
    let added = of_parts.clone();
    let _threads = server.serve_on_threads(2, move |part| {
        echo_all(part);
        let (closed, connected) = (added.clone(), added.clone());
        part.closed().connect(move |_part, ()| closed.add("closed"));
        part.new_connection().connect(move |_part, ()| connected.add("new connection"));
    })?;
    server.listen(HostAddress::LocalHost, 0)?;
    let (closed, connected) =
        (SignalSpy::new(&server.closed()), SignalSpy::new(&server.new_connection()));
    let port = server.server_port();

    serve(move || check_good_client(port))?;
    server.shutdown(DEADLINE);
    closed.wait_for(1)?;

    assert_eq!(of_parts.get(), ["new connection"]);
    assert_eq!((closed.count(), connected.count()), (1, 0));
    Ok(())
}

/// A slot of `new_connection` of the whole server is an error of the program: one warning.
#[test]
fn a_slot_of_new_connection_of_the_whole_is_warned_of_once() -> Result<()> {
    let warnings = warnings_of(|| {
        let (server, _threads) = echo_on_threads(1)?;
        echo_all(&server);
        let port = server.server_port();
        serve(move || (0..3).try_for_each(|_| check_good_client(port)))
    })?;

    ensure!(warnings.len() == 1 && warnings[0].contains("new_connection"), "{warnings:?}");
    Ok(())
}

/// `close` of the server ends the handshakes and pending sockets of all parts, and no others.
#[test]
fn close_ends_what_was_not_taken_in_all_parts() -> Result<()> {
    let (server, _threads) = echo_on_threads(2)?;
    let closed = SignalSpy::new(&server.closed());
    let port = server.server_port();
    let (mut taken, silent) = serve(move || {
        let taken = [RawPeer::open(port)?, RawPeer::open(port)?];
        Ok((taken, [RawPeer::connect(port)?, RawPeer::connect(port)?]))
    })?;
    wait_until(|| server.clients().len() == 2)?;

    server.close();
    closed.wait_for(1)?;

    serve(move || {
        for mut peer in silent {
            ensure!(peer.read_to_end()?.is_empty());
        }
        taken.iter_mut().try_for_each(|peer| peer.check_echo("still open"))
    })?;
    assert!(!server.is_listening());
    Ok(())
}

/// A closed server listens again, with the same threads.
#[test]
fn a_server_that_was_closed_listens_again_with_its_threads() -> Result<()> {
    let (server, _threads) = echo_on_threads(2)?;
    let closed = SignalSpy::new(&server.closed());

    for round in 1..=3 {
        let port = server.server_port();
        serve(move || check_good_client(port))?;
        if round == 2 {
            server.shutdown(DEADLINE);
        } else {
            server.close();
        }
        closed.wait_for(round)?;
        server.listen(HostAddress::LocalHost, 0)?;
    }
    Ok(())
}
