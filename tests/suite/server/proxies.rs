//! Trusted proxies: `set_trusted_proxies`, `client_address`, and the PROXY protocol.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{HttpAnswer, IpNetwork, Limit, Verdict, WebSocket, WebSocketServer};

use support::raw_peer::{RawPeer, masked_texts, request_with};
#[cfg(all(feature = "proxy-protocol", feature = "tls"))]
use support::{certificates::Authority, secure_echo_server, tls_peer, tls_peer::TlsPeer};
use support::{listening_server, run_until, serve};
#[cfg(feature = "proxy-protocol")]
use {
    slotwork::{Error, ProxyProtocol},
    std::net::{TcpListener, TcpStream},
    std::time::Duration,
    support::raw_peer::{check_good_client, request},
    support::{echo_server, recorder::Recorder, wait_until},
};

/// A server that trusts the proxies of this network.
fn server_behind(network: &str) -> Result<WebSocketServer> {
    let server = listening_server()?;
    server.set_trusted_proxies([network.parse::<IpNetwork>()?]);
    Ok(server)
}

/// The server's socket of a client that sends these bytes; its peer stays connected.
fn accept(server: &WebSocketServer, bytes: impl Into<Vec<u8>>) -> Result<(WebSocket, RawPeer)> {
    let bytes = bytes.into();
    accept_from(server, RawPeer::connect(server.server_port())?, |peer| peer.send(bytes))
}

/// The server's socket of a client that sends in this way.
fn accept_from(
    server: &WebSocketServer,
    mut peer: RawPeer,
    send: impl FnOnce(&mut RawPeer) -> Result<()> + Send + 'static,
) -> Result<(WebSocket, RawPeer)> {
    let accepted = server.new_connection().next();
    let peer = serve(move || {
        send(&mut peer)?;
        peer.expect_upgrade()?;
        Ok(peer)
    })?;
    run_until(accepted)?.context("no connection")?;
    Ok((server.next_pending_connection().context("no socket")?, peer))
}

fn client_of(server: &WebSocketServer, bytes: impl Into<Vec<u8>>) -> Result<Option<String>> {
    let (socket, _peer) = accept(server, bytes)?;
    ensure!(socket.peer_address() == Some(IpAddr::from([127, 0, 0, 1])));
    Ok(socket.client_address().map(|address| address.to_string()))
}

const FORWARDED: &str = "X-Forwarded-For: 9.9.9.9, 1.1.1.1, 127.0.0.2\r\n";

/// OPEN-20: the rightmost address that is not a trusted proxy's is the client's.
#[test]
fn a_trusted_proxy_reports_its_client() -> Result<()> {
    let server = server_behind("127.0.0.0/8")?;
    for (lines, expected) in [
        (FORWARDED, Some("1.1.1.1")),
        ("X-Forwarded-For: [2001:db8::1]:443\r\n", Some("2001:db8::1")),
        ("Forwarded: for=9.9.9.9, for=\"[2001:db8::1]:443\";proto=https\r\n", Some("2001:db8::1")),
        ("Forwarded: for=_hidden\r\n", None),
        ("X-Forwarded-For: 1.1.1.1, unknown\r\n", None),
        ("X-Forwarded-For: 1.1.1.1\r\nForwarded: for=2.2.2.2\r\n", None),
        ("X-Forwarded-For: 127.0.0.3, 127.0.0.2\r\n", Some("127.0.0.3")),
        ("", Some("127.0.0.1")),
    ] {
        let client = client_of(&server, request_with(lines))?;
        ensure!(client.as_deref() == expected, "{client:?} for {lines:?}");
    }
    Ok(())
}

/// OPEN-20: headers of other peers are not believed, and by default none are.
#[test]
fn other_peers_are_their_own_clients() -> Result<()> {
    let removed = server_behind("127.0.0.0/8")?;
    removed.set_trusted_proxies([]);
    assert!(removed.trusted_proxies().is_empty());
    for server in [listening_server()?, server_behind("10.0.0.0/8")?, removed] {
        let client = client_of(&server, request_with(FORWARDED))?;
        assert_eq!(client.as_deref(), Some("127.0.0.1"));
    }
    Ok(())
}

