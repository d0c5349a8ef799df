//! Clients that reconnect by themselves: `set_reconnect`, `reconnecting`.

mod attempts;
mod causes;
mod control;
mod slots;
mod urls;
#[cfg(feature = "testing")]
mod virtual_time;

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use anyhow::Result;
use slotwork::{Reconnect, SocketState, WebSocket};

use support::raw_server::RawClient;
use support::recorder::Recorder;
use support::{recorded_client, wait_until};

const HOUR: Duration = Duration::from_secs(3600);

/// A policy whose delays take no time.
fn at_once() -> Reconnect {
    Reconnect::new().delay(Duration::ZERO..=Duration::ZERO)
}

/// A policy whose delays do not pass during a test.
fn never() -> Reconnect {
    Reconnect::new().delay(HOUR..=HOUR).jitter(0.0)
}

/// Makes a client that reconnects, with a recorder of its signals, also of `reconnecting`.
fn reconnecting_client(policy: Reconnect) -> (WebSocket, Recorder) {
    let (socket, recorder) = recorded_client();
    let lines = recorder.clone();
    socket.reconnecting().connect(move |_socket, attempt| {
        lines.add(format!("reconnecting {}", attempt.number));
    });
    socket.set_reconnect(Some(policy));
    (socket, recorder)
}

/// Runs the loop until the client waits to reconnect.
fn wait_for_delay(socket: &WebSocket) -> Result<()> {
    wait_until(|| socket.is_reconnecting() && socket.state() == SocketState::Unconnected)
}

/// Returns a URL of a port that refuses connections.
fn refusing_url() -> Result<String> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    Ok(format!("ws://127.0.0.1:{port}/"))
}

fn answer(client: &mut RawClient, status: &str) -> Result<()> {
    client.peer.send(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"))
}
