//! Sockets that others have opened: connections of another server, and listeners.

use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
#[cfg(unix)]
use std::os::fd::AsRawFd;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use slotwork::{CloseCode, Error, HostAddress, SslMode, Version, WebSocketServer};
use socket2::{Domain, Socket, Type};

use support::raw_peer::{self, Frame, RawPeer, TEXT, check_good_client, masked};
use support::recorder::Recorder;
use support::{DEADLINE, echo, echo_server, serve};

/// Qt: SRV-19; the server does not listen, and `bytesToWrite` counts down.
#[test]
fn a_connection_of_another_server_is_served_by_one_that_does_not_listen() -> Result<()> {
    let server = WebSocketServer::new("", SslMode::NonSecure);
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    let lines = recorder.clone();
    server.new_connection().connect(move |server, ()| {
        let socket = server.next_pending_connection().unwrap();
        socket.send_text_message("hello");
        lines.add(format!("more than 5: {}", socket.bytes_to_write() > 5));
        echo(&socket);
        let lines = lines.clone();
        socket.text_message_received().connect(move |socket, text| {
            lines.add(format!("{text}, waiting: {}", socket.bytes_to_write() > 100));
        });
    });
    let foreign = Foreign::new()?;
    let port = foreign.port;
    foreign.hand_over(&server, 1, |stream| Ok((stream, Vec::new())));

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.expect(&Frame::text("hello"))?;
        peer.check_echo("both ways")
    })?;

    ensure!(!server.is_listening());
    recorder.check(&["new connection", "more than 5: true", "both ways, waiting: false"])
}

/// Qt: SRV-34, where small messages of a server wait for the acknowledgement of those before.
#[test]
fn messages_are_sent_without_nagles_delay() -> Result<()> {
    let server = echo_server()?;
    let foreign = Foreign::new()?;
    let port = foreign.port;
    let (keep, kept) = mpsc::channel();
    foreign.hand_over(&server, 1, move |stream| {
        keep.send(stream.try_clone()?)?;
        Ok((stream, Vec::new()))
    });

    serve(move || RawPeer::open(port)?.check_echo("at once"))?;

    let stream = kept.recv_timeout(DEADLINE)?;
    ensure!(stream.nodelay()?);
    Ok(())
}

/// RFC 6455 §4.2: what the other server has read counts, wherever it has stopped.
#[test]
fn what_was_read_before_is_not_lost() -> Result<()> {
    let request = raw_peer::request().into_bytes();
    let whole = [request.clone(), masked(TEXT, b"early"), masked(TEXT, b"bird")].concat();
    let cuts = [1, 20, request.len() - 1, request.len(), request.len() + 3, whole.len()];

    for cut in cuts {
        let server = echo_server()?;
        let foreign = Foreign::new()?;
        let port = foreign.port;
        foreign.hand_over(&server, 1, move |mut stream| {
            let mut received = vec![0; cut];
            stream.read_exact(&mut received)?;
            Ok((stream, received))
        });
        let bytes = whole.clone();
        serve(move || {
            let mut peer = RawPeer::connect(port)?;
            peer.send(bytes)?;
            peer.expect_upgrade()?;
            peer.expect_texts(&["early", "bird"])?;
            peer.check_echo("later")
        })
        .with_context(|| format!("cut at {cut}"))?;
    }
    Ok(())
}

/// All that is checked of a server's own connections is checked of these.
#[test]
fn a_bad_request_is_refused_and_a_good_one_behind_it_served() -> Result<()> {
    let server = echo_server()?;
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    let foreign = Foreign::new()?;
    let port = foreign.port;
    foreign.hand_over(&server, 3, |mut stream| {
        let mut received = vec![0; 9];
        stream.read_exact(&mut received)?;
        Ok((stream, received))
    });

    serve(move || {
        let mut bad = RawPeer::connect(port)?;
        bad.send("garbage\r\n\r\n")?;
        let answer = bad.read_response()?;
        ensure!(answer.head.starts_with("HTTP/1.1 400 "), "{answer:?}");
        let mut broken = RawPeer::connect(port)?;
        broken.send("GET / HTTP")?;
        broken.finish()?;
        ensure!(broken.read_to_end()?.is_empty());
        check_good_client(port)
    })?;

    recorder.wait_for(&["refused 400 1002", "broken 1006", "new connection"])
}

/// Qt: SRV-20; since 6.11.3 there is a deadline for these as well.
#[test]
fn the_deadline_counts_from_when_it_was_handed_over() -> Result<()> {
    let server = echo_server()?;
    server.set_handshake_timeout(Some(Duration::from_millis(200)));
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    let foreign = Foreign::new()?;
    let port = foreign.port;
    foreign.hand_over(&server, 2, |stream| Ok((stream, b"GET".to_vec())));

    serve(move || {
        let answer = RawPeer::connect(port)?.read_response()?;
        ensure!(answer.head.starts_with("HTTP/1.1 408 "), "{answer:?}");
        let mut good = RawPeer::connect(port)?;
        good.send(&raw_peer::request()[3..])?;
        good.expect_upgrade()
    })?;

    recorder.wait_for(&["timeout 1006", "new connection"])
}

