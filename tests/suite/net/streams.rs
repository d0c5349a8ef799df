//! Streams of other libraries: pipes, Unix sockets, and TCP behind another type.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use slotwork::{
    CloseCode, Error, EventLoop, HandshakeRequest, OriginPolicy, OutputPolicy, Role, SslMode,
    Verdict, WebSocket, WebSocketServer,
};
use smol::io::{AsyncRead, AsyncWrite};

use support::pipe::{Pipe, PipePeer, pipe};
use support::raw_peer::{
    self, BINARY, Frame, PING, PONG, RawPeer, TEXT, masked, masked_close, masked_texts,
};
use support::raw_server::unmasked;
use support::recorder::Recorder;
use support::{DEADLINE, echo, serve, wait_until};

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

/// Issue: smol's `TcpStream` is TCP for the loop, also when the program keeps a handle of it.
#[test]
fn a_tcp_stream_of_smol_has_the_addresses_of_tcp() -> Result<()> {
    for keeps_handle in [false, true] {
        let (listener, port) = listener()?;
        let mut peer = RawPeer::connect(port)?;
        let stream = smol::net::TcpStream::try_from(listener.accept()?.0)?;
        let kept = keeps_handle.then(|| stream.clone());

        let socket = WebSocket::from_upgraded_stream(stream, &[], Role::Server, None)?;
        echo(&socket);

        ensure!(socket.local_port() == port);
        ensure!(socket.peer_port() == peer.try_clone_stream()?.local_addr()?.port());
        serve(move || peer.check_echo("over TCP"))?;
        drop(kept);
    }
    let unconnected = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    let stream = smol::net::TcpStream::try_from(TcpStream::from(unconnected))?;
    let error = WebSocketServer::new("", SslMode::NonSecure).handle_stream(stream, &[], None);
    ensure!(matches!(error, Err(Error::AcceptFailed { .. })), "{error:?}");
    Ok(())
}

