//! Rates: messages and bytes that are read of a client in a second.

use anyhow::{Result, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{Limit, WebSocketServer};

use support::raw_peer::{RawPeer, check_good_client, masked, masked_texts, request_with};
use support::{echo_server, serve, wait_until};

/// A client over the rate gets its answers later; others, and their messages, do not wait.
#[test]
fn a_client_over_the_rate_is_held_back_and_not_disconnected() -> Result<()> {
    let server = echo_server()?;
    assert_eq!((server.max_messages_per_second(), server.max_bytes_per_second()), (None, None));
    server.set_max_messages_per_second(Some(20));
    let limits = SignalSpy::new(&server.limit_reached());
    let port = server.server_port();

    let local = serve(move || {
        let mut flood = RawPeer::open(port)?;
        flood.send(masked_texts(&["x"; 30]))?;
        flood.expect_texts(&["x"; 20])?;
        check_good_client(port)?;
        flood.expect_texts(&["x"; 10])?;
        Ok(flood.try_clone_stream()?.local_addr()?)
    })?;

    ensure!(limits.count() == 1, "{limits:?}");
    let Some(reached) = limits.at(0) else { anyhow::bail!("no signal") };
    assert_eq!((reached.limit, reached.peer), (Limit::MessagesPerSecond, local));
    Ok(())
}

/// Bytes are those of frames; a socket may have another limit than its server.
#[test]
fn bytes_are_limited_by_the_server_or_for_one_socket() -> Result<()> {
    let server = echo_server()?;
    server.set_max_bytes_per_second(Some(1_000));
    let limits = SignalSpy::new(&server.limit_reached());
    server.new_connection().connect(|server, ()| {
        for client in server.clients() {
            if client.request().has_raw_header("X-Unlimited") {
                client.set_max_bytes_per_second(None);
            }
        }
    });
    let port = server.server_port();

    serve(move || {
        let mut unlimited = RawPeer::connect(port)?;
        unlimited.send(request_with("X-Unlimited: 1\r\n"))?;
        unlimited.expect_upgrade()?;
        for _ in 0..10 {
            unlimited.check_echo(&"x".repeat(600))?;
        }
        let mut limited = RawPeer::open(port)?;
        limited.check_echo(&"x".repeat(1_100))?;
        limited.check_echo("later")
    })?;

    ensure!(limits.count() == 1);
    let reached = limits.at(0).map(|reached| reached.limit);
    assert_eq!(reached, Some(Limit::BytesPerSecond));
    Ok(())
}

/// A slot of the signal may close the client that is held back.
#[test]
fn a_slot_of_limit_reached_may_close_the_client() -> Result<()> {
    let server = echo_server()?;
    server.set_max_messages_per_second(Some(0));
    assert_eq!(server.max_messages_per_second(), Some(1));
    server.set_max_messages_per_second(Some(3));
    server.limit_reached().connect(|server: &WebSocketServer, _reached| {
        for client in server.clients() {
            client.abort();
        }
    });
    let port = server.server_port();

    serve(move || {
        let mut flood = RawPeer::open(port)?;
        flood.send([masked_texts(&["x"; 5]), masked(1, b"y")].concat())?;
        flood.read_to_end()?;
        check_good_client(port)
    })?;

    wait_until(|| server.clients().is_empty())
}
