//! The durations of a client's steps.

#[cfg(feature = "testing")]
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use slotwork::signals::SignalSpy;
#[cfg(feature = "testing")]
use slotwork::testing::{Host, VirtualClock};
use slotwork::{ConnectTimings, NetworkProxy, WebSocket};

#[cfg(feature = "tls")]
use support::certificates::Authority;
use support::raw_server::RawServer;
#[cfg(feature = "tls")]
use support::secure_echo_server;
use support::{echo_server, serve};

#[cfg(feature = "testing")]
const SECOND: Duration = Duration::from_secs(1);

/// Off by default: no duration, and no clock is read.
#[test]
fn without_being_enabled_nothing_is_measured() -> Result<()> {
    let server = echo_server()?;
    let socket = WebSocket::new();

    end_of_opening(&socket, &server.server_url())?;

    ensure!(socket.connect_timings().is_none());
    Ok(())
}

/// A step that a connection does not have has no duration.
#[test]
fn each_step_of_a_connection_has_a_duration() -> Result<()> {
    let server = echo_server()?;

    let timings = measure(|_| (), &server.server_url())?;

    ensure!(steps(&timings) == "look-up, TCP, handshake", "{timings:?}");
    Ok(())
}

#[cfg(feature = "tls")]
#[test]
fn tls_has_a_duration() -> Result<()> {
    let authority = Authority::new()?;
    let server = secure_echo_server(authority.server_config()?)?;
    let trust = |socket: &WebSocket| socket.set_tls_config(authority.client_config());

    let timings = measure(trust, &server.server_url())?;

    ensure!(steps(&timings) == "look-up, TCP, TLS, handshake", "{timings:?}");
    Ok(())
}

/// A step that has failed has no duration, and neither have those behind it.
#[test]
fn an_attempt_that_fails_has_the_durations_of_the_steps_before() -> Result<()> {
    let server = RawServer::listen()?;
    let url = server.url();
    let socket = WebSocket::new();
    socket.set_connect_timings_enabled(true);
    let ended = SignalSpy::new(&socket.disconnected());
    socket.open(url)?;

    serve(move || {
        server.read_request()?.peer.send("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
    })?;
    ended.wait_for(1)?;

    let timings = socket.connect_timings().context("none")?;
    ensure!(steps(&timings) == "look-up, TCP", "{timings:?}");
    Ok(())
}

#[test]
fn the_tunnel_of_a_proxy_has_a_duration() -> Result<()> {
    let server = RawServer::listen()?;
    let socket = WebSocket::new();
    socket.set_connect_timings_enabled(true);
    socket.set_proxy(Some(NetworkProxy::http("127.0.0.1", server.port)));
    let connected = SignalSpy::new(&socket.connected());
    socket.open("ws://server.example/")?;

    let _client = serve(move || {
        let mut client = server.read_request()?;
        client.peer.send("HTTP/1.1 200 OK\r\n\r\n")?;
        client.request = client.peer.read_head()?;
        client.accept("")?;
        Ok(client)
    })?;
    connected.wait_for(1)?;

    let timings = socket.connect_timings().context("none")?;
    ensure!(steps(&timings) == "look-up, TCP, proxy, handshake", "{timings:?}");
    Ok(())
}

/// The connection on which the proxy has required credentials does not count.
#[cfg(feature = "testing")]
#[test]
fn the_durations_are_those_of_the_connection_with_credentials() -> Result<()> {
    let clock = VirtualClock::install();
    let proxy = Host::scripted("proxy.test");
    let socket = WebSocket::new();
    socket.set_connect_timings_enabled(true);
    socket.set_proxy(Some(NetworkProxy::http("proxy.test", 3128).credentials("user", "secret")));
    socket.open("ws://server.example/")?;
    clock.advance(2 * SECOND);
    let first = proxy.accept().context("it does not connect")?;
    first.send(
        "HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=\"here\"\r\nContent-Length: 0\r\n\r\n",
    );
    clock.advance(SECOND);

    let second = proxy.accept().context("it does not connect with credentials")?;
    ensure!(second.received().starts_with(b"CONNECT "));
    second.send("HTTP/1.1 200 OK\r\n\r\n");
    clock.advance(3 * SECOND);
    second.upgrade()?;
    clock.advance(Duration::ZERO);

    let timings = socket.connect_timings().context("none")?;
    ensure!(timings.proxy == Some(SECOND), "{timings:?}");
    ensure!(timings.opening_handshake == Some(3 * SECOND), "{timings:?}");
    Ok(())
}

/// The durations are those of the last `open`, also while it connects.
#[test]
fn another_open_clears_the_durations() -> Result<()> {
    let server = echo_server()?;
    let silent = RawServer::listen()?;
    let socket = WebSocket::new();
    socket.set_connect_timings_enabled(true);
    end_of_opening(&socket, &server.server_url())?;
    let ended = SignalSpy::new(&socket.disconnected());
    socket.close_normally();
    ended.wait_for(1)?;

    socket.open(silent.url())?;

    ensure!(socket.connect_timings() == Some(ConnectTimings::default()));
    Ok(())
}

/// Opens a connection, and returns the durations of its steps.
fn measure(prepare: impl FnOnce(&WebSocket), url: &str) -> Result<ConnectTimings> {
    let socket = WebSocket::new();
    socket.set_connect_timings_enabled(true);
    prepare(&socket);
    end_of_opening(&socket, url)?;
    socket.connect_timings().context("nothing was measured")
}

fn end_of_opening(socket: &WebSocket, url: &str) -> Result<()> {
    let connected = SignalSpy::new(&socket.connected());
    socket.open(url)?;
    Ok(connected.wait_for(1)?)
}

/// Returns the names of the steps that have a duration.
fn steps(timings: &ConnectTimings) -> String {
    let steps = [
        ("look-up", timings.look_up),
        ("TCP", timings.tcp),
        ("proxy", timings.proxy),
        ("TLS", timings.tls),
        ("handshake", timings.opening_handshake),
    ];
    let done = steps.into_iter().filter(|(_, duration)| duration.is_some());
    done.map(|(name, _)| name).collect::<Vec<_>>().join(", ")
}
