//! Compressed messages of peers: frames, broken data, bombs (RFC 7692 §6.2, §7.2.2, §8).

use anyhow::{Result, ensure};

use support::compressed_peer::{CompressedPeer, FINAL, RSV1, Streams, bomb, chat_message};
use support::raw_peer::{
    BINARY, CLOSE, CONTINUATION, PING, PONG, RawPeer, TEXT, check_good_client, masked, masked_frame,
};
use support::recorder::Recorder;
use support::{compressing_server, serve};

use super::{OFFER, WITHOUT_HISTORY, collecting_server, open_one};

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
