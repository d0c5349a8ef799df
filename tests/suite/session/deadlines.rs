//! Deadlines of an open connection, in virtual time: closing, writing, lingering.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use slotwork::signals::SignalSpy;
use slotwork::testing::{self, Peer, VirtualClock};
use slotwork::{CloseCode, Error, SslMode, WebSocket, WebSocketServer};

use support::raw_peer::{masked_close, masked_texts};

const CLOSING_TIMEOUT: Duration = Duration::from_secs(10);
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
const MOMENT: Duration = Duration::from_millis(1);

fn server() -> WebSocketServer {
    WebSocketServer::new("Test Server", SslMode::NonSecure)
}

/// A peer of a server with its socket, taken.
fn open_peer(server: &WebSocketServer) -> Result<(Peer, WebSocket)> {
    let peer = Peer::connect(server)?;
    peer.upgrade()?;
    Ok((peer, server.next_pending_connection().context("there is no socket")?))
}

/// RFC 6455 §7.1.1: a peer that never answers our close frame is closed (1006) after a timeout.
#[test]
fn a_close_frame_that_is_not_answered_ends_the_connection() -> Result<()> {
    let clock = VirtualClock::install();
    let (peer, socket) = open_peer(&server())?;
    let disconnected = SignalSpy::new(&socket.disconnected());

    socket.close(CloseCode::NORMAL, "");
    clock.advance(CLOSING_TIMEOUT.saturating_sub(MOMENT));
    ensure!(disconnected.count() == 0 && peer.received() == [0x88, 2, 3, 0xE8]);
    clock.advance(MOMENT);

    ensure!(disconnected.count() == 1 && socket.close_code() == Some(1006.into()));
    ensure!(peer.has_ended());
    Ok(())
}

/// Any input is a sign of life: it prolongs the wait for the close frame, to 60 s at the most.
#[test]
fn a_peer_that_talks_has_a_minute_to_answer_a_close_frame() -> Result<()> {
    let clock = VirtualClock::install();
    let (peer, socket) = open_peer(&server())?;
    let disconnected = SignalSpy::new(&socket.disconnected());

    socket.close(CloseCode::NORMAL, "");
    clock.advance(Duration::ZERO);
    for _ in 0..59 {
        peer.send(masked_texts(&["wait"]));
        clock.advance(Duration::from_secs(1));
    }
    peer.send(masked_texts(&["wait"]));
    clock.advance(Duration::from_secs(1).saturating_sub(MOMENT));
    ensure!(disconnected.count() == 0);
    clock.advance(MOMENT);

    ensure!(disconnected.count() == 1 && socket.close_code() == Some(1006.into()));
    Ok(())
}

/// RFC 6455 §7.1.1: after the closing handshake a peer has 2 s to end its side of TCP.
#[test]
fn a_peer_that_does_not_end_after_the_closing_handshake_is_left() -> Result<()> {
    let clock = VirtualClock::install();
    let (peer, socket) = open_peer(&server())?;
    let disconnected = SignalSpy::new(&socket.disconnected());

    peer.send(masked_close(1000, ""));
    peer.send(masked_texts(&["still talking"]));
    clock.advance(Duration::from_secs(2).saturating_sub(MOMENT));
    ensure!(disconnected.count() == 0);
    clock.advance(MOMENT);

    ensure!(disconnected.count() == 1 && socket.close_code() == Some(1000.into()));
    Ok(())
}

/// MSG-10: output that nothing takes ends the connection after the write timeout.
#[test]
fn output_without_progress_ends_the_connection() -> Result<()> {
    let clock = VirtualClock::install();
    let server = server();
    let (_client, socket, link) = testing::pair(&server)?;
    let errors = SignalSpy::new(&socket.error_occurred());

    server.set_keepalive_interval(None);
    link.to_client().stall();
    socket.send_binary_message(vec![7; 1024 * 1024]);
    clock.advance(WRITE_TIMEOUT.saturating_sub(MOMENT));
    ensure!(errors.count() == 0);
    clock.advance(MOMENT);

    ensure!(
        matches!(*errors.values(), [Error::WriteTimeout(WRITE_TIMEOUT)]),
        "{:?}",
        errors.values()
    );
    Ok(())
}

/// MSG-12: a slow reader is not a dead one, however long its message takes; nor is it after `close`.
#[test]
fn a_slow_line_delivers_everything_before_the_close_frame() -> Result<()> {
    const LENGTH: usize = 4 * 1024 * 1024;
    let clock = VirtualClock::install();
    let server = server();
    let (client, socket, link) = testing::pair(&server)?;
    let received = SignalSpy::new(&client.binary_message_received());
    let disconnected = SignalSpy::new(&client.disconnected());

    link.to_client().bandwidth(10 * 1024);
    socket.send_binary_message(vec![7; LENGTH]);
    socket.close(CloseCode::NORMAL, "done");
    clock.advance(Duration::from_secs(409));
    ensure!(received.count() == 0 && disconnected.count() == 0);
    clock.advance(Duration::from_secs(5));

    ensure!(received.values() == [vec![7; LENGTH]]);
    ensure!(client.close_reason() == "done" && client.error().is_none());
    ensure!(socket.close_code() == Some(CloseCode::NORMAL) && socket.error().is_none());
    Ok(())
}

/// A connection that was ended by a deadline lingers, so that the peer reads what was sent, for two
/// minutes at the most.
#[test]
fn a_descriptor_lingers_for_two_minutes() -> Result<()> {
    let clock = VirtualClock::install();
    let (peer, socket) = open_peer(&server())?;

    socket.close(CloseCode::NORMAL, "");
    clock.advance(CLOSING_TIMEOUT);
    ensure!(!socket.is_valid() && !peer.link().is_closed());
    let link = peer.link();
    peer.send("x");
    clock.advance(Duration::from_secs(121));
    peer.send("y");
    clock.advance(Duration::ZERO);
    ensure!(peer.has_ended());
    drop(peer);

    ensure!(link.is_closed());
    Ok(())
}

/// LOOP-05: a client that does not answer a shutdown is closed at its deadline.
#[test]
fn a_shutdown_ends_at_its_deadline() -> Result<()> {
    let clock = VirtualClock::install();
    let server = server();
    let (peer, socket) = open_peer(&server)?;
    let (closed, disconnected) =
        (SignalSpy::new(&server.closed()), SignalSpy::new(&socket.disconnected()));

    server.shutdown(Duration::from_secs(3));
    clock.advance(Duration::from_secs(3).saturating_sub(MOMENT));
    ensure!(closed.count() == 0);
    clock.advance(MOMENT);

    ensure!(closed.count() == 1 && disconnected.count() == 1);
    ensure!(peer.received().get(2..4) == Some(&[0x03, 0xE9][..]));
    Ok(())
}
