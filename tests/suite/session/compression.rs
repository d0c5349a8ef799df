//! Compressed messages: what is received and sent (RFC 7692 §6, §7.2).

use std::cell::RefCell;
use std::iter::successors;
use std::num::NonZeroUsize;
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use slotwork::{
    CloseCode, Compression, CompressionLevel, OutputPolicy, PreparedMessage, SocketState,
    WebSocket, WebSocketServer,
};

use support::compressed_peer::{CompressedPeer, FINAL, RSV1, Streams, chat_message};
use support::raw_peer::{
    BINARY, CLOSE, CONTINUATION, PING, PONG, RawPeer, TEXT, check_good_client, masked, masked_frame,
};
use support::recorder::Recorder;
use support::{echo, echo_server, listening_server, serve, wait_until};

const OFFER: &str = "permessage-deflate; client_max_window_bits";
const WITHOUT_HISTORY: Compression = Compression::new();

fn compressing_server(compression: Compression) -> Result<WebSocketServer> {
    let server = echo_server()?;
    server.set_compression(compression);
    Ok(server)
}

/// Starts a server that keeps its sockets.
fn collecting_server(
    compression: Compression,
) -> Result<(WebSocketServer, Rc<RefCell<Vec<WebSocket>>>)> {
    let server = listening_server()?;
    server.set_compression(compression);
    let sockets = Rc::new(RefCell::new(Vec::new()));
    let taken = Rc::clone(&sockets);
    server.new_connection().connect(move |server, ()| {
        taken.borrow_mut().extend(server.next_pending_connection());
    });
    Ok((server, sockets))
}

/// Opens a compressed peer of a server that keeps its sockets.
fn open_one(
    server: &WebSocketServer,
    sockets: &Rc<RefCell<Vec<WebSocket>>>,
) -> Result<(CompressedPeer, WebSocket)> {
    let (port, before) = (server.server_port(), sockets.borrow().len());
    let peer = serve(move || CompressedPeer::open(port, OFFER))?;
    wait_until(|| sockets.borrow().len() > before)?;
    let socket = sockets.borrow().last().cloned().context("no socket")?;
    Ok((peer, socket))
}

/// RFC 7692 §7.1.1 and §7.2: both directions with context takeover, for windows of all sizes, and
/// plain messages between.
#[test]
fn echoes_with_a_history() -> Result<()> {
    for size in [512, 4096, 32_768] {
        let server = compressing_server(WITHOUT_HISTORY.history(size)?)?;
        let port = server.server_port();
        serve(move || {
            let mut peer = CompressedPeer::open(port, OFFER)?;
            ensure!(!peer.agreed.contains("no_context_takeover"), "{}", peer.agreed);
            for number in 0..200 {
                let text = chat_message(number, 64 + number * 37 % 3000);
                if number % 5 == 0 {
                    peer.send_plain(&text)?;
                    peer.expect_text(&text)?;
                } else {
                    peer.check_echo(&text)?;
                }
            }
            peer.check_echo(&chat_message(1, 300_000))?;
            peer.check_echo(&chat_message(2, 100))
        })?;
    }
    Ok(())
}

/// RFC 7692 §7.1.1.1: without a history each message is compressed by itself.
#[test]
fn echoes_without_a_history() -> Result<()> {
    for level in [CompressionLevel::Fast, CompressionLevel::Balanced, CompressionLevel::Small] {
        let server = compressing_server(WITHOUT_HISTORY.level(level))?;
        let port = server.server_port();
        serve(move || {
            let mut peer = CompressedPeer::open(port, OFFER)?;
            ensure!(peer.agreed.contains("server_no_context_takeover"), "{}", peer.agreed);
            (0..50).try_for_each(|number| peer.check_echo(&chat_message(number, 300 + number * 61)))
        })?;
    }
    Ok(())
}

/// With a history, a message like one before it is a few bytes.
#[test]
fn a_history_makes_messages_shorter() -> Result<()> {
    let server = compressing_server(WITHOUT_HISTORY.history(4096)?)?;
    let port = server.server_port();
    serve(move || {
        let mut peer = CompressedPeer::open(port, OFFER)?;
        let text = chat_message(3, 1000);
        peer.check_echo(&text)?;
        peer.send_text(&text)?;
        let again = peer.read()?;
        ensure!(again.is_compressed && again.length < 60, "{} bytes", again.length);
        Ok(())
    })
}

