//! Delays and causes with a scripted server, in virtual time.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use slotwork::signals::SignalSpy;
use slotwork::testing::{Host, Peer, VirtualClock};
use slotwork::{CloseCode, Error, Reconnect, WebSocket};

use super::{HOUR, never, reconnecting_client};

/// Returns the server's end of the next connection, once it is open.
fn accept(host: &Host, clock: &VirtualClock, socket: &WebSocket) -> Result<Peer> {
    let peer = host.accept().context("it does not connect")?;
    peer.upgrade()?;
    clock.advance(Duration::ZERO);
    ensure!(socket.is_valid(), "{:?}", socket.error());
    Ok(peer)
}

/// A server that ends each connection at once is not connected to without a pause; a connection
/// that has lasted as long as the delay before it begins anew.
#[test]
fn the_delay_grows_until_a_connection_has_lasted() -> Result<()> {
    let clock = VirtualClock::install();
    let host = Host::scripted("server.test");
    let policy = Reconnect::new().delay(Duration::ZERO..=HOUR).jitter(0.0);
    let (socket, _recorder) = reconnecting_client(policy);
    let attempts = SignalSpy::new(&socket.reconnecting());
    socket.open("ws://server.test/")?;
    clock.advance(Duration::ZERO);

    for (lasting, number, delay) in
        [(0, 1, 0), (0, 2, 100), (0, 3, 200), (199, 4, 400), (400, 1, 0), (99, 2, 100), (100, 1, 0)]
    {
        let peer = accept(&host, &clock, &socket)?;
        clock.advance(Duration::from_millis(lasting));
        drop(peer);
        clock.advance(Duration::ZERO);

        let attempt = attempts.values().last().cloned().context("it does not reconnect")?;
        assert_eq!((attempt.number, attempt.delay.as_millis()), (number, delay));
        clock.advance(attempt.delay);
    }
    Ok(())
}

/// A delay that has begun keeps its policy; another one takes effect with the next delay.
#[test]
fn another_policy_takes_effect_with_the_next_delay() -> Result<()> {
    let clock = VirtualClock::install();
    let (socket, _recorder) = reconnecting_client(never());
    let attempts = SignalSpy::new(&socket.reconnecting());
    socket.open("ws://refusing.test/")?;
    clock.advance(Duration::ZERO);

    socket.set_reconnect(Some(Reconnect::new().delay(2 * HOUR..=2 * HOUR).jitter(0.0)));
    clock.advance(HOUR.saturating_sub(Duration::from_millis(1)));
    ensure!(attempts.count() == 1);
    clock.advance(Duration::from_millis(1));

    let delays: Vec<_> = attempts.values().iter().map(|it| (it.number, it.delay)).collect();
    assert_eq!(delays, [(1, HOUR), (2, 2 * HOUR)]);
    Ok(())
}

/// The former connection may lose messages in its closing handshake, after the next `open`.
#[test]
fn a_failure_of_the_former_connection_is_no_cause_after_the_next_one() -> Result<()> {
    let clock = VirtualClock::install();
    let host = Host::scripted("server.test");
    let (socket, _recorder) = reconnecting_client(never());
    let errors = SignalSpy::new(&socket.error_occurred());
    socket.open("ws://server.test/")?;
    clock.advance(Duration::ZERO);
    let former = accept(&host, &clock, &socket)?;

    former.link().stall();
    socket.send_binary_message(vec![7; 1024 * 1024]);
    socket.close_normally();
    socket.open("ws://server.test/")?;
    former.link().cut();
    clock.advance(Duration::ZERO);
    ensure!(matches!(*errors.values(), [Error::RemoteHostClosed]), "{:?}", errors.values());
    let next = accept(&host, &clock, &socket)?;
    next.send([0x88, 2, 0x03, 0xE8]);
    next.end();
    clock.advance(Duration::ZERO);

    ensure!(socket.close_code() == Some(CloseCode::NORMAL) && !socket.is_valid());
    ensure!(!socket.is_reconnecting());
    Ok(())
}
