//! TLS servers, with well-behaved clients.

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};

use anyhow::{Context, Result, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{
    Error, PeerVerifyMode, SocketState, TlsConfig, TlsProtocol, Verdict, WebSocket, WebSocketServer,
};

use support::certificates::{Authority, Pem};
use support::raw_peer::{BINARY, Frame, TEXT, masked, masked_texts, request};
use support::recorder::Recorder;
use support::tls_peer::{TlsPeer, check_good_tls_client, client_config};
use support::{secure_echo_server, serve, serve_tls, wait_until};

/// Opens a connection and waits until it is there, or has failed.
fn open(server: &WebSocketServer, config: TlsConfig) -> Result<WebSocket> {
    let socket = WebSocket::new();
    socket.set_tls_config(config);
    socket.open(format!("wss://localhost:{}/", server.server_port()))?;
    let state = || socket.state();
    wait_until(|| state() != SocketState::Connecting)?;
    Ok(socket)
}

/// Qt: SRV-12, SRV-18; TLS 1.2 and 1.3.
#[test]
fn messages_go_there_and_back() -> Result<()> {
    let authority = Authority::new()?;
    let server = secure_echo_server(authority.server_config()?)?;
    let requests = Recorder::default();
    let noted = requests.clone();
    server.new_connection().connect(move |server, ()| {
        server.clients().iter().for_each(|socket| noted.add(socket.request_url()));
    });

    let socket = open(&server, authority.client_config())?;
    let texts = SignalSpy::new(&socket.text_message_received());
    socket.send_text_message("Hello, world!");
    texts.wait_for(1)?;

    assert_eq!(texts.values(), ["Hello, world!"]);
    let port = server.server_port();
    assert_eq!(server.server_url(), format!("wss://127.0.0.1:{port}"));
    assert_eq!(socket.request_url(), format!("wss://localhost:{port}/"));
    requests.check(&[&format!("wss://localhost:{port}/")])?;
    let session = socket.tls_session().context("no TLS")?;
    assert_eq!(session.protocol(), TlsProtocol::V1_3);
    ensure!(session.cipher().starts_with("TLS13_"), "{session:?}");
    assert!(session.peer_certificate().is_some());
    let other_end = server.clients()[0].tls_session().context("no TLS")?;
    assert_eq!(other_end.cipher(), session.cipher());
    assert_eq!(other_end.server_name(), Some("localhost"));
    assert!(other_end.peer_certificate().is_none());
    Ok(())
}

/// RFC 5246 and RFC 8446.
#[test]
fn both_versions_are_spoken_unless_only_one_is_wanted() -> Result<()> {
    let authority = Authority::new()?;
    let server = secure_echo_server(authority.server_config()?)?;
    let (port, trusted) = (server.server_port(), authority.certificate());

    let strict = authority.client_config().minimum_protocol(TlsProtocol::V1_3);
    let session = open(&server, strict)?.tls_session().context("no TLS")?;
    assert_eq!(session.protocol(), TlsProtocol::V1_3);
    serve(move || {
        let mut peer = TlsPeer::begin(port, client_config(&trusted, &[&rustls::version::TLS12])?)?;
        peer.shake_hands()?;
        peer.check_echo("an old client")?;
        peer.close(1000, "").map(drop)
    })?;

    server.set_tls_config(authority.server_config()?.minimum_protocol(TlsProtocol::V1_3))?;
    let (errors, trusted) = (SignalSpy::new(&server.server_error()), authority.certificate());
    serve(move || {
        let old = client_config(&trusted, &[&rustls::version::TLS12])?;
        ensure!(TlsPeer::begin(port, old)?.shake_hands().is_err());
        Ok(())
    })?;
    assert_eq!(errors.count(), 1);
    Ok(())
}

/// RFC 8446 §5.1: messages of more than one record, both ways at once.
#[test]
fn long_messages_go_there_and_back() -> Result<()> {
    serve_tls(|port, trusted| {
        let mut peer = TlsPeer::begin_with(port, trusted)?;
        peer.shake_hands()?;
        for length in [1, 16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1, 100_000, 5_000_000] {
            let message = vec![u8::try_from(length % 251)?; length];
            peer.send(masked(BINARY, &message))?;
            peer.expect(&Frame { opcode: BINARY, payload: message })?;
        }
        peer.close(1000, "").map(drop)
    })
}

/// A peer that reads nothing for a while gets everything in the end.
#[test]
fn what_the_peer_does_not_take_waits() -> Result<()> {
    const COUNT: usize = 40;
    const LENGTH: usize = 300_000;
    let authority = Authority::new()?;
    let server = secure_echo_server(authority.server_config()?)?;
    let (port, trusted) = (server.server_port(), authority.certificate());
    server.new_connection().connect(|server, ()| {
        for socket in &server.clients() {
            for number in 0..COUNT {
                socket.send_binary_message(vec![u8::try_from(number).unwrap(); LENGTH]);
                socket.send_text_message("between");
            }
        }
    });

    let (go, gone) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut peer = TlsPeer::begin_with(port, &trusted)?;
        peer.shake_hands()?;
        gone.recv()?;
        for number in 0..COUNT {
            let payload = vec![u8::try_from(number)?; LENGTH];
            peer.expect(&Frame { opcode: BINARY, payload })?;
            peer.expect(&Frame::text("between"))?;
        }
        peer.close(1000, "").map(drop)
    });
    wait_until(|| server.clients().iter().any(|socket| socket.bytes_to_write() > 1_000_000))?;
    go.send(())?;
    serve(move || reader.join().unwrap())
}

