//! Listening: addresses and ports, their errors, and the URL of a server.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::rc::Rc;

use anyhow::{Result, anyhow, ensure};
use slotwork::{CloseCode, Error, HostAddress, SocketState, SslMode, WebSocketServer};

use support::raw_peer::{RawPeer, check_good_client};
use support::recorder::Recorder;
use support::{echo_server, has_ipv6, listening_server, serve};

/// Qt: SRV-06.
#[test]
fn listens_on_a_free_port_and_closes_from_the_loop() -> Result<()> {
    let server = WebSocketServer::new("", SslMode::NonSecure);
    let recorder = Recorder::default();
    recorder.watch_server(&server);

    server.listen(HostAddress::default(), 0)?;
    assert!(server.is_listening());
    assert_eq!(server.server_address(), Some(HostAddress::Any));
    assert_ne!(server.server_port(), 0);
    server.close();

    assert!(!server.is_listening());
    recorder.check(&[])?;
    recorder.wait_for(&["closed"])
}

/// Qt: SRV-07.
#[test]
fn an_address_of_another_machine_is_an_error() -> Result<()> {
    let server = WebSocketServer::new("", SslMode::NonSecure);
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    // RFC 5737: an address that no machine has.
    let address = HostAddress::from(Ipv4Addr::new(192, 0, 2, 1));

    let error = server.listen(address, 0).unwrap_err();

    ensure!(
        matches!(&error, Error::Listen { address: asked, port: 0, source }
            if *asked == address && source.kind() == ErrorKind::AddrNotAvailable),
        "{error:?}"
    );
    assert_eq!(error.close_code(), CloseCode::ABNORMAL_DISCONNECTION);
    assert!(!server.is_listening());
    let text = server.error_string();
    ensure!(text.starts_with("cannot listen on port 0 (192.0.2.1): "), "{text}");
    recorder.check(&["cannot listen 1006"])
}

/// Qt: SRV-08 and SRV-10. In Qt the same error is not emitted twice, and not cleared by a success.
#[test]
fn an_occupied_port_is_an_error_each_time() -> Result<()> {
    let occupier = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = occupier.local_addr()?.port();
    let server = WebSocketServer::new("", SslMode::NonSecure);
    let recorder = Recorder::default();
    recorder.watch_server(&server);

    for _ in 0..2 {
        let error = server.listen(HostAddress::LocalHost, port).unwrap_err();
        ensure!(
            matches!(&error, Error::Listen { port: asked, source, .. }
                if *asked == port && source.kind() == ErrorKind::AddrInUse),
            "{error:?}"
        );
    }
    recorder.check(&["cannot listen 1006", "cannot listen 1006"])?;
    assert!(server.error().is_some());

    drop(occupier);
    server.listen(HostAddress::LocalHost, port)?;
    assert!(server.error().is_none());
    Ok(())
}

/// Qt: SRV-08, for an address that covers the one that is taken.
#[test]
fn any_address_does_not_share_a_port_that_is_occupied() -> Result<()> {
    let occupier = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let port = occupier.local_addr()?.port();
    let server = WebSocketServer::new("", SslMode::NonSecure);

    for address in [HostAddress::Any, HostAddress::AnyIPv4] {
        let error = server.listen(address, port).unwrap_err();
        ensure!(matches!(error, Error::Listen { .. }), "{error:?}");
    }
    Ok(())
}

/// Qt: SRV-09, where the error has no text.
#[test]
fn a_second_listen_is_an_error_and_the_first_goes_on() -> Result<()> {
    let server = echo_server()?;
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    let (port, url) = (server.server_port(), server.server_url());

    for _ in 0..2 {
        let error = server.listen(HostAddress::LocalHost, 0).unwrap_err();
        ensure!(matches!(&error, Error::AlreadyListening { url: at } if *at == url), "{error:?}");
        assert_eq!(error.close_code(), CloseCode::ABNORMAL_DISCONNECTION);
    }

    assert_eq!(server.server_port(), port);
    serve(move || check_good_client(port))?;
    recorder.check(&["already listening 1006", "already listening 1006", "new connection"])
}

/// Qt: SRV-35, where a server without a certificate listens and serves no client.
#[test]
fn a_secure_server_needs_a_certificate_to_listen() -> Result<()> {
    let server = WebSocketServer::new("", SslMode::Secure);
    let recorder = Recorder::default();
    recorder.watch_server(&server);

    let error = server.listen(HostAddress::LocalHost, 0).unwrap_err();

    assert!(!server.is_listening());
    assert_eq!(server.server_url(), "");
    recorder.check(&[&format!("{error}: 1015")])
}

/// Qt: SRV-11 and SRV-12.
#[test]
fn the_url_shows_the_address_that_was_bound() -> Result<()> {
    let mut table = vec![
        (HostAddress::Any, "ws://127.0.0.1:"),
        (HostAddress::AnyIPv4, "ws://0.0.0.0:"),
        (HostAddress::LocalHost, "ws://127.0.0.1:"),
        (Ipv4Addr::LOCALHOST.into(), "ws://127.0.0.1:"),
    ];
    if has_ipv6() {
        table.push((HostAddress::AnyIPv6, "ws://[::]:"));
        table.push((HostAddress::LocalHostIPv6, "ws://[::1]:"));
        table.push((Ipv6Addr::LOCALHOST.into(), "ws://[::1]:"));
    }

    for (address, url) in table {
        let server = WebSocketServer::new("", SslMode::NonSecure);
        server.listen(address, 0)?;
        assert_eq!(server.server_address(), Some(address));
        assert_eq!(server.server_url(), format!("{url}{}", server.server_port()));
    }
    Ok(())
}

