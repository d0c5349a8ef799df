//! Messages that this end compresses, or sends plain (RFC 7692 §6.1, §7.2.1).

use std::iter::successors;
use std::num::NonZeroUsize;

use anyhow::{Context, Result, ensure};
use slotwork::{CloseCode, OutputPolicy, PreparedMessage, SocketState};

use support::compressed_peer::{CompressedPeer, FINAL, RSV1, chat_message};
use support::raw_peer::{BINARY, CLOSE, RawPeer, masked_frame};
use support::recorder::Recorder;
use support::{compressing_server, echo, serve, wait_until};

use super::{OFFER, WITHOUT_HISTORY, collecting_server, open_one};

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
        // Where the default is the system's, all of it might fit.
        socket.set_send_buffer(Some(64 * 1024));
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