/// A request, its frames and much more of them in one record; nothing is left behind.
#[test]
fn frames_behind_the_request_are_delivered() -> Result<()> {
    serve_tls(|port, trusted| {
        let texts: Vec<_> = (0..1000).map(|number| format!("text {number}")).collect();
        let texts: Vec<_> = texts.iter().map(String::as_str).collect();
        let mut peer = TlsPeer::begin_with(port, trusted)?;
        peer.send([request().as_bytes(), &masked_texts(&texts)].concat())?;
        peer.expect_upgrade()?;
        peer.expect_texts(&texts)?;
        peer.close(1000, "").map(drop)
    })
}

/// Request and messages in the same segment as the end of the handshake.
#[test]
fn what_comes_with_the_end_of_the_handshake_is_delivered() -> Result<()> {
    let authority = Authority::new()?;
    let server = secure_echo_server(authority.server_config()?)?;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let (port, trusted) = (server.server_port(), authority.certificate());
        serve(move || {
            let mut peer = TlsPeer::begin(port, client_config(&trusted, &[version])?)?;
            let (long, short) = ("a".repeat(40_000), "b");
            let request = request().into_bytes();
            peer.finish_tls_with(&[request, masked_texts(&[&long, short])].concat())?;
            peer.expect_upgrade()?;
            peer.expect_texts(&[&long, short])?;
            peer.close(1000, "").map(drop)
        })?;
    }
    Ok(())
}

/// RFC 8446 §6.1: both ends send `close_notify`, so that a truncation is noticed.
#[test]
fn the_end_is_announced() -> Result<()> {
    serve_tls(|port, trusted| {
        let mut peer = TlsPeer::begin_with(port, trusted)?;
        peer.shake_hands()?;
        peer.send(masked(8, &[3, 232]))?;
        peer.expect(&Frame::close(1000, ""))?;
        // Without `close_notify` it would be an `UnexpectedEof`.
        assert_eq!(peer.read_some()?, 0);
        Ok(())
    })
}

