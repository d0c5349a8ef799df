//! Incoming messages: whole, fragmented and many at once, with pings and pongs among them.

use anyhow::{Result, ensure};

use support::raw_peer::{
    self, BINARY, Frame, PING, PONG, RawPeer, TEXT, masked, masked_close, masked_frame,
    masked_texts,
};
use support::{echo_server, recorded_server, serve};

/// Qt: SND-01, SND-03; RFC 6455 §5.6.
#[test]
fn a_message_comes_back_as_it_was_sent() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        for text in ["hello", "", "é漢𝄞", &"long ".repeat(50_000)] {
            peer.check_echo(text)?;
        }
        for bytes in [&[][..], &[0, 255, 128], &vec![7; 1_000_000]] {
            peer.send(masked(BINARY, bytes))?;
            let echo = peer.read_frame()?;
            ensure!(echo.opcode == BINARY && echo.payload == bytes, "{} bytes", bytes.len());
        }
        Ok(())
    })
}

/// Qt: RCV-01, RCV-02: lengths on both sides of each limit inside: 7 and 16 bits, 16 KiB of output
/// that is written in one piece, 64 KiB of input read at once.
#[test]
fn messages_of_all_lengths_come_back() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();
    let lengths = [0..=3, 124..=130, 16_380..=16_390, 65_520..=65_540, 131_070..=131_074];

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        for length in lengths.into_iter().flatten() {
            let payload: Vec<u8> = (b'a'..=b'w').cycle().take(length).collect();
            for opcode in [TEXT, BINARY] {
                peer.send(masked(opcode, &payload))?;
                let echo = peer.read_frame()?;
                ensure!(echo.opcode == opcode && echo.payload == payload, "{length} bytes");
            }
        }
        Ok(())
    })
}

/// Qt: SND-07; RFC 6455 §5.2: the length takes the fewest bytes, nothing is masked or reserved.
#[test]
fn headers_take_the_shortest_form() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();
    let table: [(usize, &[u8]); 5] = [
        (0, &[0x81, 0]),
        (125, &[0x81, 125]),
        (126, &[0x81, 126, 0, 126]),
        (65_535, &[0x81, 126, 0xFF, 0xFF]),
        (65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
    ];

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        for (length, header) in table {
            peer.send(masked(TEXT, &vec![b'a'; length]))?;
            let bytes = peer.read_bytes(header.len() + length)?;
            ensure!(bytes.starts_with(header), "{length} bytes: {:?}", &bytes[..header.len()]);
        }
        Ok(())
    })
}

/// Qt: RCV-23; RFC 6455 §5.4: fragments, also empty ones, and cuts inside a character.
#[test]
fn fragments_make_one_message() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();
    let texts: [Vec<&[u8]>; 4] =
        [vec![b"a", b"\xC3", b"\xA9b"], vec![b"", b"", b""], vec![b"", b"whole"], vec![b"x"; 1000]];

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        for fragments in texts {
            peer.send(fragmented(TEXT, &fragments))?;
            peer.expect_texts(&[str::from_utf8(&fragments.concat())?])?;
        }
        let halves = [vec![1; 70_000], vec![2; 70_000]];
        peer.send(fragmented(BINARY, &[&halves[0], &halves[1]]))?;
        peer.expect(&Frame { opcode: BINARY, payload: halves.concat() })
    })
}

/// Qt: regression QTBUG-74464 (several frames in one read).
#[test]
fn messages_in_one_segment_are_answered_in_order() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked_texts(&["one", "", "three"]))?;

        peer.expect_texts(&["one", "", "three"])
    })
}

/// RFC 6455 §5.2: TCP may cut anywhere, also inside a header or a character.
#[test]
fn a_message_may_come_byte_by_byte() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        let text = "é".repeat(100);
        for byte in masked(TEXT, text.as_bytes()) {
            peer.send([byte])?;
        }
        peer.expect_texts(&[&text])
    })
}

/// A turn of the loop delivers 16 messages of a connection: what is left over comes later, but it
/// comes, in order, and before anything that is read after it.
#[test]
fn a_thousand_pipelined_messages_are_all_answered_in_order() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();
    let texts: Vec<String> = (0..1000).map(|number| format!("message {number}")).collect();

    serve(move || {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let (early, late) = texts.split_at(700);
        let (whole, cut) = (masked_texts(early), masked_texts(late));
        let mut peer = RawPeer::open(port)?;
        peer.send([&whole, &cut[..5]].concat())?;
        peer.send(&cut[5..])?;

        peer.expect_texts(&texts)?;
        peer.close(1000, "").map(drop)
    })
}