/// Issue: a Unix socket; it has no address, and TLS of the server plays no part.
#[test]
#[cfg(unix)]
fn a_unix_socket_has_no_address() -> Result<()> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    theirs.set_read_timeout(Some(DEADLINE))?;
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
    type Prepare = fn(&WebSocketServer) -> Result<()>;
    let cases: [(Prepare, u16, &str); 4] = [
        (|server| Ok(server.set_max_connections(Some(0))), 1013, "there are"),
        (|server| Ok(server.set_max_handshakes(Some(0))), 1013, "too many"),
        (
            |server| Ok(server.set_origin_policy(OriginPolicy::List(vec!["https://a.org".into()]))?),
            1008,
            "the origin",
        ),
        (
            |server| Ok(server.set_verifier(async |_server, _handshake| Verdict::refuse(401, ""))),
            1008,
            "the program",
        ),
    ];
    for (prepare, code, reason) in cases {
        let server = WebSocketServer::new("", SslMode::NonSecure);
        prepare(&server)?;
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
        let server = WebSocketServer::new("", SslMode::NonSecure);
        server.set_verifier(async |_server, _handshake| {
            std::future::pending::<()>().await;
            Verdict::accept()
        });
        let recorder = Recorder::default();
        recorder.watch_server(&server);
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

/// Issue: writes from other threads queue and wake the loop, of any size.
#[test]
fn another_thread_sends_while_the_loop_sleeps() -> Result<()> {
    let (socket, peer, _recorder) = open_socket()?;
    let sizes = [0, 1, 100, 16 * 1024, 1024 * 1024];
    let expected: Vec<_> = sizes.iter().flat_map(|size| frames(TEXT, &vec![b'x'; *size])).collect();

    let written = serve(move || {
        for size in sizes {
            socket.send_text_message("x".repeat(size));
            // The loop sleeps again.
            while socket.bytes_to_write() > 0 {
                thread::yield_now();
            }
        }
        Ok(peer.written())
    })?;

    ensure!(written == expected);
    Ok(())
}

/// RFC 6455 §5.4; issue: progress is what the stream takes. Nothing is lost or written twice.
#[test]
fn output_continues_where_the_stream_has_stopped() -> Result<()> {
    let (socket, peer, _recorder) = open_socket()?;
    peer.set_room(0);
    let message = vec![7; 100_000];
    socket.send_binary_message(&message);
    socket.send_binary_message("end");
    let total = socket.bytes_to_write();
    let mut taken = 0_usize;

    for room in [1, 2, 5, 1000, 70_000, usize::MAX] {
        peer.set_room(room);
        taken = taken.saturating_add(room).min(total);
        wait_until(|| peer.written().len() == taken && socket.bytes_to_write() == total - taken)?;
    }

    let expected = [frames(BINARY, &message), frames(BINARY, b"end")].concat();
    ensure!(peer.written() == expected);
    Ok(())
}

/// Issue: what is not flushed waits, and is flushed although nothing else is sent.
#[test]
fn a_pending_flush_is_continued() -> Result<()> {
    let (socket, peer, _recorder) = open_socket()?;
    peer.set_may_flush(false);
    socket.send_text_message("hello");
    wait_until(|| !peer.written().is_empty())?;
    ensure!(socket.bytes_to_write() == 1, "{}", socket.bytes_to_write());
    // The rest waits for the flush; a pause of reading does not concern it.
    socket.pause_reading();
    socket.send_text_message("world");
    EventLoop::current().process_events();
    ensure!(peer.written() == unmasked(TEXT, b"hello"));

    peer.set_may_flush(true);

    wait_until(|| socket.bytes_to_write() == 0)?;
    ensure!(peer.written() == [unmasked(TEXT, b"hello"), unmasked(TEXT, b"world")].concat());
    Ok(())
}

/// RFC 6455 §7.1.1: the sending direction is closed behind the close frame, when it can be.
#[test]
fn a_pending_close_is_continued() -> Result<()> {
    let (socket, peer, recorder) = open_socket()?;
    peer.set_may_close(false);
    socket.close(1000, "");
    peer.send(masked_close(1000, ""));
    wait_until(|| !peer.written().is_empty())?;
    EventLoop::current().process_events();
    ensure!(!peer.is_closed());

    peer.set_may_close(true);

    wait_until(|| peer.is_closed())?;
    peer.end();
    recorder.wait_for_disconnected(1)?;
    ensure!(recorder.lines().ends_with(&["disconnected Some(1000) ".into()]));
    Ok(())
}

/// Qt: `errorOccurred()`, `disconnected()`; a failed stream ends its own connection alone.
#[test]
fn a_stream_that_fails_ends_its_connection() -> Result<()> {
    let fail: [(fn(&PipePeer), &str); 5] = [
        (PipePeer::take_nothing, "the peer closed the connection without a closing handshake"),
        (
            |peer| peer.panic_in("write"),
            "the peer closed the connection without a closing handshake",
        ),
        (
            |peer| peer.panic_in("flush"),
            "the peer closed the connection without a closing handshake",
        ),
        (|peer| peer.panic_in("read"), "the connection failed"),
        (PipePeer::end, "the peer closed the connection without a closing handshake"),
    ];
    for (fail, error) in fail {
        let (other, other_peer, _other_recorder) = open_socket()?;
        let (socket, peer, recorder) = open_socket()?;
        EventLoop::current().process_events();

        fail(&peer);
        socket.send_text_message("hello");

        recorder.check_life(&[
            &format!("error: {error}"),
            "Unconnected",
            "disconnected Some(1006) ",
        ])?;
        wait_until(|| peer.is_dropped())?;
        other.send_text_message("still there");
        wait_until(|| other_peer.written() == unmasked(TEXT, b"still there"))?;
    }
    Ok(())
}

/// Issue: a panic in the stream's `Drop` or in its closing ends nothing else.
#[test]
fn a_stream_that_panics_at_its_end_ends_alone() -> Result<()> {
    for call in ["close", "drop"] {
        let (_socket, peer, recorder) = open_socket()?;
        peer.send(masked_close(1000, ""));
        peer.panic_in(call);
        if call == "drop" {
            peer.end();
        }

        recorder.wait_for_disconnected(1)?;
        wait_until(|| peer.is_dropped())?;
    }
    let (socket, peer, _recorder) = open_socket()?;
    peer.panic_in("drop");
    socket.abort();
    wait_until(|| peer.is_dropped())
}

/// Qt: `disconnected()`; a paused socket finds the end too, unless input is in front of it.
#[test]
fn a_paused_socket_ends_with_its_peer() -> Result<()> {
    let (socket, peer, recorder) = open_socket()?;
    EventLoop::current().process_events();
    socket.pause_reading();
    peer.end();

    recorder.wait_for_disconnected(1)?;

    let (socket, peer, recorder) = open_socket()?;
    EventLoop::current().process_events();
    socket.pause_reading();
    peer.send(masked_texts(&["unread"]));
    EventLoop::current().process_events();
    peer.end();
    EventLoop::current().process_events();
    ensure!(recorder.lines().is_empty() && socket.is_valid());
    socket.resume_reading();
    recorder.wait_for_disconnected(1)?;
    ensure!(recorder.lines()[0] == "text unread", "{:?}", recorder.lines());
    Ok(())
}

/// Issue: deadlines and limits for a slow reader are those of other connections.
#[test]
fn a_reader_that_takes_nothing_is_ended() -> Result<()> {
    let (socket, peer, recorder) = open_socket()?;
    peer.set_room(0);
    socket.set_write_timeout(Some(Duration::from_millis(20)));
    socket.send_text_message("hello");
    recorder.wait_for_disconnected(1)?;
    ensure!(matches!(socket.error(), Some(Error::WriteTimeout(_))), "{:?}", socket.error());
    // It lingers until the peer has ended.
    ensure!(!peer.is_dropped());
    peer.end();
    wait_until(|| peer.is_dropped())?;

    let (socket, peer, recorder) = open_socket()?;
    peer.set_room(0);
    socket.set_output_limit(1000);
    socket.set_output_policy(OutputPolicy::Close);
    socket.send_binary_message([0; 900]);
    socket.send_binary_message([0; 900]);
    recorder.wait_for_disconnected(1)?;
    ensure!(matches!(socket.error(), Some(Error::OutputLimit { .. })), "{:?}", socket.error());
    peer.end();
    wait_until(|| peer.is_dropped())
}

/// Qt: a `QEventLoop` inside a slot; output continues meanwhile, also from other threads.
#[test]
fn a_loop_inside_a_slot_writes_to_the_stream() -> Result<()> {
    let (socket, peer, _recorder) = open_socket()?;
    let recorder = Recorder::default();
    let (lines, slot_peer) = (recorder.clone(), peer.clone());
    socket.text_message_received().connect(move |socket, _text| {
        slot_peer.set_room(3);
        let (sending, slot_peer) = (socket.clone(), slot_peer.clone());
        let outcome = serve(move || {
            sending.send_text_message("from a thread");
            // Each has to wake the loop, which sleeps: there is no other event.
            wait_for_length(&slot_peer, 3)?;
            slot_peer.set_room(usize::MAX);
            wait_for_length(&slot_peer, 15)
        });
        lines.add(format!("{outcome:?}"));
    });

    peer.send(masked(TEXT, b"go"));

    recorder.wait_for(&["Ok(())"])?;
    ensure!(peer.written() == unmasked(TEXT, b"from a thread"));
    Ok(())
}

/// RFC 6455 §5.5.3: pings of the peer are answered, close frames too; the role is the given one.
#[test]
fn a_client_end_masks_its_frames() -> Result<()> {
    let (stream, peer) = pipe();
    let socket = WebSocket::from_upgraded_stream(stream, &[], Role::Client, None)?;
    let recorder = Recorder::default();
    recorder.watch(&socket);
    ensure!(socket.peer_address().is_none() && socket.local_address().is_none());

    peer.send([unmasked(PING, b"?"), unmasked(TEXT, b"hi")].concat());

    wait_until(|| peer.written().len() == 7)?;
    ensure!(peer.written()[..2] == [0x80 | PONG, 0x81]);
    recorder.check(&["text hi"])?;
    ensure!(socket.close_code().is_none());
    socket.abort();
    recorder.wait_for_disconnected(1)?;
    ensure!(socket.close_code() == Some(CloseCode::ABNORMAL_DISCONNECTION));
    Ok(())
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

/// A socket over a pipe, and a recorder of its signals.
fn open_socket() -> Result<(WebSocket, PipePeer, Recorder)> {
    let (stream, peer): (Pipe, _) = pipe();
    let socket = WebSocket::from_upgraded_stream(stream, &[], Role::Server, None)?;
    let recorder = Recorder::default();
    let lines = recorder.clone();
    socket.text_message_received().connect(move |_, text| lines.add(format!("text {text}")));
    let lines = recorder.clone();
    socket.state_changed().connect(move |_, state| lines.add(format!("{state:?}")));
    let lines = recorder.clone();
    socket.error_occurred().connect(move |_, error| lines.add(format!("error: {error}")));
    let lines = recorder.clone();
    socket.disconnected().connect(move |socket, ()| {
        let code = socket.close_code().map(u16::from);
        lines.add(format!("disconnected {code:?} {}", socket.close_reason()));
    });
    Ok((socket, peer, recorder))
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

fn listener() -> Result<(TcpListener, u16)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
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

/// Waits in another thread than the loop's.
fn wait_for_length(peer: &PipePeer, length: usize) -> Result<()> {
    let end = Instant::now() + DEADLINE;
    while peer.written().len() < length {
        ensure!(Instant::now() < end, "{:?}", peer.written());
        thread::yield_now();
    }
    Ok(())
}

/// Returns a message of a server as it is sent: in frames of 512 KiB.
fn frames(opcode: u8, message: &[u8]) -> Vec<u8> {
    let count = message.len().div_ceil(512 * 1024).max(1);
    let mut frames = Vec::new();
    for number in 0..count {
        let start = number * 512 * 1024;
        let payload = &message[start..message.len().min(start + 512 * 1024)];
        let fin = if number + 1 == count { 0x80 } else { 0 };
        frames.push(fin | if number == 0 { opcode } else { 0 });
        match payload.len() {
            length @ 0..=125 => frames.push(length as u8),
            length @ 126..=0xFFFF => {
                frames.push(126);
                frames.extend((length as u16).to_be_bytes());
            }
            length => {
                frames.push(127);
                frames.extend((length as u64).to_be_bytes());
            }
        }
        frames.extend(payload);
    }
    frames
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