/// RFC 6455 §7.1.5: without a close frame it is 1006, whether TLS was ended or not.
#[test]
fn a_peer_that_goes_without_a_close_frame_has_disconnected() -> Result<()> {
    let authority = Authority::new()?;
    let server = secure_echo_server(authority.server_config()?)?;
    let recorder = Recorder::default();
    let watcher = recorder.clone();
    server.new_connection().connect(move |server, ()| {
        server.clients().iter().for_each(|socket| watcher.watch(socket));
    });

    for (place, ends_tls) in [true, false].into_iter().enumerate() {
        let (port, trusted) = (server.server_port(), authority.certificate());
        serve(move || {
            let mut peer = TlsPeer::begin_with(port, &trusted)?;
            peer.shake_hands()?;
            peer.send(masked(TEXT, b"last words"))?;
            peer.expect(&Frame::text("last words"))?;
            if ends_tls { peer.close_tls() } else { Ok(peer.tcp().shutdown(Shutdown::Write)?) }?;
            peer.read_to_end().map(drop)
        })?;
        recorder.wait_for_disconnected(place + 1)?;
    }
    let expected = [
        "text last words",
        "error: the peer closed the connection without a closing handshake",
        "Unconnected",
        "disconnected Some(1006) ",
    ];
    recorder.check(&[expected, expected].concat())
}

/// Qt: `setSslConfiguration()`, "applies to later connections".
#[test]
fn a_new_configuration_is_for_new_connections() -> Result<()> {
    let (old, new) = (Authority::new()?, Authority::new()?);
    let server = secure_echo_server(old.server_config()?)?;
    let (port, trusted) = (server.server_port(), new.certificate());
    let socket = open(&server, old.client_config())?;
    let texts = SignalSpy::new(&socket.text_message_received());

    server.set_tls_config(new.server_config()?)?;
    serve(move || check_good_tls_client(port, &trusted))?;
    socket.send_text_message("goes on");

    texts.wait_for(1)?;
    assert!(open(&server, old.client_config())?.error().is_some());
    assert!(server.set_tls_config(TlsConfig::new()).is_err());
    assert!(open(&server, new.client_config())?.error().is_none());
    Ok(())
}

/// RFC 6066 §3; a client that names no known host gets the first certificate.
#[test]
fn the_certificate_is_that_of_the_host_that_is_wanted() -> Result<()> {
    let authority = Authority::new()?;
    let hosts = [["first.example"], ["localhost"], ["*.third.example"]];
    let pems: Vec<_> = hosts.iter().map(|hosts| authority.sign(hosts, |_| ())).collect();
    let pems = pems.into_iter().collect::<Result<Vec<_>>>()?;
    let config = pems.iter().try_fold(TlsConfig::new(), |config, pem| {
        anyhow::Ok(config.add_identity(pem.identity()?))
    })?;
    let server = secure_echo_server(config)?;

    let socket = open(&server, authority.client_config())?;
    let session = socket.tls_session().context("no TLS")?;
    assert_eq!(session.peer_certificate(), Some(&pems[1].certificate()?));

    let socket = WebSocket::new();
    socket.set_tls_config(authority.client_config());
    let errors = SignalSpy::new(&socket.peer_verify_error());
    socket.open(format!("wss://127.0.0.1:{}", server.server_port()))?;
    errors.wait_for(1)?;
    assert_eq!(errors.values()[0].certificate(), Some(&pems[0].certificate()?));
    Ok(())
}

/// Qt: `setPeerVerifyMode()`, `peerCertificate()`.
#[test]
fn certificates_of_clients_are_checked() -> Result<()> {
    let (authority, stranger) = (Authority::new()?, Authority::new()?);
    let known = authority.sign(&["a client"], |_| ())?;
    let unknown = stranger.sign(&["a client"], |_| ())?;
    let mine = Pem::self_signed(&["a client"])?;
    for (mode, anonymous_is_well) in
        [(PeerVerifyMode::Optional, true), (PeerVerifyMode::Required, false)]
    {
        let trusted = [authority.certificate(), mine.certificate()?];
        let config = authority.server_config()?.ca_certificates(trusted).peer_verify_mode(mode);
        let server = secure_echo_server(config)?;
        let (errors, problems) = (Recorder::default(), SignalSpy::new(&server.peer_verify_error()));
        errors.watch_server(&server);
        let tls_errors = SignalSpy::new(&server.tls_errors());

        for (pem, is_well) in [
            (None, anonymous_is_well),
            (Some(&known), true),
            (Some(&mine), true),
            (Some(&unknown), false),
        ] {
            let config = authority.client_config();
            let config = match pem {
                Some(pem) => config.add_identity(pem.identity()?),
                None => config,
            };
            let before = errors.lines().len();
            let _socket = open(&server, config)?;
            wait_until(|| errors.lines().len() > before)?;
            let last = errors.lines().pop().unwrap_or_default();
            ensure!((last == "new connection") == is_well, "{mode:?}: {:?}", errors.lines());
            if is_well {
                let session = server.clients().last().and_then(WebSocket::tls_session);
                let shown = session.context("no TLS")?.peer_certificate().cloned();
                assert_eq!(shown, pem.map(Pem::certificate).transpose()?);
            }
        }
        assert_eq!((tls_errors.count(), problems.count()), (1, 1), "{mode:?}");
        assert_eq!(problems.values()[0].certificate(), Some(&unknown.certificate()?));
    }
    Ok(())
}

