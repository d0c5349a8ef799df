//! Proxies in front of a Unix socket, and the addresses of their clients.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use slotwork::{WebSocket, WebSocketServer};

use support::raw_peer::request_with;
use support::{run_until, serve};

use super::{Folder, connect, server};

/// The server's socket of a client that sends these bytes.
fn accept(server: &WebSocketServer, path: &Path, bytes: impl Into<Vec<u8>>) -> Result<WebSocket> {
    let (path, bytes) = (path.to_owned(), bytes.into());
    let accepted = server.new_connection().next();
    let _peer = serve(move || {
        let mut peer = connect(&path)?;
        peer.send(bytes)?;
        peer.expect_upgrade()?;
        Ok(peer)
    })?;
    run_until(accepted)?.context("no connection")?;
    server.next_pending_connection().context("no socket")
}

const FORWARDED: &str = "X-Forwarded-For: 9.9.9.9, 1.1.1.1, 10.0.0.1\r\n";

/// OPEN-20: headers are not believed unless that was set.
#[test]
fn a_proxy_over_a_unix_socket_is_trusted_on_request() -> Result<()> {
    let folder = Folder::new()?;
    let server = server();
    server.set_trusted_proxies(["10.0.0.0/8".parse()?, "0.0.0.0/0".parse()?]);
    server.listen_unix(folder.path(), 0o600)?;
    ensure!(!server.unix_peers_trusted());
    ensure!(accept(&server, &folder.path(), request_with(FORWARDED))?.client_address().is_none());

    server.set_unix_peers_trusted(true);
    server.set_trusted_proxies(["10.0.0.0/8".parse()?]);
    ensure!(server.unix_peers_trusted());

    for (lines, expected) in [
        (FORWARDED, Some("1.1.1.1")),
        ("Forwarded: for=\"[2001:db8::1]\"\r\n", Some("2001:db8::1")),
        ("X-Forwarded-For: unknown\r\n", None),
        ("", None),
    ] {
        let socket = accept(&server, &folder.path(), request_with(lines))?;
        let client = socket.client_address().map(|address| address.to_string());
        ensure!(client.as_deref() == expected, "{client:?} for {lines:?}");
        ensure!(socket.peer_address().is_none());
    }
    Ok(())
}

/// Clients behind the proxy are counted by their addresses.
#[test]
fn clients_of_a_trusted_proxy_count_for_their_addresses() -> Result<()> {
    let folder = Folder::new()?;
    let server = server();
    server.set_unix_peers_trusted(true);
    server.set_max_connections_per_address(Some(1));
    server.listen_unix(folder.path(), 0o600)?;
    let path = folder.path();

    serve(move || {
        let mut peers = Vec::new();
        for (client, status) in [("1.1.1.1", 101), ("2.2.2.2", 101), ("1.1.1.1", 429)] {
            let mut peer = connect(&path)?;
            peer.send(request_with(&format!("X-Forwarded-For: {client}\r\n")))?;
            ensure!(peer.read_status()? == status, "{client}");
            peers.push(peer);
        }
        Ok(())
    })
}

/// `server chat unix@/run/chat.sock send-proxy`.
#[test]
#[cfg(feature = "proxy-protocol")]
fn a_trusted_proxy_begins_with_a_proxy_header() -> Result<()> {
    use slotwork::ProxyProtocol;
    use support::raw_peer::request;

    let folder = Folder::new()?;
    let server = server();
    server.set_proxy_protocol(ProxyProtocol::Required);
    server.listen_unix(folder.path(), 0o600)?;
    ensure!(accept(&server, &folder.path(), request())?.client_address().is_none());

    server.set_unix_peers_trusted(true);
    for (header, expected) in
        [("PROXY TCP4 1.1.1.1 2.2.2.2 80 443\r\n", Some("1.1.1.1")), ("PROXY UNKNOWN\r\n", None)]
    {
        let socket = accept(&server, &folder.path(), header.to_owned() + &request())?;
        let client = socket.client_address().map(|address| address.to_string());
        ensure!(client.as_deref() == expected, "{client:?}");
    }
    let path = folder.path();
    serve(move || {
        let mut peer = connect(&path)?;
        peer.send(request())?;
        ensure!(peer.read_to_end()?.is_empty());
        Ok(())
    })
}
