//! TLS connections that end in the middle of the handshake, at any byte.

use std::sync::mpsc;

use anyhow::{Result, ensure};
use rustls::SupportedProtocolVersion;
use slotwork::signals::SignalSpy;
use slotwork::{SocketState, WebSocket};

use support::certificates::Authority;
use support::relay::{Direction, cutting};
use support::secure_client::check_open;
use support::tls_peer::{check_good_tls_client, client_config};
use support::{secure_echo_server, serve, wait_until};

/// The number of bytes behind one that was tried.
fn next(length: u64) -> u64 {
    // Each of the first record, with its header; a prime number from there on.
    if length < 60 { length + 1 } else { length + 13 }
}

/// Cuts one connection after another, the next one a little later, until one is open.
fn cut(direction: Direction, version: &'static SupportedProtocolVersion) -> Result<()> {
    let authority = Authority::new()?;
    let server = secure_echo_server(authority.server_config()?)?;
    let connections = SignalSpy::new(&server.new_connection());
    let (sender, lengths) = mpsc::channel();
    let port = cutting(server.server_port(), direction, lengths)?;
    let mut length = 0;

    let open = loop {
        ensure!(length < 10_000, "it is never open");
        sender.send(length)?;
        let socket = WebSocket::new();
        let config = client_config(&authority.certificate(), &[version])?;
        socket.set_tls_config(slotwork::TlsConfig::from_client_config(config));
        socket.open(format!("wss://localhost:{port}"))?;
        wait_until(|| socket.state() != SocketState::Connecting)?;
        if socket.error().is_none() {
            break socket;
        }
        assert_eq!(socket.state(), SocketState::Unconnected);
        // A server whose answer was cut has had the whole request.
        ensure!(direction == Direction::Down || connections.count() == 0, "{length} bytes");
        length = next(length);
    };

    ensure!(length > 400, "open after {length} bytes");
    drop((open, sender));
    let (port, trusted) = (server.server_port(), authority.certificate());
    serve(move || check_good_tls_client(port, &trusted))
}

/// RFC 8446 §6.1: the end of TCP is not that of a handshake.
#[test]
fn a_handshake_that_is_cut_at_any_byte_fails_at_both_ends() -> Result<()> {
    for version in rustls::ALL_VERSIONS {
        for direction in [Direction::Up, Direction::Down] {
            cut(direction, version)?;
        }
    }
    Ok(())
}

/// The certificate is that of the server, whatever was cut before.
#[test]
fn a_client_connects_after_a_cut() -> Result<()> {
    let authority = Authority::new()?;
    let server = secure_echo_server(authority.server_config()?)?;
    let (sender, lengths) = mpsc::channel();
    let port = cutting(server.server_port(), Direction::Down, lengths)?;
    let socket = WebSocket::new();
    socket.set_tls_config(authority.client_config());
    for length in [0, 1, 100, 700, u64::MAX] {
        sender.send(length)?;
        socket.open(format!("wss://localhost:{port}"))?;
        wait_until(|| socket.state() != SocketState::Connecting)?;
        if length != u64::MAX {
            ensure!(socket.error().is_some());
        }
        wait_until(|| length == u64::MAX || socket.state() == SocketState::Unconnected)?;
    }
    check_open(&socket)
}