/// Qt: SRV-23, SRV-30; one that waits or shakes hands ends with the server, listening or not.
#[test]
fn closing_or_dropping_the_server_ends_those_that_were_not_taken() -> Result<()> {
    for drops in [false, true] {
        let server = WebSocketServer::new("", SslMode::NonSecure);
        let foreign = Foreign::new()?;
        let port = foreign.port;
        foreign.hand_over(&server, 2, |stream| Ok((stream, Vec::new())));

        let (mut half, mut pending) = serve(move || {
            let mut half = RawPeer::connect(port)?;
            half.send("GET / HTTP")?;
            Ok((half, RawPeer::open(port)?))
        })?;
        ensure!(server.has_pending_connections());
        let kept = (!drops).then(|| server.clone());
        if let Some(server) = &kept {
            server.close();
        }
        drop(server);

        serve(move || {
            ensure!(half.read_to_end()?.is_empty());
            ensure!(pending.read_frame()?.close_code()? == 1001);
            pending.close_back()
        })?;
        drop(kept);
    }
    Ok(())
}

/// A connection that has ended before, and a server that could not serve it, are errors.
#[test]
fn what_cannot_be_served_is_an_error_of_the_call() -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let _peer = TcpStream::connect(listener.local_addr()?)?;
    let (stream, _) = listener.accept()?;
    let secure = WebSocketServer::new("", SslMode::Secure);
    let error = secure.handle_connection(stream, b"").unwrap_err();
    assert_eq!(error.close_code(), CloseCode::TLS_HANDSHAKE_FAILED);

    let unconnected = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    let server = WebSocketServer::new("", SslMode::NonSecure);
    let error = server.handle_connection(unconnected.into(), b"").unwrap_err();
    ensure!(matches!(error, Error::AcceptFailed { .. }), "{error}");
    Ok(())
}

/// Qt: SRV-26, `socketDescriptor()`.
#[test]
#[cfg(unix)]
fn a_socket_that_listens_already_is_adopted() -> Result<()> {
    let server = WebSocketServer::new("", SslMode::NonSecure);
    ensure!(server.socket_descriptor().is_none());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let (port, descriptor) = (listener.local_addr()?.port(), listener.as_raw_fd());
    // One that came before the server was there.
    let mut early = RawPeer::connect(port)?;
    early.send(raw_peer::request())?;

    server.listen_on(listener)?;

    ensure!(server.is_listening() && server.server_port() == port);
    ensure!(server.server_address() == Some(Ipv4Addr::LOCALHOST.into()));
    ensure!(server.server_url() == format!("ws://127.0.0.1:{port}"));
    ensure!(server.socket_descriptor() == Some(descriptor));
    server.new_connection().connect(|server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            echo(&socket);
        }
    });
    serve(move || {
        early.expect_upgrade()?;
        early.check_echo("early")?;
        check_good_client(port)
    })?;
    server.close();
    ensure!(server.socket_descriptor().is_none() && RawPeer::connect(port).is_err());
    server.listen(HostAddress::LocalHost, port)?;
    serve(move || check_good_client(port))
}

/// Qt: SRV-12; the address is reported as by `listen`.
#[test]
fn the_address_of_an_adopted_socket_has_its_name() -> Result<()> {
    for (bound, address, host) in [
        ("0.0.0.0:0", HostAddress::AnyIPv4, "0.0.0.0"),
        ("127.0.0.2:0", HostAddress::Ip([127, 0, 0, 2].into()), "127.0.0.2"),
    ] {
        let server = WebSocketServer::new("", SslMode::NonSecure);
        server.listen_on(TcpListener::bind(bound)?)?;
        ensure!(server.server_address() == Some(address), "{bound}");
        ensure!(server.server_url() == format!("ws://{host}:{}", server.server_port()));
    }
    Ok(())
}

/// Qt: SRV-26 and SRV-09, where a socket that does not listen is taken, and a second one ignored.
#[test]
fn a_socket_that_cannot_be_adopted_is_an_error_and_reported() -> Result<()> {
    let server = echo_server()?;
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    let port = server.server_port();
    let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let error = server.listen_on(other).unwrap_err();
    ensure!(matches!(error, Error::AlreadyListening { .. }), "{error}");
    serve(move || check_good_client(port))?;
    recorder.check(&["already listening 1006", "new connection"])?;

    if cfg!(target_os = "linux") {
        let idle = WebSocketServer::new("", SslMode::NonSecure);
        let deaf = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        let error = idle.listen_on(deaf.into()).unwrap_err();
        ensure!(matches!(error, Error::Listen { .. }), "{error}");
        ensure!(!idle.is_listening());
        idle.listen(HostAddress::LocalHost, 0)?;
    }
    Ok(())
}

/// Qt: `supportedVersions()`, SRV-01; `version()`.
#[test]
fn version_13_is_the_only_one() {
    let server = WebSocketServer::new("", SslMode::NonSecure);

    assert_eq!(server.supported_versions(), [Version::V13]);
    assert_eq!(Version::LATEST.number(), 13);
    assert_eq!(slotwork::WebSocket::new().version(), Version::V13);
}

/// A server that is not ours, with its own thread.
struct Foreign {
    listener: TcpListener,
    port: u16,
}

impl Foreign {
    fn new() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    /// Accepts as many connections, and hands them on with what `read` has read from them.
    fn hand_over(
        self,
        server: &WebSocketServer,
        count: usize,
        read: impl Fn(TcpStream) -> Result<(TcpStream, Vec<u8>)> + Send + 'static,
    ) {
        let server = server.clone();
        thread::spawn(move || -> Result<()> {
            for _ in 0..count {
                let (stream, received) = read(self.listener.accept()?.0)?;
                server.handle_connection(stream, &received)?;
            }
            Ok(())
        });
    }
}
