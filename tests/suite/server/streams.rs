//! Connections over streams of other libraries: with the handshake to come, or upgraded already.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use slotwork::{
    Error, EventLoop, HandshakeRequest, OriginPolicy, SslMode, Verdict, WebSocketServer,
};
use smol::io::{AsyncRead, AsyncWrite};

use support::pipe::pipe;
use support::raw_peer::{self, Frame, PING, RawPeer, TEXT, masked, masked_texts};
use support::raw_server::unmasked;
use support::recorder::Recorder;
use support::{echo, serve, wait_until};

/// RFC 6455 §4.2: all of the opening handshake, messages of all sizes, the closing handshake.
#[test]
fn a_connection_over_another_stream_is_like_one_over_tcp() -> Result<()> {
    let (server, recorder) = echo_server();
    let (listener, port) = listener()?;
    let accepted = hand_over(&server, listener, 2);

    let big = "x".repeat(3 * 1024 * 1024);
    let local = serve(move || {
        let mut bad = RawPeer::connect(port)?;
        bad.send("garbage\r\n\r\n")?;
        ensure!(bad.read_response()?.head.starts_with("HTTP/1.1 400 "));
        let mut peer = RawPeer::connect(port)?;
        let local = peer.try_clone_stream()?.local_addr()?;
        peer.send([raw_peer::request().into_bytes(), masked(TEXT, b"early")].concat())?;
        peer.expect_upgrade()?;
        peer.expect_texts(&["early"])?;
        peer.check_echo(&big)?;
        peer.check_echo("small")?;
        ensure!(peer.close(1000, "bye")? == Frame::close(1000, "bye"));
        Ok(local)
    })?;

    accepted.join().map_err(|_| anyhow::anyhow!("the acceptor panicked"))??;
    let lines = recorder.lines();
    ensure!(lines.first().is_some_and(|line| line == "refused 400 1002"), "{lines:?}");
    ensure!(lines.contains(&format!("from {local}")), "{lines:?}");
    recorder.wait_for_disconnected(1)
}

/// Issue: input that was read before counts, wherever that has stopped.
#[test]
fn what_was_read_of_a_stream_before_is_not_lost() -> Result<()> {
    let whole = [raw_peer::request().into_bytes(), masked_texts(&["early", "bird"])].concat();
    for cut in [1, 30, whole.len() - 3, whole.len()] {
        let (server, _recorder) = echo_server();
        let (stream, peer) = pipe();
        let (received, rest) = whole.split_at(cut);

        server.handle_stream(stream, received, None)?;
        peer.send(rest);

        let echo = [unmasked(TEXT, b"early"), unmasked(TEXT, b"bird")].concat();
        wait_until(|| peer.written().ends_with(&echo))?;
    }
    Ok(())
}

/// Issue: a Unix socket; it has no address, and TLS of the server plays no part.
#[test]
#[cfg(unix)]
fn a_unix_socket_has_no_address() -> Result<()> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    theirs.set_read_timeout(Some(support::DEADLINE))?;
    let server = WebSocketServer::new("", SslMode::Secure);
    let recorder = record(&server);

    server.handle_stream(smol::net::unix::UnixStream::try_from(ours)?, &[], None)?;
    serve(move || {
        let mut peer = RawPeer::over(theirs);
        peer.send(raw_peer::request())?;
        peer.expect_upgrade()?;
        peer.check_echo("local")?;
        peer.close(1000, "").map(drop)
    })?;

    recorder.wait_for(&["from nowhere", "wss://127.0.0.1/chat?room=1", "disconnected"])
}

/// Issue: the sockets of upgraded connections are the server's.
#[test]
fn an_adopted_connection_belongs_to_the_server() -> Result<()> {
    let server = WebSocketServer::new("", SslMode::NonSecure);
    server.set_supported_subprotocols(["v2", "v1"])?;
    server.set_keepalive_interval(Some(Duration::from_millis(20)));
    let recorder = record(&server);
    let request = request([("Sec-WebSocket-Protocol", "v1")])?;
    ensure!(server.subprotocol_for(&request).as_deref() == Some("v1"));
    let (stream, peer) = pipe();
    let peer_address = SocketAddr::from(([192, 0, 2, 1], 80));

    server.adopt_upgraded(stream, &masked(TEXT, b"leftover"), request, peer_address)?;

    wait_until(|| server.clients().len() == 1)?;
    let socket = server.clients().remove(0);
    ensure!(
        socket.resource_name() == "/chat?room=1" && socket.subprotocol().as_deref() == Some("v1")
    );
    recorder.wait_for(&["from 192.0.2.1:80", "ws://example.org/chat?room=1"])?;
    server.broadcast_text("to all");
    let expected = [unmasked(TEXT, b"leftover"), unmasked(TEXT, b"to all")].concat();
    wait_until(|| peer.written().starts_with(&expected))?;
    // A ping without an answer, and the end.
    wait_until(|| peer.written()[expected.len()..].first() == Some(&(0x80 | PING)))?;
    recorder.wait_for_disconnected(1)?;
    ensure!(matches!(socket.error(), Some(Error::KeepaliveTimeout)), "{:?}", socket.error());
    ensure!(server.clients().is_empty());
    Ok(())
}