/// A request that is being verified has its client already.
#[test]
fn a_change_of_the_trusted_proxies_concerns_later_requests() -> Result<()> {
    let server = server_behind("127.0.0.0/8")?;
    server.set_verifier(async |server, _handshake| {
        server.set_trusted_proxies([]);
        Verdict::accept()
    });
    for expected in ["1.1.1.1", "127.0.0.1"] {
        let client = client_of(&server, request_with(FORWARDED))?;
        assert_eq!(client.as_deref(), Some(expected));
    }
    Ok(())
}

/// The verifier and the page handler get the same address.
#[test]
fn verifiers_and_page_handlers_get_the_address() -> Result<()> {
    let server = server_behind("127.0.0.1")?;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = {
        let seen = Arc::clone(&seen);
        move |address: Option<IpAddr>| {
            if let Ok(mut seen) = seen.lock() {
                seen.extend(address.map(|address| address.to_string()));
            }
        }
    };
    let noting = note.clone();
    server.set_page_handler(move |_server, request| {
        noting(request.client_address());
        Some(HttpAnswer::new(204))
    });
    server.set_verifier(async move |_server, handshake| {
        note(handshake.client_address());
        Verdict::accept()
    });

    drop(accept(&server, request_with("X-Forwarded-For: 1.1.1.1\r\n"))?);
    let port = server.server_port();
    serve(move || {
        let mut peer = RawPeer::connect(port)?;
        peer.send("GET / HTTP/1.1\r\nHost: a\r\nForwarded: for=2.2.2.2\r\n\r\n")?;
        peer.read_to_end()
    })?;

    assert_eq!(*seen.lock().unwrap(), ["1.1.1.1", "2.2.2.2"]);
    Ok(())
}

/// The socket keeps the address, and its other properties are those of the connection.
#[test]
fn a_socket_behind_a_proxy_is_like_any_other() -> Result<()> {
    let server = server_behind("127.0.0.0/8")?;
    let (socket, mut peer) = accept(&server, request_with(FORWARDED))?;
    let disconnected = socket.disconnected().next();

    assert_eq!(socket.resource_name(), "/chat?room=1");
    assert_eq!(socket.request_url(), "ws://127.0.0.1/chat?room=1");
    assert_eq!(server.clients().len(), 1);
    socket.close(1000, "");
    serve(move || {
        peer.read_frame()?;
        peer.close_back()
    })?;
    run_until(disconnected)?;

    assert_eq!(socket.client_address(), Some(IpAddr::from([1, 1, 1, 1])));
    assert_eq!(socket.peer_address(), Some(IpAddr::from([127, 0, 0, 1])));
    assert_eq!(WebSocket::new().client_address(), None);
    Ok(())
}

#[cfg(feature = "proxy-protocol")]
const LINE: &str = "PROXY TCP4 1.1.1.1 2.2.2.2 80 443\r\n";

/// The header of version 2 with this command, and the same addresses.
#[cfg(feature = "proxy-protocol")]
fn binary_header(command: u8) -> Vec<u8> {
    let start = [b"\r\n\r\n\0\r\nQUIT\n".as_slice(), &[command, 0x11, 0, 12]].concat();
    [start.as_slice(), &[1, 1, 1, 1, 2, 2, 2, 2, 0, 80, 1, 187]].concat()
}

/// A server that requires the PROXY protocol of the proxies of this network.
#[cfg(feature = "proxy-protocol")]
fn server_with_proxy_protocol(network: &str) -> Result<WebSocketServer> {
    let server = server_behind(network)?;
    server.set_proxy_protocol(ProxyProtocol::Required);
    assert_eq!(server.proxy_protocol(), ProxyProtocol::Required);
    Ok(server)
}