/// Short messages, and what does not become shorter, are sent plain, and are not in the history.
#[test]
fn messages_that_gain_nothing_are_sent_plain() -> Result<()> {
    let server = compressing_server(WITHOUT_HISTORY.history(4096)?.threshold(100))?;
    let port = server.server_port();
    serve(move || {
        let mut peer = CompressedPeer::open(port, OFFER)?;
        for (text, is_compressed) in [
            (String::new(), false),
            ("x".repeat(99), false),
            ("x".repeat(100), true),
            ("abcdefghijklmnopqrstuvwxyz0123456789".chars().rev().collect(), false),
            (chat_message(1, 500), true),
            (chat_message(2, 500), true),
        ] {
            peer.send_text(&text)?;
            ensure!(peer.expect_text(&text)? == is_compressed, "{text:?}");
        }
        let next = |last: &u32| Some(last.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
        let random: Vec<_> =
            successors(Some(1), next).map(|it| it.to_be_bytes()[0]).take(500).collect();
        let payload = peer.streams.compress(&random)?;
        peer.raw.send(masked_frame(FINAL | RSV1 | BINARY, &payload))?;
        let echoed = peer.read()?;
        ensure!(!echoed.is_compressed && echoed.payload == random);
        peer.check_echo(&chat_message(3, 500))
    })
}

/// RFC 7692 §7.2.3: the examples, as they come over the wire, and their echoes.
#[test]
fn receives_the_examples() -> Result<()> {
    let server = compressing_server(WITHOUT_HISTORY.history(32_768)?)?;
    let port = server.server_port();
    serve(move || {
        let mut peer = CompressedPeer::open(port, OFFER)?;
        for example in [
            &b"\xF2\x48\xCD\xC9\xC9\x07\x00"[..],
            b"\xF2\x00\x11\x00\x00",
            b"\x00\x05\x00\xFA\xFFHello\x00",
            b"\xF3\x48\xCD\xC9\xC9\x07\x00\x00",
            b"\xF2\x48\x05\x00\x00\x00\xFF\xFF\xCA\xC9\xC9\x07\x00",
        ] {
            peer.raw.send(masked_frame(FINAL | RSV1 | TEXT, example))?;
            peer.expect_text("Hello")?;
        }
        peer.raw.send(masked_frame(FINAL | RSV1 | BINARY, b"\x00"))?;
        let empty = peer.read()?;
        ensure!((empty.opcode, empty.length, empty.is_compressed) == (BINARY, 0, false));
        Ok(())
    })
}

/// RFC 7692 §6.1 and §6.2: fragments, of any size, with control frames between.
#[test]
fn receives_fragments_with_control_frames_between() -> Result<()> {
    let server = compressing_server(WITHOUT_HISTORY.history(4096)?)?;
    let port = server.server_port();
    serve(move || {
        let mut peer = CompressedPeer::open(port, OFFER)?;
        for number in 0..20 {
            let text = chat_message(number, 500);
            let payload = peer.streams.compress(text.as_bytes())?;
            let mut opcode = RSV1 | TEXT;
            for piece in payload.chunks(1 + number * 3) {
                peer.raw.send(masked_frame(opcode, piece))?;
                peer.raw.send(masked(PING, b"between"))?;
                ensure!(peer.read()?.opcode == PONG);
                opcode = CONTINUATION;
            }
            peer.raw.send(masked_frame(FINAL | CONTINUATION, b""))?;
            ensure!(peer.expect_text(&text)?);
        }
        Ok(())
    })
}

/// RFC 7692 §6: the bit is allowed in the first frame of a message, and where it was agreed on.
#[test]
fn refuses_the_bit_in_other_frames() -> Result<()> {
    let server = compressing_server(WITHOUT_HISTORY)?;
    let port = server.server_port();
    serve(move || {
        let hello = b"\xF2\x48\xCD\xC9\xC9\x07\x00";
        for frames in [
            vec![masked_frame(RSV1 | TEXT, &hello[..3]), masked_frame(FINAL | RSV1, &hello[3..])],
            vec![masked_frame(FINAL | RSV1 | PING, b"")],
            vec![masked_frame(FINAL | RSV1 | CLOSE, b"")],
            vec![masked_frame(FINAL | 0x20 | TEXT, hello)],
            vec![masked_frame(FINAL | RSV1 | 0x10 | TEXT, hello)],
        ] {
            let mut peer = CompressedPeer::open(port, OFFER)?;
            peer.raw.send(frames.concat())?;
            ensure!(peer.raw.read_frame()?.close_code()? == 1002, "{frames:x?}");
        }
        let mut plain = RawPeer::open(port)?;
        plain.send(masked_frame(FINAL | RSV1 | TEXT, hello))?;
        ensure!(plain.read_frame()?.close_code()? == 1002);
        check_good_client(port)
    })
}

/// MSG-21: data that breaks off, or is broken, or is not text: 1007, and others are still served.
#[test]
fn refuses_every_truncation() -> Result<()> {
    let server = compressing_server(WITHOUT_HISTORY)?;
    let port = server.server_port();
    serve(move || {
        let whole = Streams::new(true, true).compress(chat_message(1, 150).as_bytes())?;
        let mut invalid = Streams::new(true, true).compress(&[0xFF; 100])?;
        for length in (0..whole.len()).chain([usize::MAX]) {
            let mut peer = CompressedPeer::open(port, OFFER)?;
            let payload = whole.get(..length).unwrap_or(&invalid);
            peer.raw.send(masked_frame(FINAL | RSV1 | TEXT, payload))?;
            ensure!(peer.raw.read_frame()?.close_code()? == 1007, "{length} bytes");
        }
        invalid[0] |= 0x07;
        let mut peer = CompressedPeer::open(port, OFFER)?;
        peer.raw.send(masked_frame(FINAL | RSV1 | BINARY, &invalid))?;
        ensure!(peer.raw.read_frame()?.close_code()? == 1007);
        check_good_client(port)
    })
}

/// MSG-20, RFC 7692 §8: the limit of messages is exact for the plain text, and a bomb is 1009.
#[test]
fn bombs_end_at_the_maximum_size() -> Result<()> {
    let server = compressing_server(WITHOUT_HISTORY)?;
    server.set_max_allowed_incoming_message_size(1 << 20);
    let port = server.server_port();
    serve(move || {
        let fitting = bomb(1)?;
        let mut exceeding = [&fitting[..], &[0, 0, 0xFF, 0xFF]].concat();
        exceeding.extend(Streams::new(false, false).compress(b"x")?);
        let mut peer = CompressedPeer::open(port, OFFER)?;
        peer.raw.send(masked_frame(FINAL | RSV1 | BINARY, &fitting))?;
        ensure!(peer.read()?.payload.len() == 1 << 20);

        for bomb in [exceeding, bomb(64)?] {
            for pieces in [1, 7] {
                let mut peer = CompressedPeer::open(port, OFFER)?;
                let mut opcode = RSV1 | BINARY;
                for piece in bomb.chunks(bomb.len().div_ceil(pieces)) {
                    peer.raw.send(masked_frame(opcode, piece))?;
                    opcode = CONTINUATION;
                }
                peer.raw.send(masked_frame(FINAL | CONTINUATION, b""))?;
                ensure!(peer.raw.read_frame()?.close_code()? == 1009, "{} bytes", bomb.len());
            }
        }
        check_good_client(port)
    })
}

/// Returns a compressed message of so many MiB; each of them takes one KiB.
fn bomb(mib: usize) -> Result<Vec<u8>> {
    let part = Streams::new(false, false).compress(&vec![b'x'; 1 << 20])?;
    ensure!(part.len() < 1200, "{} bytes", part.len());
    Ok(vec![part; mib].join(&[0, 0, 0xFF, 0xFF][..]))
}

/// MSG-20: many small bombs in one read take several turns, in which another client is served.
#[test]
fn small_bombs_starve_no_other_client() -> Result<()> {
    let server = compressing_server(WITHOUT_HISTORY)?;
    server.set_output_limit(1 << 30);
    let port = server.server_port();
    serve(move || {
        let bomb = bomb(2)?;
        let mut peer = CompressedPeer::open(port, OFFER)?;
        peer.raw.send(masked_frame(FINAL | RSV1 | BINARY, &bomb).repeat(20))?;
        check_good_client(port)?;
        (0..20).try_for_each(|_| {
            ensure!(peer.read()?.payload.len() == 2 << 20);
            Ok(())
        })
    })
}

/// Qt: `textFrameReceived`; a compressed message is one frame, whatever its fragments are.
#[test]
fn a_compressed_message_is_one_frame() -> Result<()> {
    let (server, sockets) = collecting_server(WITHOUT_HISTORY)?;
    let (mut peer, socket) = open_one(&server, &sockets)?;
    let recorder = Recorder::default();
    let frames = recorder.clone();
    socket.text_frame_received().connect(move |_, frame| {
        frames.add(format!("{} {}", frame.text, frame.is_last_frame));
    });

    let payload = peer.streams.compress(b"abcdefabcdef")?;
    let (first, last) = payload.split_at(3);
    peer.raw.send(masked_frame(RSV1 | TEXT, first))?;
    peer.raw.send(masked_frame(FINAL | CONTINUATION, last))?;
    peer.raw.send(masked_frame(TEXT, b"plain"))?;
    peer.raw.send(masked_frame(FINAL | CONTINUATION, b"text"))?;

    recorder.wait_for(&["abcdefabcdef true", "plain false", "text true"])
}

/// The opt-out: messages are plain from the next one on, and compressed again.
#[test]
fn a_socket_opts_out_for_some_messages() -> Result<()> {
    let (server, sockets) = collecting_server(WITHOUT_HISTORY.history(4096)?)?;
    let (mut peer, socket) = open_one(&server, &sockets)?;
    let texts: Vec<_> = (0..3).map(|number| chat_message(number, 400)).collect();

    ensure!(socket.is_compressing());
    socket.send_text_message(&texts[0]);
    socket.set_compressing(false);
    ensure!(!socket.is_compressing());
    socket.send_text_message(&texts[1]);
    socket.set_compressing(true);
    socket.send_text_message(&texts[2]);

    serve(move || {
        ensure!(peer.expect_text(&texts[0])?);
        ensure!(!peer.expect_text(&texts[1])?);
        ensure!(peer.expect_text(&texts[2])?);
        Ok(())
    })
}

/// Broadcasts and prepared messages for clients with compression and without, between others.
#[test]
fn broadcasts_reach_all_clients() -> Result<()> {
    for compression in
        [WITHOUT_HISTORY, WITHOUT_HISTORY.history(512)?, WITHOUT_HISTORY.history(4096)?]
    {
        let (server, sockets) = collecting_server(compression)?;
        let port = server.server_port();
        let (mut first, _) = open_one(&server, &sockets)?;
        let (mut second, _) = open_one(&server, &sockets)?;
        let mut plain = serve(move || RawPeer::open(port))?;
        wait_until(|| sockets.borrow().len() == 3)?;
        let texts: Vec<_> = (0..40).map(|number| chat_message(number, 700)).collect();

        for (number, text) in texts.iter().enumerate() {
            match number % 4 {
                0 => sockets.borrow().iter().for_each(|socket| {
                    socket.send_text_message(text);
                }),
                1 => {
                    let message = PreparedMessage::text(text).uncompressed();
                    sockets.borrow().iter().for_each(|socket| {
                        socket.send_prepared(&message);
                    });
                }
                _ => {
                    ensure!(server.broadcast_text(text) == 3);
                }
            }
        }

        serve(move || {
            for (number, text) in texts.iter().enumerate() {
                ensure!(first.expect_text(text)? == (number % 4 != 1), "message {number}");
                ensure!(second.expect_text(text)? == (number % 4 != 1), "message {number}");
                plain.expect_texts(&[text])?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// A policy that drops messages: those that arrive are whole, whatever was dropped between.
#[test]
fn dropped_messages_are_missed_by_no_other() -> Result<()> {
    for policy in [OutputPolicy::DropOldest, OutputPolicy::DropNewest, OutputPolicy::KeepLatest] {
        let (server, sockets) = collecting_server(WITHOUT_HISTORY.history(4096)?)?;
        let (mut peer, socket) = open_one(&server, &sockets)?;
        socket.set_output_policy(policy);
        socket.set_output_limit(100 * 1024);
        let texts: Vec<_> = (0..3020).map(|number| chat_message(number, 4000)).collect();
        let last = texts[3000..].to_vec();
        for (number, text) in texts[..3000].iter().enumerate() {
            if number % 3 == 0 {
                server.broadcast_text(text);
            } else {
                socket.send_text_message(text);
            }
        }
        ensure!(socket.dropped_messages() > 0, "nothing was dropped");
        let reading = std::thread::spawn(move || {
            let mut received = 0;
            let mut rest = texts.iter();
            loop {
                let message = peer.read()?;
                if message.opcode == CLOSE {
                    return Ok(received);
                }
                let is_sent = rest.any(|text| text.as_bytes() == message.payload);
                ensure!(is_sent, "{:?} came", String::from_utf8_lossy(&message.payload));
                received += 1;
            }
        });
        wait_until(|| socket.bytes_to_write() == 0)?;
        for text in last {
            socket.send_text_message(text);
        }
        socket.close(CloseCode::NORMAL, "");
        wait_until(|| reading.is_finished())?;
        let received = reading.join().map_err(|_| anyhow::anyhow!("the peer panicked"))??;
        ensure!(received > 0);
    }
    Ok(())
}

/// What was sent before `close` arrives, compressed.
#[test]
fn close_waits_for_compressed_output() -> Result<()> {
    let (server, sockets) = collecting_server(WITHOUT_HISTORY.history(4096)?)?;
    let (mut peer, socket) = open_one(&server, &sockets)?;
    let texts: Vec<_> = (0..2000).map(|number| chat_message(number, 5000)).collect();

    for text in &texts {
        socket.send_text_message(text);
    }
    ensure!(socket.bytes_to_write() > 0);
    socket.close(CloseCode::NORMAL, "done");

    serve(move || {
        for text in &texts {
            ensure!(peer.expect_text(text)?);
        }
        ensure!(peer.raw.read_frame()?.close_code()? == 1000);
        peer.raw.close_back()
    })?;
    wait_until(|| socket.state() == SocketState::Unconnected)
}

/// `bytes_written` and `bytes_to_write` count bytes on the wire.
#[test]
fn bytes_are_counted_as_they_leave() -> Result<()> {
    let (server, sockets) = collecting_server(WITHOUT_HISTORY)?;
    let (mut peer, socket) = open_one(&server, &sockets)?;
    let recorder = Recorder::default();
    let written = recorder.clone();
    socket.bytes_written().connect(move |_, count| written.add(count.to_string()));

    let text = "x".repeat(10_000);
    socket.send_text_message(&text);
    let waiting = socket.bytes_to_write();
    let message = serve(move || peer.read())?;

    ensure!(message.payload == text.as_bytes() && message.length + 2 == waiting, "{waiting}");
    recorder.wait_for(&[&waiting.to_string()])
}

/// Several threads send on one socket: each message can be inflated where it arrives.
#[test]
fn threads_send_compressed_messages_on_one_socket() -> Result<()> {
    const EACH: usize = 200;
    let (server, sockets) = collecting_server(WITHOUT_HISTORY.history(4096)?)?;
    let (mut peer, socket) = open_one(&server, &sockets)?;
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let socket = socket.clone();
            std::thread::spawn(move || {
                for number in 0..EACH {
                    socket.send_text_message(chat_message(thread * EACH + number, 600));
                }
            })
        })
        .collect();

    let mut received =
        serve(move || (0..4 * EACH).map(|_| Ok(peer.read()?.payload)).collect::<Result<Vec<_>>>())?;

    for thread in threads {
        thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?;
    }
    let mut expected: Vec<_> =
        (0..4 * EACH).map(|number| chat_message(number, 600).into_bytes()).collect();
    received.sort();
    expected.sort();
    ensure!(received == expected);
    Ok(())
}

/// Our client and our server: both directions, masked, with fragments, and prepared messages.
#[test]
fn a_client_and_a_server_compress_for_each_other() -> Result<()> {
    for compression in
        [WITHOUT_HISTORY, WITHOUT_HISTORY.history(1024)?, WITHOUT_HISTORY.history(32_768)?]
    {
        let server = compressing_server(compression)?;
        let client = WebSocket::new();
        client.set_compression(compression);
        client.set_outgoing_frame_size(NonZeroUsize::new(70).context("not zero")?);
        let recorder = Recorder::default();
        let texts = recorder.clone();
        client.text_message_received().connect(move |_, text| texts.add(text));
        client.open(server.server_url())?;
        wait_until(|| client.state() == SocketState::Connected)?;
        ensure!(client.compression().is_some());

        let texts: Vec<_> = (0..100).map(|number| chat_message(number, number * 29)).collect();
        for (number, text) in texts.iter().enumerate() {
            if number % 3 == 0 {
                client.send_prepared(&PreparedMessage::text(text));
            } else {
                client.send_text_message(text);
            }
        }

        let expected: Vec<_> = texts.iter().map(String::as_str).collect();
        recorder.wait_for(&expected)?;
    }
    Ok(())
}

/// RFC 7692 §6.1: a compressed message is cut into frames by bytes.
#[test]
fn outgoing_fragments_are_cut_by_bytes() -> Result<()> {
    let (server, sockets) = collecting_server(WITHOUT_HISTORY)?;
    let (mut peer, socket) = open_one(&server, &sockets)?;
    socket.set_outgoing_frame_size(NonZeroUsize::new(50).context("not zero")?);
    echo(&socket);
    let text = chat_message(1, 2000) + &"é".repeat(100);
    let sent = text.clone();

    let message = serve(move || {
        peer.send_text(&sent)?;
        peer.read()
    })?;

    ensure!(message.is_compressed && message.payload == text.as_bytes());
    ensure!(message.frames == message.length.div_ceil(50), "{message:?}");
    Ok(())
}
