//! Streams of other libraries below an open connection: pipes, and TCP of smol.

use std::io::Cursor;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use slotwork::{
    CloseCode, Error, EventLoop, EventThread, OutputPolicy, Role, SslMode, WebSocket,
    WebSocketServer,
};

use support::pipe::{Pipe, PipePeer, pipe};
use support::raw_peer::{
    BINARY, Frame, PING, PONG, RawPeer, TEXT, masked, masked_close, masked_texts,
};
use support::raw_server::unmasked;
use support::recorder::Recorder;
use support::{DEADLINE, echo, serve, wait_until};

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
    let (listener, port) = listener()?;
    let mut peer = RawPeer::connect(port)?;
    let stream = smol::Async::new(listener.accept()?.0)?;
    let socket = WebSocket::from_upgraded_stream(stream, &[], Role::Server, None)?;
    echo(&socket);
    ensure!(socket.local_port() == port);
    serve(move || peer.check_echo("over TCP"))?;

    let unconnected = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    let stream = smol::net::TcpStream::try_from(TcpStream::from(unconnected))?;
    let error = WebSocketServer::new("", SslMode::NonSecure).handle_stream(stream, &[], None);
    ensure!(matches!(error, Err(Error::AcceptFailed { .. })), "{error:?}");
    Ok(())
}

/// Issue: writes from other threads queue and wake the loop, of any size.
#[test]
fn another_thread_sends_while_the_loop_sleeps() -> Result<()> {
    let (socket, peer, _recorder) = open_socket()?;
    let sizes = [0, 1, 100, 16 * 1024, 1024 * 1024];

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

    let expected = sizes.map(|size| Frame::text(&"x".repeat(size)));
    ensure!(messages(written)? == expected);
    Ok(())
}

/// RFC 6455 §5.2: a message longer than many reads arrives whole, however the stream cuts it.
#[test]
fn a_message_longer_than_many_reads_arrives_whole() -> Result<()> {
    let message: Vec<u8> = (0..=250).cycle().take(3 * 1024 * 1024).collect();
    let frame = masked(BINARY, &message);
    for size in [frame.len(), 1_000_000, 70_000] {
        let (socket, peer, _recorder) = open_socket()?;
        echo(&socket);

        for piece in frame.chunks(size) {
            peer.send(piece);
            EventLoop::current().process_events();
        }

        wait_until(|| peer.written().len() >= message.len() && socket.bytes_to_write() == 0)?;
        let is_whole =
            messages(peer.written())? == [Frame { opcode: BINARY, payload: message.clone() }];
        ensure!(is_whole, "in pieces of {size} bytes");
    }
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

    let expected = [message, b"end".to_vec()].map(|payload| Frame { opcode: BINARY, payload });
    ensure!(messages(peer.written())? == expected);
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

/// Issue: a stream that keeps the waker of its last call alone, as one task needs it: neither input
/// nor room is lost while both are awaited.
#[test]
fn a_stream_with_one_waker_wakes_both_directions() -> Result<()> {
    let (socket, peer, recorder) = open_socket()?;
    peer.use_one_waker();
    peer.set_room(0);
    socket.send_text_message("hello");
    EventLoop::current().process_events();

    peer.send(masked(TEXT, b"in"));
    recorder.wait_for(&["text in"])?;
    socket.pause_reading();
    peer.set_room(usize::MAX);

    wait_until(|| peer.written() == unmasked(TEXT, b"hello"))
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
    type Fail = fn(&PipePeer);
    let fail: [(Fail, &str); 5] = [
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

/// Wake-ups of another thread while the socket's thread ends, and behind that, harm nothing.
#[test]
fn a_stream_wakes_a_thread_that_has_ended() -> Result<()> {
    let (stream, peer) = pipe();
    let thread = EventThread::spawn("ending", move || {
        WebSocket::from_upgraded_stream(stream, &[], Role::Server, None)
    })?;
    let waking = peer.clone();
    let (say, said) = mpsc::channel();
    let waker = thread::spawn(move || {
        for number in 0.. {
            waking.send(masked(TEXT, b"x"));
            waking.set_room(number % 3);
            if number == 100 {
                let _ = say.send(());
            }
            if waking.is_dropped() {
                return waking.send(masked(TEXT, b"behind the end"));
            }
        }
    });

    said.recv_timeout(DEADLINE)?;
    thread.quit();
    thread.wait()?;

    ensure!(peer.is_dropped());
    waker.join().map_err(|_| anyhow::anyhow!("the waker panicked"))
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

fn listener() -> Result<(TcpListener, u16)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
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

/// Returns the messages of a server in what it has written.
fn messages(written: Vec<u8>) -> Result<Vec<Frame>> {
    let length = u64::try_from(written.len())?;
    let mut peer = RawPeer::over(Cursor::new(written));
    let mut messages = Vec::new();
    while peer.stream_mut().position() < length {
        messages.push(peer.read_frame()?);
    }
    Ok(messages)
}