/// Issue: limits, origins and the verifier count, although the client has its 101 already.
#[test]
fn an_adopted_connection_that_is_refused_is_closed() -> Result<()> {
    type Prepare = fn(&WebSocketServer);
    let cases: [(Prepare, u16, &str); 4] = [
        (|server| server.set_max_connections(Some(0)), 1013, "there are"),
        (|server| server.set_max_handshakes(Some(0)), 1013, "too many"),
        (
            |server| server.set_origin_policy(OriginPolicy::list(["https://a.org"])).unwrap(),
            1008,
            "the origin",
        ),
        (
            |server| server.set_verifier(async |_server, _handshake| Verdict::refuse(401, "")),
            1008,
            "the program",
        ),
    ];
    for (prepare, code, reason) in cases {
        let server = WebSocketServer::new("", SslMode::NonSecure);
        prepare(&server);
        let recorder = Recorder::default();
        recorder.watch_server(&server);
        let (stream, peer) = pipe();

        server.adopt_upgraded(stream, &[], request([("Origin", "https://evil.org")])?, None)?;

        wait_until(|| peer.written().len() > 4 && !recorder.lines().is_empty())?;
        let written = peer.written();
        ensure!(written[0] == 0x88 && written[2..4] == code.to_be_bytes(), "{written:?}");
        ensure!(written[4..].starts_with(reason.as_bytes()), "{written:?}");
        peer.end();
        wait_until(|| peer.is_dropped())?;
        ensure!(server.clients().is_empty() && !server.has_pending_connections());
    }
    Ok(())
}

/// Qt: `close()`; a handshake that waits for the verifier ends with its client or server.
#[test]
fn a_verifier_ends_with_its_client_or_server() -> Result<()> {
    for ends_with_server in [false, true] {
        let (server, recorder) = undecided_server();
        let (stream, peer) = pipe();
        server.adopt_upgraded(stream, &[], request([])?, None)?;

        if ends_with_server {
            server.close();
        } else {
            EventLoop::current().process_events();
            peer.end();
        }

        wait_until(|| peer.is_dropped())?;
        let expected: &[&str] = if ends_with_server { &[] } else { &["broken 1006"] };
        recorder.wait_for(expected)?;
    }
    Ok(())
}

/// A client that has its 101 already is closed when the verifier does not decide in time: with
/// 1013, as it may try again.
#[test]
fn a_verifier_of_an_adopted_connection_has_the_time_of_a_handshake() -> Result<()> {
    let (server, recorder) = undecided_server();
    server.set_handshake_timeout(Some(Duration::from_millis(20)));
    let (stream, peer) = pipe();

    server.adopt_upgraded(stream, &[], request([])?, None)?;

    recorder.wait_for(&["timeout 1006"])?;
    wait_until(|| peer.written().len() > 4)?;
    let written = peer.written();
    ensure!(written[0] == 0x88 && written[2..4] == 1013_u16.to_be_bytes(), "{written:?}");
    peer.end();
    wait_until(|| peer.is_dropped())
}

/// Qt: `setHandshakeTimeout()`.
#[test]
fn a_stream_without_a_request_is_answered_in_time() -> Result<()> {
    let (server, recorder) = echo_server();
    server.set_handshake_timeout(Some(Duration::from_millis(20)));
    let (stream, peer) = pipe();

    server.handle_stream(stream, b"GET / HTTP", None)?;

    recorder.wait_for(&["timeout 1006"])?;
    ensure!(peer.written().starts_with(b"HTTP/1.1 408 "));
    wait_until(|| peer.is_dropped())
}