/// Qt: `QHostAddress::Any`; IPv4 peers are shown by their IPv4 address.
#[test]
fn any_address_is_reached_by_ipv4_and_ipv6() -> Result<()> {
    let server = WebSocketServer::new("", SslMode::NonSecure);
    server.listen(HostAddress::Any, 0)?;
    let port = server.server_port();
    let peers = Recorder::default();
    let recorder = peers.clone();
    server.new_connection().connect(move |server, ()| {
        let socket = server.next_pending_connection().unwrap();
        let addresses = (socket.peer_address().unwrap(), socket.local_address().unwrap());
        recorder.add(format!("{addresses:?} {}", socket.local_port() == port));
    });

    serve(move || RawPeer::open(port))?;
    peers.check(&["(127.0.0.1, 127.0.0.1) true"])?;
    if has_ipv6() {
        serve(move || RawPeer::connect_to((Ipv6Addr::LOCALHOST, port))?.shake_hands())?;
        peers.check(&["(127.0.0.1, 127.0.0.1) true", "(::1, ::1) true"])?;
    }
    Ok(())
}

/// Qt: `QWebSocket::localAddress()`, which is null then.
#[test]
fn a_socket_has_its_local_address_also_at_its_end_and_after_it() -> Result<()> {
    for keeps_handle in [false, true] {
        let server = listening_server()?;
        let port = server.server_port();
        let (recorder, kept) = (Recorder::default(), Rc::new(RefCell::new(None)));
        let (ends, handle) = (recorder.clone(), Rc::clone(&kept));
        server.new_connection().connect(move |server, ()| {
            let socket = server.next_pending_connection().unwrap();
            let ends = ends.clone();
            socket.disconnected().connect(move |socket, ()| {
                let is_port = socket.local_port() == port;
                ends.add(format!("{:?} {is_port}", socket.local_address()));
            });
            handle.replace(keeps_handle.then_some(socket));
        });

        serve(move || RawPeer::open(port))?;

        recorder.wait_for(&["Some(127.0.0.1) true"])?;
        if let Some(socket) = kept.take() {
            assert_eq!(socket.state(), SocketState::Unconnected);
            assert_eq!(socket.local_address(), Some(Ipv4Addr::LOCALHOST.into()));
            assert_eq!(socket.local_port(), port);
        }
    }
    Ok(())
}

/// Qt: `QHostAddress::AnyIPv6` is not a dual stack.
#[test]
fn any_ipv6_address_is_not_reached_by_ipv4() -> Result<()> {
    if !has_ipv6() {
        return Ok(());
    }
    let server = WebSocketServer::new("", SslMode::NonSecure);
    server.listen(HostAddress::AnyIPv6, 0)?;
    let port = server.server_port();

    serve(move || {
        RawPeer::connect_to((Ipv6Addr::LOCALHOST, port))?.shake_hands()?;
        let refused = RawPeer::connect(port).unwrap_err().downcast::<std::io::Error>()?;
        ensure!(refused.kind() == ErrorKind::ConnectionRefused, "{refused}");
        Ok(())
    })
}

/// Qt: SRV-23; the port is free at once, also with connections on it.
#[test]
fn a_server_can_listen_on_its_port_again_at_once() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();
    let recorder = Recorder::default();
    recorder.watch_server(&server);

    let _peers = serve({
        let server = server.clone();
        move || {
            let mut peers = vec![];
            for _ in 0..5 {
                let mut peer = RawPeer::open(port)?;
                // Taken by now: a socket that waits is closed with the server.
                peer.check_echo("one of the first")?;
                peers.push(peer);
                server.close();
                ensure!(RawPeer::connect(port).is_err(), "somebody listens on a port that is free");
                server.listen(HostAddress::LocalHost, port)?;
                check_good_client(port)?;
            }
            peers.iter_mut().try_for_each(|peer| peer.check_echo("one of many"))?;
            Ok(peers)
        }
    })?;

    let lines = recorder.lines();
    assert_eq!(lines.iter().filter(|line| *line == "new connection").count(), 10);
    assert_eq!(lines.iter().filter(|line| *line == "closed").count(), 5);
    assert_eq!(lines.len(), 15);
    Ok(())
}

/// Clients would wait for ever on a port where connections are never accepted.
#[test]
fn a_server_whose_thread_has_ended_keeps_no_port() -> Result<()> {
    let create = || WebSocketServer::new("", SslMode::NonSecure);
    let server = std::thread::spawn(create).join().map_err(|_| anyhow!("it panicked"))?;

    let result = server.listen(HostAddress::LocalHost, 0);

    ensure!(matches!(result, Err(Error::EventLoopEnded)), "{result:?}");
    ensure!(!server.is_listening(), "it listens on {}", server.server_url());
    Ok(())
}

/// Several servers share a port when all of them ask for it, and no other gets it.
#[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
#[test]
fn servers_share_a_port_when_all_of_them_ask_for_it() -> Result<()> {
    use slotwork::signals::SignalSpy;

    let [old, new, other] =
        ["old", "new", "other"].map(|name| WebSocketServer::new(name, SslMode::NonSecure));
    old.listen_reuse_port(HostAddress::LocalHost, 0)?;
    let port = old.server_port();

    let refused = other.listen(HostAddress::LocalHost, port);
    new.listen_reuse_port(HostAddress::LocalHost, port)?;
    old.close();

    assert!(matches!(refused, Err(Error::Listen { .. })), "{refused:?}");
    let connections = SignalSpy::new(&new.new_connection());
    let _peer = serve(move || RawPeer::open(port))?;
    connections.wait_for(1)?;
    Ok(())
}
