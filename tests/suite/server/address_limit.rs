//! The limit of connections per client address.

use std::time::Duration;

use anyhow::{Result, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{
    Error, HostAddress, HttpAnswer, Limit, RefusalReason, SslMode, Verdict, WebSocket,
    WebSocketServer,
};

use support::raw_peer::{self, RawPeer, check_good_client};
use support::{echo_server, serve, wait_until};

/// RFC 6585 §4 (429): open connections and handshakes of one address are bounded.
#[test]
fn a_connection_too_many_from_one_address_is_answered_with_429() -> Result<()> {
    let server = echo_server()?;
    assert_eq!(server.max_connections_per_address(), None);
    server.set_max_connections_per_address(Some(2));
    let errors = SignalSpy::new(&server.server_error());
    let limits = SignalSpy::new(&server.limit_reached());
    let port = server.server_port();

    serve(move || {
        let mut open = RawPeer::open(port)?;
        let silent = RawPeer::connect(port)?;
        let mut other = RawPeer::connect(port)?;
        ensure!(other.read_response()?.head.starts_with("HTTP/1.1 429 Too Many Requests\r\n"));
        open.check_echo("still there?")?;
        open.close(1000, "")?;
        drop(silent);
        while check_good_client(port).is_err() {}
        Ok(())
    })?;

    let error = errors.at(0);
    let is_limit = matches!(error, Some(Error::TooManyConnectionsPerAddress { limit: 2, .. }));
    ensure!(is_limit, "{error:?}");
    let Some(reached) = limits.at(0) else { anyhow::bail!("no signal") };
    assert_eq!(reached.limit, Limit::ConnectionsPerAddress);
    assert_eq!(reached.client, Some(reached.peer.ip()));
    assert!(server.stats().refused.count(RefusalReason::ConnectionsPerAddress) >= 1);
    Ok(())
}

/// A program may keep handles of sockets that have disconnected: they do not count.
#[test]
fn a_place_is_free_when_the_connection_has_ended() -> Result<()> {
    let server = echo_server()?;
    server.set_max_connections_per_address(Some(1));
    let (kept, handles) = std::sync::mpsc::channel::<WebSocket>();
    server.new_connection().connect(move |server, ()| {
        server.clients().into_iter().for_each(|client| kept.send(client).unwrap());
    });
    let port = server.server_port();

    for _ in 0..3 {
        serve(move || {
            let mut peer = RawPeer::open(port)?;
            peer.check_echo("x")?;
            peer.reset()
        })?;
        wait_until(|| server.clients().is_empty())?;
    }

    assert_eq!(handles.iter().take(3).count(), 3);
    Ok(())
}

/// A handshake that fails, or that the verifier refuses, gives its place back.
#[test]
fn a_place_is_free_when_the_handshake_has_failed() -> Result<()> {
    let server = echo_server()?;
    server.set_max_connections_per_address(Some(1));
    server.set_handshake_timeout(Some(Duration::from_secs(5)));
    server.set_verifier(async |_server, handshake| {
        let is_known = handshake.request().header("Cookie").is_some();
        if is_known { Verdict::accept() } else { Verdict::refuse(401, "") }
    });
    let port = server.server_port();
    let handshakes = server.clone();

    for request in ["garbage\r\n\r\n".to_owned(), raw_peer::request()] {
        serve(move || {
            let mut peer = RawPeer::connect(port)?;
            peer.send(request)?;
            peer.read_status()
        })?;
        wait_until(|| handshakes.stats().handshakes == 0)?;
    }

    serve(move || {
        let mut peer = RawPeer::connect(port)?;
        peer.send(raw_peer::request_with("Cookie: a=b\r\n"))?;
        peer.expect_upgrade()
    })
}

/// The limit holds for all threads together, and the whole server reports it.
#[test]
fn the_limit_holds_for_all_threads_together() -> Result<()> {
    let server = WebSocketServer::new("Test Server", SslMode::NonSecure);
    server.set_max_connections_per_address(Some(3));
    let _threads = server.serve_on_threads(3, |part| {
        part.new_connection().connect(|part, ()| {
            while let Some(socket) = part.next_pending_connection() {
                support::echo(&socket);
            }
        });
    })?;
    let limits = SignalSpy::new(&server.limit_reached());
    server.listen(HostAddress::LocalHost, 0)?;
    let port = server.server_port();

    let peers = serve(move || {
        let peers = (0..3).map(|_| RawPeer::open(port)).collect::<Result<Vec<_>>>()?;
        ensure!(RawPeer::connect(port)?.read_status()? == 429);
        Ok(peers)
    })?;
    limits.wait_for(1)?;

    drop(peers);
    serve(move || {
        while check_good_client(port).is_err() {}
        Ok(())
    })
}

/// RFC 7239: behind a trusted proxy each client counts for its own address, and one that hides it for
/// the proxy's.
#[test]
fn clients_behind_a_trusted_proxy_count_for_their_own_addresses() -> Result<()> {
    let server = echo_server()?;
    server.set_max_connections_per_address(Some(1));
    server.set_trusted_proxies(["127.0.0.1".parse()?]);
    let port = server.server_port();

    serve(move || {
        let open = |client: &str| -> Result<(u16, RawPeer)> {
            let mut peer = RawPeer::connect(port)?;
            peer.send(raw_peer::request_with(&format!("X-Forwarded-For: {client}\r\n")))?;
            Ok((peer.read_status()?, peer))
        };
        let mut peers = Vec::new();
        for (client, expected) in [
            ("192.0.2.1", 101),
            ("192.0.2.2", 101),
            ("198.51.100.1, 192.0.2.1", 429),
            ("unknown", 101),
            ("_hidden", 429),
            // The proxy itself.
            ("127.0.0.1", 429),
        ] {
            let (status, peer) = open(client)?;
            ensure!(status == expected, "{client}: {status}");
            peers.push(peer);
        }
        Ok(())
    })
}

/// The client that a PROXY header names is the one that counts.
#[cfg(feature = "proxy-protocol")]
#[test]
fn clients_of_proxy_headers_count_for_their_own_addresses() -> Result<()> {
    let server = echo_server()?;
    server.set_max_connections_per_address(Some(1));
    server.set_trusted_proxies(["127.0.0.1".parse()?]);
    server.set_proxy_protocol(slotwork::ProxyProtocol::Required);
    let port = server.server_port();

    serve(move || {
        let mut peers = Vec::new();
        for (client, expected) in [
            ("TCP4 192.0.2.1 192.0.2.9 1 80", 101),
            ("TCP4 192.0.2.2 192.0.2.9 1 80", 101),
            ("TCP4 192.0.2.1 192.0.2.9 2 80", 429),
            // The proxy's own connections.
            ("UNKNOWN", 101),
            ("UNKNOWN", 429),
        ] {
            let mut peer = RawPeer::connect(port)?;
            peer.send(format!("PROXY {client}\r\n{}", raw_peer::request()))?;
            let status = peer.read_status()?;
            ensure!(status == expected, "{client}: {status}");
            peers.push(peer);
        }
        Ok(())
    })
}

/// A page takes a place of its peer's address; one behind a trusted proxy takes none.
#[test]
fn pages_count_for_the_address_of_their_peer() -> Result<()> {
    let server = echo_server()?;
    server.set_max_connections_per_address(Some(1));
    server.set_page_handler(|_server, _request| Some(HttpAnswer::new(204)));
    let port = server.server_port();

    serve(move || {
        let page = || {
            let mut peer = RawPeer::connect(port)?;
            peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")?;
            peer.read_status()
        };
        let _open = RawPeer::open(port)?;
        ensure!(page()? == 429);
        server.set_trusted_proxies(["127.0.0.1".parse()?]);
        ensure!(page()? == 204);
        Ok(())
    })
}
