//! The deadline of the opening handshake, in virtual time.

use std::time::Duration;

use anyhow::{Result, ensure};
use slotwork::signals::SignalSpy;
use slotwork::testing::{self, Peer, VirtualClock};
use slotwork::{Error, SslMode, WebSocketServer};

use support::raw_peer;

const DEFAULT: Duration = Duration::from_secs(10);
const MOMENT: Duration = Duration::from_millis(1);

/// Qt: SRV-20 and SRV-21, where the peer gets no answer and the program no signal.
#[test]
fn silent_and_dripping_peers_are_cut_at_the_deadline() -> Result<()> {
    let clock = VirtualClock::install();
    let server = WebSocketServer::new("Test Server", SslMode::NonSecure);
    let errors = SignalSpy::new(&server.server_error());
    let (silent, dripping) = (Peer::connect(&server)?, Peer::connect(&server)?);

    for byte in raw_peer::request().bytes().cycle().take(99) {
        dripping.send([byte]);
        clock.advance(DEFAULT / 100);
    }
    clock.advance((DEFAULT / 100).saturating_sub(MOMENT));
    ensure!(silent.received().is_empty() && dripping.received().is_empty());
    clock.advance(MOMENT);

    for peer in [silent, dripping] {
        let answer = String::from_utf8(peer.received())?;
        ensure!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        ensure!(answer.contains("Connection: close\r\n"), "{answer}");
    }
    ensure!(errors.count() == 2);
    ensure!(errors.values().iter().all(|error| matches!(error, Error::HandshakeTimeout { .. })));
    testing::pair(&server)?;
    Ok(())
}

/// Qt: SRV-20, last block.
#[test]
fn the_deadline_is_over_with_the_handshake() -> Result<()> {
    let clock = VirtualClock::install();
    let server = WebSocketServer::new("Test Server", SslMode::NonSecure);

    let (client, socket, _link) = testing::pair(&server)?;
    clock.advance(100 * DEFAULT);

    ensure!(client.is_valid() && socket.is_valid());
    Ok(())
}

/// Qt: SRV-20, first block; the limit of later connections counts for them only.
#[test]
fn without_a_deadline_a_peer_may_take_its_time() -> Result<()> {
    let clock = VirtualClock::install();
    let server = WebSocketServer::new("Test Server", SslMode::NonSecure);
    server.set_handshake_timeout(None);
    let slow = Peer::connect(&server)?;
    clock.advance(Duration::ZERO);

    server.set_handshake_timeout(Some(DEFAULT));
    let cut = Peer::connect(&server)?;
    clock.advance(100 * DEFAULT);

    ensure!(cut.received().starts_with(b"HTTP/1.1 408 "));
    ensure!(slow.upgrade()?.starts_with("HTTP/1.1 101 "));
    Ok(())
}

/// Qt: SRV-21: a timeout of zero is shorter than any handshake, and does no harm.
#[test]
fn a_deadline_of_nothing_is_reported_for_each_peer() -> Result<()> {
    let clock = VirtualClock::install();
    let server = WebSocketServer::new("Test Server", SslMode::NonSecure);
    server.set_handshake_timeout(Some(Duration::ZERO));
    let errors = SignalSpy::new(&server.server_error());

    for count in 1..=2 {
        let peer = Peer::connect(&server)?;
        clock.advance(Duration::ZERO);
        ensure!(peer.received().starts_with(b"HTTP/1.1 408 "));
        ensure!(errors.count() == count);
    }
    Ok(())
}