/// Promised: a broadcast reaches TCP and other streams in order, from each thread; slow ones get it
/// later.
#[test]
fn a_broadcast_reaches_streams_and_tcp_alike() -> Result<()> {
    let server = support::listening_server()?;
    server
        .new_connection()
        .connect(|server, ()| while server.next_pending_connection().is_some() {});
    let mut pipes = Vec::new();
    for _ in 0..3 {
        let (stream, peer) = pipe();
        server.handle_stream(stream, raw_peer::request().as_bytes(), None)?;
        pipes.push(peer);
    }
    let port = server.server_port();
    let tcp = serve(move || RawPeer::open(port))?;
    wait_until(|| server.clients().len() == 4)?;
    for pipe in &pipes {
        pipe.take_written();
    }
    pipes[0].set_room(0);
    pipes[1].set_may_flush(false);

    let texts: Vec<_> =
        (0..20).map(|number| format!("{number}").repeat(1 + number * 2000)).collect();
    for pair in texts.chunks(2) {
        server.broadcast_text(&pair[0]);
        let (elsewhere, text) = (server.clone(), pair[1].clone());
        serve(move || Ok(elsewhere.broadcast_text(text)))?;
        pipes[0].set_room(1000);
    }
    pipes[0].set_room(usize::MAX);
    pipes[1].set_may_flush(true);

    let expected = texts.clone();
    serve(move || expect_texts(tcp, &expected))?;
    wait_until(|| server.clients().iter().all(|client| client.bytes_to_write() == 0))?;
    pipes
        .into_iter()
        .try_for_each(|pipe| expect_texts(RawPeer::over(io::Cursor::new(pipe.written())), &texts))
}

fn expect_texts<S: io::Read + io::Write>(mut peer: RawPeer<S>, texts: &[String]) -> Result<()> {
    texts.iter().try_for_each(|text| peer.expect(&Frame::text(text)))
}

/// Returns a server whose verifier never decides.
fn undecided_server() -> (WebSocketServer, Recorder) {
    let server = WebSocketServer::new("", SslMode::NonSecure);
    server.set_verifier(async |_server, _handshake| {
        std::future::pending::<()>().await;
        Verdict::accept()
    });
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    (server, recorder)
}

/// A server that echoes and does not listen, with a recorder of peers, URLs, errors and ends.
fn echo_server() -> (WebSocketServer, Recorder) {
    let server = WebSocketServer::new("", SslMode::NonSecure);
    let recorder = record(&server);
    (server, recorder)
}

fn record(server: &WebSocketServer) -> Recorder {
    let recorder = Recorder::default();
    let lines = recorder.clone();
    server.new_connection().connect(move |server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            let peer = socket.peer_address().map(|address| (address, socket.peer_port()).into());
            let peer = peer.map_or("nowhere".into(), |peer: SocketAddr| peer.to_string());
            lines.add(format!("from {peer}"));
            lines.add(socket.request_url());
            echo(&socket);
            let lines = lines.clone();
            socket.disconnected().connect(move |_, ()| lines.add("disconnected"));
        }
    });
    let errors = Recorder::default();
    errors.watch_server(server);
    let lines = recorder.clone();
    server.server_error().connect(move |_, _| {
        lines.add(errors.lines().last().cloned().unwrap_or_default());
    });
    recorder
}

fn request<const N: usize>(more: [(&str, &str); N]) -> Result<HandshakeRequest> {
    let usual = [
        ("Host", "example.org"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", raw_peer::KEY),
        ("Sec-WebSocket-Version", "13"),
    ];
    Ok(HandshakeRequest::from_head("GET", "/chat?room=1", usual.into_iter().chain(more))?)
}

/// Accepts as many connections, and hands them over behind another type.
fn hand_over(
    server: &WebSocketServer,
    listener: TcpListener,
    count: usize,
) -> thread::JoinHandle<Result<()>> {
    let server = server.clone();
    thread::spawn(move || {
        for _ in 0..count {
            let (stream, peer) = listener.accept()?;
            let stream = Opaque(smol::net::TcpStream::try_from(stream)?);
            server.handle_stream(stream, &[], peer)?;
        }
        Ok(())
    })
}

/// A stream of a type that nothing knows.
struct Opaque<S>(S);

impl<S: AsyncRead + Unpin> AsyncRead for Opaque<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Opaque<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}

fn listener() -> Result<(TcpListener, u16)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}