/// Qt: RCV-26; RFC 6455 §5.5.1: all messages before the close frame are delivered, none behind it.
#[test]
fn messages_before_the_close_frame_are_delivered() -> Result<()> {
    let (server, recorder) = recorded_server(|socket, text| _ = socket.send_text_message(text))?;
    let port = server.server_port();

    serve(move || {
        let texts = vec!["before"; 40];
        let frames = [masked_texts(&texts), masked_close(1000, ""), masked_texts(&["behind"])];
        let mut peer = RawPeer::open(port)?;
        peer.send(frames.concat())?;

        peer.expect_texts(&texts)?;
        peer.expect(&Frame::close(1000, ""))
    })?;
    recorder.wait_for_disconnected(1)?;

    let count = |text| recorder.lines().iter().filter(|line| *line == text).count();
    ensure!(count("text before") == 40 && count("text behind") == 0, "{:?}", recorder.lines());
    Ok(())
}

/// Qt: RCV-22; RFC 6455 §5.5.2: a ping is answered with its payload, also between fragments.
#[test]
fn pings_are_answered_also_inside_a_message() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked_frame(TEXT, b"frag"))?;
        peer.send(masked(PING, b"are you there"))?;
        let pong = peer.read_frame()?;
        peer.send(masked_frame(0x80, b"ments"))?;

        ensure!(pong == Frame { opcode: PONG, payload: b"are you there".to_vec() }, "{pong:?}");
        ensure!(peer.read_frame()? == Frame::text("fragments"));
        Ok(())
    })
}

/// Qt: RCV-03; RFC 6455 §5.5.2: the payload of a ping has 0 to 125 bytes.
#[test]
fn pings_of_all_lengths_are_answered() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        for length in 0..=125 {
            let payload = vec![b'p'; length];
            peer.send(masked(PING, &payload))?;
            peer.expect(&Frame { opcode: PONG, payload })?;
        }
        Ok(())
    })
}

/// Qt: SND-11; RFC 6455 §5.5.3: `pong` reports the elapsed time since its ping, and its payload.
#[test]
fn the_answer_to_a_ping_is_emitted() -> Result<()> {
    let (server, recorder) = recorded_server(|socket, text| _ = socket.ping(text))?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked_texts(&["tick"]))?;
        peer.expect(&Frame { opcode: PING, payload: b"tick".to_vec() })?;
        peer.send(masked(PONG, b"tick"))?;
        peer.close(1000, "").map(drop)
    })?;

    recorder.check_life(&[
        "text tick",
        "pong asked tick",
        "about to close",
        "Closing",
        "Unconnected",
        "disconnected Some(1000) ",
    ])
}

/// Qt: SND-11; RFC 6455 §5.5: a control frame carries at most 125 bytes.
#[test]
fn a_long_ping_is_cut() -> Result<()> {
    let (server, _recorder) = recorded_server(|socket, _text| _ = socket.ping([b'x'; 200]))?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked_texts(&["tick"]))?;

        peer.expect(&Frame { opcode: PING, payload: vec![b'x'; 125] })
    })
}

/// Qt: RCV-22; RFC 6455 §5.5.3: an unsolicited pong is not an error, and is not answered.
#[test]
fn an_unsolicited_pong_is_emitted_and_not_answered() -> Result<()> {
    let (server, recorder) = recorded_server(|socket, text| _ = socket.send_text_message(text))?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked(PONG, b"heartbeat"))?;
        peer.check_echo("next")
    })?;

    let lines = recorder.lines();
    ensure!(lines.starts_with(&["pong unasked heartbeat".into(), "text next".into()]), "{lines:?}");
    Ok(())
}

/// A server serves one client after the other, not just the first.
#[test]
fn clients_are_served_one_after_the_other() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();

    serve(move || (0..5).try_for_each(|_| raw_peer::check_good_client(port)))
}

/// A message in fragments, of which only the last is final.
fn fragmented(opcode: u8, fragments: &[&[u8]]) -> Vec<u8> {
    let frame = |(at, fragment): (usize, &&[u8])| {
        let opcode = if at == 0 { opcode } else { 0 };
        let is_final = at + 1 == fragments.len();
        masked_frame(if is_final { 0x80 | opcode } else { opcode }, fragment)
    };
    fragments.iter().enumerate().flat_map(frame).collect()
}
