//! Rates of clients: how much is read of a server in a second, in virtual time.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use slotwork::WebSocket;
use slotwork::signals::SignalSpy;
use slotwork::testing::{Host, VirtualClock};

use support::raw_peer::TEXT;
use support::raw_server::unmasked;

/// A rate is that of one connection: what the last one has read does not hold back the next.
#[test]
fn the_next_connection_is_not_held_back_for_the_last_one() -> Result<()> {
    let clock = VirtualClock::install();
    let host = Host::scripted("server.test");
    let socket = WebSocket::new();
    socket.set_max_bytes_per_second(Some(1));
    let texts = SignalSpy::new(&socket.text_message_received());

    for connection in 1..=2 {
        socket.open("ws://server.test/")?;
        clock.advance(Duration::ZERO);
        let peer = host.accept().context("it does not connect")?;
        peer.upgrade()?;
        peer.send(unmasked(
            TEXT,
            b"sixty-two bytes, for which a rate of one has to wait a minute.",
        ));
        clock.advance(Duration::ZERO);

        ensure!(texts.count() == connection, "{texts:?}");
        ensure!(socket.stats().is_reading_held);
        socket.abort();
        clock.advance(Duration::ZERO);
    }
    Ok(())
}