/// The verifier can distinguish clients by their certificates.
#[test]
fn a_verifier_sees_the_certificate() -> Result<()> {
    let authority = Authority::new()?;
    let client = authority.sign(&["somebody"], |_| ())?;
    let config = authority.server_config()?.ca_certificates([authority.certificate()]);
    let server = secure_echo_server(config.peer_verify_mode(PeerVerifyMode::Required))?;
    let known = client.certificate()?;
    server.set_verifier(async move |_server, handshake| {
        let session = handshake.tls_session();
        let shown = session.and_then(|session| session.peer_certificate());
        if shown == Some(&known) { Verdict::accept() } else { Verdict::refuse(403, "") }
    });

    let socket = open(&server, authority.client_config().add_identity(client.identity()?))?;

    assert_eq!(socket.state(), SocketState::Connected);
    Ok(())
}

/// RFC 8446 §2.2: clients with the same configuration resume a session.
#[test]
fn sessions_are_resumed() -> Result<()> {
    let authority = Authority::new()?;
    let server = secure_echo_server(authority.server_config()?)?;
    let config = authority.client_config();

    for is_resumed in [false, true, true] {
        let socket = open(&server, config.clone())?;
        let texts = SignalSpy::new(&socket.text_message_received());
        socket.send_text_message("what comes back comes behind the tickets");
        texts.wait_for(1)?;
        let session = socket.tls_session().context("no TLS")?;
        assert_eq!(session.is_resumed(), is_resumed);
        assert!(session.peer_certificate().is_some());
    }
    server.set_tls_config(authority.server_config()?)?;
    let session = open(&server, config)?.tls_session().context("no TLS")?;
    assert!(!session.is_resumed());
    Ok(())
}

/// Qt: `handleConnection()` of a secure server.
#[test]
fn a_connection_of_another_server_begins_with_tls() -> Result<()> {
    for read_before in [0, 1, 100] {
        let authority = Authority::new()?;
        let server = secure_echo_server(authority.server_config()?)?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (port, trusted) = (listener.local_addr()?.port(), authority.certificate());
        let client = std::thread::spawn(move || check_good_tls_client(port, &trusted));
        let (mut stream, _) = listener.accept()?;
        let mut received = vec![0; read_before];
        std::io::Read::read_exact(&mut stream, &mut received)?;

        server.handle_connection(stream, &received)?;

        serve(move || client.join().unwrap())?;
    }
    Ok(())
}

/// Data in front of a handshake is refused.
#[test]
fn more_than_the_greeting_cannot_be_handed_over() -> Result<()> {
    let authority = Authority::new()?;
    let server = secure_echo_server(authority.server_config()?)?;
    let errors = SignalSpy::new(&server.server_error());
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut peer = TcpStream::connect(listener.local_addr()?)?;

    server.handle_connection(listener.accept()?.0, request().as_bytes())?;
    peer.write_all(b"more")?;

    errors.wait_for(1)?;
    ensure!(matches!(errors.values()[0], Error::TlsHandshake { .. }), "{:?}", errors.values());
    Ok(())
}