/// Both versions, in front of the request or in one piece with it.
#[cfg(feature = "proxy-protocol")]
#[test]
fn the_proxy_header_has_the_clients_address() -> Result<()> {
    let server = server_with_proxy_protocol("127.0.0.0/8")?;
    for (header, more, expected) in [
        (LINE.into(), "", "1.1.1.1"),
        (binary_header(0x21), "", "1.1.1.1"),
        (b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n".to_vec(), "", "2001:db8::1"),
        (b"PROXY TCP6 ::ffff:1.1.1.1 ::1 1 2\r\n".to_vec(), "", "1.1.1.1"),
        // The client is not a trusted proxy: its headers are not believed.
        (LINE.into(), FORWARDED, "1.1.1.1"),
        // An HTTP proxy behind the load balancer.
        (b"PROXY TCP4 127.0.0.9 2.2.2.2 80 443\r\n".to_vec(), FORWARDED, "1.1.1.1"),
        // The load balancer's own connection.
        (b"PROXY UNKNOWN\r\n".to_vec(), "", "127.0.0.1"),
        // What a client says through it is not believed.
        (b"PROXY UNKNOWN\r\n".to_vec(), FORWARDED, "127.0.0.1"),
        (binary_header(0x20), FORWARDED, "127.0.0.1"),
        (binary_header(0x20), "", "127.0.0.1"),
    ] {
        let bytes = [header.as_slice(), request_with(more).as_bytes()].concat();
        let client = client_of(&server, bytes)?;
        ensure!(client.as_deref() == Some(expected), "{client:?}: {}", header.escape_ascii());
    }
    Ok(())
}

/// The header may arrive in any pieces.
#[cfg(feature = "proxy-protocol")]
#[test]
fn the_proxy_header_is_read_byte_by_byte() -> Result<()> {
    let server = server_with_proxy_protocol("127.0.0.0/8")?;
    for header in [LINE.as_bytes().to_vec(), binary_header(0x21)] {
        let bytes = [header.as_slice(), request().as_bytes()].concat();
        let peer = RawPeer::connect(server.server_port())?;
        let (socket, _peer) = accept_from(&server, peer, |peer| {
            bytes.into_iter().try_for_each(|byte| peer.send([byte]))
        })?;

        assert_eq!(socket.client_address(), Some(IpAddr::from([1, 1, 1, 1])));
    }
    Ok(())
}

/// OPEN-20: a connection of a trusted proxy that begins with something else is closed.
#[cfg(feature = "proxy-protocol")]
#[test]
fn a_proxy_without_a_valid_header_is_closed() -> Result<()> {
    let server = server_with_proxy_protocol("127.0.0.0/8")?;
    let port = server.server_port();
    for bytes in [
        request().into_bytes(),
        b"PROXY TCP4 1.1.1.1 2.2.2.2 80 http\r\n".to_vec(),
        [LINE.replace("TCP4", "TCP5").as_bytes(), request().as_bytes()].concat(),
        b"\x16\x03\x01".to_vec(),
        binary_header(0x31),
        [b"PROXY UNKNOWN ".as_slice(), &[b'a'; 200]].concat(),
        [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff".as_slice(), &[0; 100]].concat(),
    ] {
        let error = server.server_error().next();
        let shown = bytes.escape_ascii().to_string();
        let answer = serve(move || {
            let mut peer = RawPeer::connect(port)?;
            peer.send(bytes)?;
            peer.read_to_end()
        })?;

        let error = run_until(error)?;
        ensure!(matches!(error, Some(Error::InvalidProxyHeader { .. })), "{error:?}: {shown}");
        ensure!(answer.is_empty(), "{}: {shown}", answer.escape_ascii());
    }
    let client = client_of(&server, [LINE, &request()].concat())?;
    assert_eq!(client.as_deref(), Some("1.1.1.1"));
    Ok(())
}

/// A header of another peer is not one: the request is malformed. Without one it is served.
#[cfg(feature = "proxy-protocol")]
#[test]
fn headers_of_other_peers_are_not_read() -> Result<()> {
    let off = echo_server()?;
    off.set_trusted_proxies(["127.0.0.0/8".parse()?]);
    let foreign = echo_server()?;
    foreign.set_trusted_proxies(["10.0.0.0/8".parse()?]);
    foreign.set_proxy_protocol(ProxyProtocol::Required);
    for server in [off, foreign] {
        let port = server.server_port();
        let status = serve(move || {
            let mut peer = RawPeer::connect(port)?;
            peer.send([LINE, &request()].concat())?;
            let status = peer.read_status()?;
            check_good_client(port)?;
            Ok(status)
        })?;
        // It is not the first line of a request.
        assert_eq!(status, 400);
    }
    Ok(())
}

/// The header is a part of the handshake, with its deadline; a silent probe is no error.
#[cfg(feature = "proxy-protocol")]
#[test]
fn an_unfinished_proxy_header_ends_at_the_handshake_timeout() -> Result<()> {
    let server = server_with_proxy_protocol("127.0.0.0/8")?;
    server.set_handshake_timeout(Some(Duration::from_millis(200)));
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    let port = server.server_port();

    let rest = serve(move || {
        drop(RawPeer::connect(port)?);
        let mut slow = RawPeer::connect(port)?;
        slow.send(&LINE[..10])?;
        slow.read_to_end()
    })?;
    wait_until(|| !recorder.lines().is_empty())?;
    let broken = serve(move || {
        let mut peer = RawPeer::connect(port)?;
        peer.send(&LINE[..10])?;
        peer.finish()?;
        peer.read_to_end()
    })?;

    recorder.wait_for(&["timeout 1006", "broken 1006"])?;
    ensure!(rest.is_empty() && broken.is_empty());
    Ok(())
}

/// A connection that other code has accepted may have been read up to any byte.
#[cfg(feature = "proxy-protocol")]
#[test]
fn handed_over_connections_begin_with_the_header_too() -> Result<()> {
    let server = server_with_proxy_protocol("127.0.0.1")?;
    let bytes = [LINE, &request()].concat();
    for length in [0, 3, LINE.len(), LINE.len() + 5] {
        let (received, rest) = bytes.split_at(length);
        let (stream, peer) = connection()?;

        server.handle_connection(stream, received.as_bytes())?;

        let rest = rest.to_owned();
        let (socket, _peer) = accept_from(&server, peer, |peer| peer.send(rest))?;
        assert_eq!(socket.client_address(), Some(IpAddr::from([1, 1, 1, 1])));
    }
    Ok(())
}

/// Other code has read the header of a stream, as it has done TLS.
#[cfg(feature = "proxy-protocol")]
#[test]
fn streams_of_other_code_have_no_header_any_more() -> Result<()> {
    let server = server_with_proxy_protocol("127.0.0.1")?;
    let (stream, peer) = connection()?;

    let address = stream.peer_addr()?;
    server.handle_stream(smol::Async::new(stream)?, &[], address)?;

    let (socket, _peer) =
        accept_from(&server, peer, |peer| peer.send(request_with("X-Forwarded-For: 1.1.1.1\r\n")))?;
    assert_eq!(socket.client_address(), Some(IpAddr::from([1, 1, 1, 1])));
    Ok(())
}

/// A connection that other code has accepted, and its peer.
#[cfg(feature = "proxy-protocol")]
fn connection() -> Result<(TcpStream, RawPeer)> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let peer = RawPeer::connect(listener.local_addr()?.port())?;
    Ok((listener.accept()?.0, peer))
}

/// The header precedes TLS, also in one piece with the `ClientHello`.
#[cfg(all(feature = "proxy-protocol", feature = "tls"))]
#[test]
fn the_proxy_header_precedes_tls() -> Result<()> {
    let authority = Authority::new()?;
    let server = secure_echo_server(authority.server_config()?)?;
    server.set_trusted_proxies(["127.0.0.0/8".parse()?]);
    server.set_proxy_protocol(ProxyProtocol::Required);
    server.set_page_handler(|_server, request| {
        Some(HttpAnswer::new(200).body(format!("{:?}", request.client_address())))
    });
    let (port, trusted) = (server.server_port(), authority.certificate());

    let (page, plain) = serve(move || {
        let config = tls_peer::client_config(&trusted, rustls::ALL_VERSIONS)?;
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        let mut peer = TlsPeer::begin_over(stream.try_clone()?, config)?;
        let mut start = LINE.as_bytes().to_vec();
        peer.stream_mut().conn.write_tls(&mut start)?;
        RawPeer::of(stream)?.send(start)?;
        peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")?;
        let page = peer.read_response()?;
        let plain = TlsPeer::begin_with(port, &trusted)?.shake_hands();
        Ok((page, plain.is_err()))
    })?;

    assert_eq!(page.body, "Some(1.1.1.1)");
    ensure!(plain);
    Ok(())
}

/// Silent connections count as well; TLS and the request come behind the header.
#[cfg(feature = "proxy-protocol")]
#[test]
fn a_client_counts_from_its_proxy_header_on() -> Result<()> {
    let server = server_with_proxy_protocol("127.0.0.0/8")?;
    server.set_max_connections_per_address(Some(1));
    let limits = SignalSpy::new(&server.limit_reached());
    let port = server.server_port();

    serve(move || {
        let mut silent = RawPeer::connect(port)?;
        silent.send(LINE)?;
        let mut other = RawPeer::connect(port)?;
        other.send([LINE.replace("1.1.1.1", "3.3.3.3"), request()].concat())?;
        other.expect_upgrade()?;
        loop {
            // The silent one may not have been read yet.
            let mut second = RawPeer::connect(port)?;
            second.send(LINE)?;
            second.set_read_timeout(Duration::from_millis(100))?;
            if second.read_status().is_ok_and(|status| status == 429) {
                break;
            }
        }
        drop(silent);
        loop {
            let mut again = RawPeer::connect(port)?;
            again.send([LINE, &request()].concat())?;
            if again.read_status()? == 101 {
                return Ok(());
            }
        }
    })?;

    let reached = limits.at(0).context("no signal")?;
    assert_eq!(reached.client, Some(IpAddr::from([1, 1, 1, 1])));
    assert_eq!(reached.peer.ip(), IpAddr::from([127, 0, 0, 1]));
    Ok(())
}

/// The client is named as far as it is known; the peer is the proxy.
#[test]
fn limits_are_reported_with_the_client() -> Result<()> {
    let server = server_behind("127.0.0.0/8")?;
    server.set_max_connections_per_address(Some(1));
    server.set_max_messages_per_second(Some(1));
    let limits = SignalSpy::new(&server.limit_reached());
    let (socket, mut peer) = accept(&server, request_with("X-Forwarded-For: 1.1.1.1\r\n"))?;
    let port = server.server_port();

    let second = serve(move || {
        let mut second = RawPeer::connect(port)?;
        second.send(request_with("X-Forwarded-For: 1.1.1.1\r\n"))?;
        ensure!(second.read_status()? == 429);
        peer.send(masked_texts(&["one", "two", "three"]))?;
        Ok((peer, second))
    })?;
    limits.wait_for(2)?;
    server.set_max_handshakes(Some(0));
    serve(move || {
        ensure!(RawPeer::connect(port)?.read_status()? == 503);
        drop(second);
        Ok(())
    })?;

    let client = Some(IpAddr::from([1, 1, 1, 1]));
    let reached: Vec<_> = (0..3).filter_map(|at| limits.at(at)).collect();
    let seen: Vec<_> = reached.iter().map(|reached| (reached.limit, reached.client)).collect();
    let expected = [
        (Limit::ConnectionsPerAddress, client),
        (Limit::MessagesPerSecond, client),
        // Its request was not read.
        (Limit::Handshakes, None),
    ];
    assert_eq!(seen, expected);
    assert!(reached.iter().all(|reached| reached.peer.ip() == IpAddr::from([127, 0, 0, 1])));
    assert!(socket.client_address() == client);
    Ok(())
}
