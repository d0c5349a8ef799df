//! Peers that a test scripts: clients and servers as bytes.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use slotwork::signals::SignalSpy;
use slotwork::testing::{self, Host, Peer, VirtualClock};
use slotwork::{Error, SslMode, WebSocket, WebSocketServer};

use support::raw_peer::{masked_close, masked_texts};

fn server() -> WebSocketServer {
    WebSocketServer::new("Test Server", SslMode::NonSecure)
}

/// A peer that is dropped ends its direction; with unread input it resets the connection.
#[test]
fn a_dropped_peer_closes_its_end() -> Result<()> {
    for reads in [true, false] {
        let clock = VirtualClock::install();
        let server = server();
        let peer = Peer::connect(&server)?;
        peer.upgrade()?;
        let socket = server.next_pending_connection().context("there is no socket")?;
        let errors = SignalSpy::new(&socket.error_occurred());
        socket.send_text_message("x");
        clock.advance(Duration::ZERO);
        let link = peer.link();
        if reads {
            ensure!(peer.received() == b"\x81\x01x");
        }

        drop(peer);
        clock.advance(Duration::ZERO);

        ensure!(matches!(*errors.values(), [Error::RemoteHostClosed]), "{:?}", errors.values());
        ensure!(link.is_closed());
        testing::pair(&server)?;
    }
    Ok(())
}

/// A peer that ends its direction still reads: RFC 6455 §7.1.1.
#[test]
fn a_peer_that_ends_its_direction_reads_the_rest() -> Result<()> {
    let clock = VirtualClock::install();
    let server = server();
    let peer = Peer::connect(&server)?;
    peer.upgrade()?;
    let socket = server.next_pending_connection().context("there is no socket")?;
    support::echo(&socket);

    peer.send(masked_texts(&["x"]));
    peer.send(masked_close(1000, ""));
    peer.end();
    clock.advance(Duration::ZERO);

    ensure!(peer.received() == b"\x81\x01x\x88\x02\x03\xE8");
    ensure!(peer.has_ended() && socket.close_code() == Some(1000.into()));
    Ok(())
}

/// The server's part of the handshake, and frames behind its answer.
#[test]
fn a_scripted_host_is_a_server() -> Result<()> {
    let clock = VirtualClock::install();
    let (host, socket) = (Host::scripted("rude.test"), WebSocket::new());
    let received = SignalSpy::new(&socket.text_message_received());
    socket.open("ws://rude.test/path")?;
    clock.advance(Duration::ZERO);
    let peer = host.accept().context("it does not connect")?;

    ensure!(peer.upgrade()?.starts_with("GET /path HTTP/1.1\r\n"));
    peer.send(b"\x81\x02hi");
    clock.advance(Duration::ZERO);
    ensure!(socket.is_valid() && received.values() == ["hi"]);

    // RFC 6455 §5.1: servers do not mask.
    peer.send(masked_texts(&["x"]));
    clock.advance(Duration::ZERO);
    ensure!(!socket.is_valid() && socket.close_code() == Some(1002.into()));
    Ok(())
}

/// An end without a whole head is an error of `upgrade`, at once.
#[test]
fn an_upgrade_without_an_answer_is_an_error() -> Result<()> {
    let clock = VirtualClock::install();
    let server = server();
    server.set_handshake_timeout(Some(Duration::from_secs(1)));
    let peer = Peer::connect(&server)?;
    drop(server);

    ensure!(matches!(peer.upgrade(), Err(Error::ConnectTimeout(_))));
    ensure!(clock.elapsed() < Duration::from_secs(10) && peer.has_ended());
    Ok(())
}
