//! The connect timeout of clients, in virtual time.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use slotwork::signals::SignalSpy;
use slotwork::testing::{Host, Peer, VirtualClock};
use slotwork::{Error, WebSocket};

const DEFAULT: Duration = Duration::from_secs(10);
const MOMENT: Duration = Duration::from_millis(1);

/// Opens a client at a scripted host; returns the server's end after its request.
fn open(clock: &VirtualClock) -> Result<(WebSocket, Peer)> {
    let (host, socket) = (Host::scripted("server.test"), WebSocket::new());
    socket.open("ws://server.test/")?;
    clock.advance(Duration::ZERO);
    let peer = host.accept().context("it does not connect")?;
    ensure!(peer.received().ends_with(b"\r\n\r\n"));
    Ok((socket, peer))
}

/// CLIENT-01; Qt: CLI-18 waits for ever.
#[test]
fn a_silent_server_is_left_at_the_deadline() -> Result<()> {
    let clock = VirtualClock::install();
    let (socket, peer) = open(&clock)?;
    let errors = SignalSpy::new(&socket.error_occurred());

    clock.advance(DEFAULT.saturating_sub(MOMENT));
    ensure!(errors.count() == 0);
    clock.advance(MOMENT);

    ensure!(matches!(*errors.values(), [Error::ConnectTimeout(DEFAULT)]));
    ensure!(peer.has_ended() && peer.received().is_empty());
    Ok(())
}

/// CLIENT-01: the deadline is one for all, however slowly bytes arrive, interim answers too.
#[test]
fn a_dripping_server_is_left_at_the_deadline() -> Result<()> {
    for drips in ["HTTP/1.1 101 Switching Protocols\r\nX: y", "HTTP/1.1 103 Early Hints\r\n\r\n"] {
        let clock = VirtualClock::install();
        let (socket, peer) = open(&clock)?;
        let disconnected = SignalSpy::new(&socket.disconnected());

        for byte in drips.bytes().cycle().take(99) {
            peer.send([byte]);
            clock.advance(DEFAULT / 100);
        }
        ensure!(disconnected.count() == 0, "{:?}", socket.error());
        clock.advance(DEFAULT / 100);

        ensure!(matches!(socket.error(), Some(Error::ConnectTimeout(_))), "{:?}", socket.error());
    }
    Ok(())
}

/// A peer that does not answer `close` delays the next connection by the closing timeout.
#[test]
fn an_open_behind_a_close_waits_for_the_closing_timeout() -> Result<()> {
    let clock = VirtualClock::install();
    let host = Host::scripted("silent.test");
    let socket = WebSocket::new();
    socket.open("ws://silent.test/")?;
    clock.advance(Duration::ZERO);
    let first = host.accept().context("it does not connect")?;
    first.upgrade()?;
    clock.advance(Duration::ZERO);
    ensure!(socket.is_valid());

    socket.close_normally();
    socket.open("ws://silent.test/")?;
    clock.advance(socket.closing_timeout().unwrap_or_default().saturating_sub(MOMENT));
    ensure!(host.accept().is_none());
    clock.advance(MOMENT);

    ensure!(host.accept().is_some());
    Ok(())
}
