//! Protocol violations: the peer gets the right close code, and the others are served.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::mpsc;

use anyhow::{Context, Result, ensure};
use slotwork::SendStatus;

use support::raw_peer::{
    BINARY, CLOSE, Frame, PING, PONG, RawPeer, TEXT, check_good_client, masked, masked_close,
    masked_frame, masked_texts,
};
use support::{DEADLINE, echo_server, listening_server, recorded_server, serve};

/// Qt: RCV-09, RCV-10, RCV-16, RCV-18, RCV-21; RFC 6455 §5.1, §5.2, §5.4, §5.5.
#[test]
fn a_broken_frame_is_answered_with_1002() -> Result<()> {
    let reserved_bits = [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70];
    let reserved_opcodes = [3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF];
    let control_opcodes = [CLOSE, PING, PONG];
    let mut table = vec![
        ("unmasked", vec![0x81, 2, b'h', b'i']),
        ("unmasked and empty", vec![0x82, 0]),
        ("unmasked ping", vec![0x89, 0]),
        ("nothing to continue", masked_frame(0x80, b"more")),
        ("a message inside another", [masked_frame(TEXT, b"a"), masked(TEXT, b"b")].concat()),
        ("5 bytes in 16 bits", vec![0x81, 0xFE, 0, 5]),
        ("125 bytes in 16 bits", vec![0x81, 0xFE, 0, 125]),
        ("65535 bytes in 64 bits", vec![0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]),
        ("the top bit of the length", vec![0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 1]),
        ("ping of 126 bytes", masked(PING, &[0; 126])),
        ("pong of 65536 bytes, the header alone", vec![0x8A, 0xFF]),
    ];
    table.extend(reserved_bits.map(|bits| ("reserved bits", masked(bits | TEXT, b"x"))));
    table.extend(reserved_bits.map(|bits| ("reserved bits, ping", masked(bits | PING, b""))));
    table.extend(reserved_opcodes.map(|opcode| ("reserved opcode", masked(opcode, b""))));
    table.extend(control_opcodes.map(|opcode| ("fragmented control", masked_frame(opcode, b""))));

    check_refused(table, 1002)
}

/// Qt: RCV-19: the close frame has the violation as its reason, in our words.
#[test]
fn a_violation_is_explained_to_the_peer_in_words() -> Result<()> {
    let table = [
        (masked(0x70 | TEXT, b""), "reserved bits are set, but no extension was agreed"),
        (masked(3, b""), "the opcode is reserved"),
        (masked_frame(PING, b""), "a control frame must not be fragmented"),
        (masked(PING, &[0; 126]), "a control frame must not be longer than 125 bytes"),
        (masked(0, b""), "a continuation frame came without a message to continue"),
        (masked_frame(TEXT, b"").repeat(2), "a new message began inside a fragmented message"),
        (masked(TEXT, b"\xFF"), "the text is not valid UTF-8"),
        (vec![0x81, 0xFE, 0, 5], "the payload length is not encoded in the shortest form"),
        (
            vec![0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 1],
            "the highest bit of the payload length is set",
        ),
        (
            vec![0x82, 0xFF, 0, 0, 0, 0, 1, 0, 0, 1],
            "the frame is bigger than this endpoint accepts",
        ),
        (masked(CLOSE, &[3]), "the close frame carries half a close code"),
        (masked_close(1005, ""), "the close frame carries a code that must not be sent"),
    ];
    let server = echo_server()?;
    let port = server.server_port();

    serve(move || {
        for (bytes, reason) in table {
            let mut peer = RawPeer::open(port)?;
            peer.send(bytes).context(reason)?;
            let answer = peer.read_frame().context(reason)?;
            ensure!(answer.payload.get(2..) == Some(reason.as_bytes()), "{answer:?}, not {reason}");
        }
        Ok(())
    })
}

/// Qt: RCV-11; RFC 6455 §5.5.1, §7.4: codes that must not be sent, and half a code.
#[test]
fn a_close_frame_with_a_bad_code_is_answered_with_1002() -> Result<()> {
    let codes = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535];
    let mut table = vec![("one byte", masked(CLOSE, &[3]))];
    table.extend(codes.map(|code| ("bad code", masked_close(code, ""))));
    table.extend(codes.map(|code| ("bad code with a reason", masked_close(code, "reason"))));

    check_refused(table, 1002)
}

/// Qt: RCV-14, RCV-15; RFC 6455 §8.1: invalid UTF-8, in one frame or cut anywhere. What is wrong
/// already is refused at once, before the message is complete.
#[test]
fn text_that_is_not_utf8_is_answered_with_1007() -> Result<()> {
    let invalid: [&[u8]; 7] = [
        b"\x80",
        b"\xC0\xAF",
        b"\xE0\x80\xAF",
        b"\xED\xA0\x80",
        b"\xF4\x90\x80\x80",
        b"\xFE",
        b"caf\xC3",
    ];
    let mut table = Vec::new();
    for text in invalid {
        let (head, tail) = text.split_at(1);
        let in_two_frames = [masked_frame(TEXT, head), masked_frame(0x80, tail)].concat();
        let reason = [&[3, 0xE8], text].concat();
        table.push(("whole", masked(TEXT, text)));
        table.push(("in two frames", in_two_frames));
        table.push(("close reason", masked(CLOSE, &reason)));
    }
    let long = masked(TEXT, &[b"fine \xFF".as_slice(), &[b'x'; 1000]].concat());
    table.push(("an unfinished frame", long[..100].to_vec()));
    table.push(("an unfinished message", masked_frame(TEXT, b"fine \xFF")));

    check_refused(table, 1007)
}

/// Qt: RCV-08, RCV-25; RFC 6455 §7.4.1: sizes are refused by the header, nothing is awaited.
#[test]
fn what_is_too_big_is_answered_with_1009() -> Result<()> {
    let header = |first: u8, length: u64| {
        [&[first, 0xFF][..], &length.to_be_bytes(), &[1, 2, 3, 4]].concat()
    };
    let limit = 16 * 1024 * 1024;
    let first_fragment = masked_frame(BINARY, &vec![0; 100_000]);
    let table = vec![
        ("a text over 16 MiB", header(0x81, limit + 1)),
        ("a binary message over 16 MiB", header(0x82, limit + 1)),
        ("a fragment over 16 MiB", header(0x02, limit + 1)),
        ("2^31", header(0x82, 1 << 31)),
        ("2^62", header(0x82, 1 << 62)),
        ("2^63 - 1", header(0x82, u64::MAX >> 1)),
        ("fragments", [first_fragment, header(0x80, limit - 100_000 + 1)].concat()),
    ];

    check_refused(table, 1009)
}

/// Exactly the limit passes.
#[test]
fn a_message_of_16_mib_is_delivered() -> Result<()> {
    let server = listening_server()?;
    let port = server.server_port();
    server.new_connection().connect(|server, ()| {
        let Some(socket) = server.next_pending_connection() else { return };
        socket.binary_message_received().connect(|socket, message| {
            socket.send_text_message(message.len().to_string());
        });
    });

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked(BINARY, &vec![1; 16 * 1024 * 1024]))?;
        peer.expect_texts(&["16777216"])
    })
}

/// RFC 6455 §10.4: a message is not assembled of endless tiny fragments.
#[test]
fn a_message_of_too_many_fragments_is_answered_with_1008() -> Result<()> {
    let mut fragments = masked_frame(TEXT, b"");
    fragments.extend(masked_frame(0, b"").repeat(131_072));

    check_refused(vec![("131073 fragments", fragments)], 1008)
}

/// Qt: RCV-20: a violation is not an error: it has a close code, and the signals of a closing.
#[test]
fn a_violation_is_reported_by_the_close_code() -> Result<()> {
    let (server, recorder) = recorded_server(|_socket, _text| {})?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        let before = masked_texts(&["before"]);
        peer.send([before, vec![0x81, 2, b'h', b'i'], masked_texts(&["behind"])].concat())?;
        ensure!(peer.read_frame()?.close_code()? == 1002);
        ensure!(peer.read_to_end()?.is_empty());
        Ok(())
    })?;
    recorder.check_life(&[
        "text before",
        "about to close",
        "Closing",
        "Unconnected",
        "disconnected Some(1002) frames from a client must be masked",
    ])
}

/// RFC 6455 §5.5.1: what comes behind a close frame, at once or later, is ignored.
#[test]
fn data_behind_the_close_frame_is_ignored() -> Result<()> {
    let (server, recorder) = recorded_server(|_socket, _text| {})?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        let behind = [masked_texts(&["text"; 100]), vec![0xFF; 1000]].concat();
        peer.send([masked_close(1000, "bye"), behind.clone()].concat())?;
        peer.expect(&Frame::close(1000, "bye"))?;
        peer.send(behind)?;
        ensure!(peer.read_to_end()?.is_empty());
        Ok(())
    })?;
    recorder.check_life(&[
        "about to close",
        "Closing",
        "Unconnected",
        "disconnected Some(1000) bye",
    ])
}

/// RFC 6455 §5.5.3: a flood of pings by a peer that reads nothing is answered when it reads, and
/// then only in part; the latest one always.
#[test]
fn a_ping_flood_does_not_pile_up_output() -> Result<()> {
    const ROUNDS: usize = 100;
    let most = Rc::new(Cell::new(0));
    let seen = Rc::clone(&most);
    let (server, _recorder) = recorded_server(move |socket, _text| {
        seen.set(seen.get().max(socket.bytes_to_write()));
    })?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        let pings = masked(PING, &[b'p'; 125]).repeat(2000);
        for _ in 0..ROUNDS {
            peer.send(&pings)?;
            peer.send(masked_texts(&["look"]))?;
        }
        peer.send(masked(PING, b"the last"))?;

        let last = Frame { opcode: PONG, payload: b"the last".to_vec() };
        let mut answered = 1;
        while peer.read_frame()? != last {
            answered += 1;
        }
        ensure!(answered < ROUNDS * 2000, "the kernel took all {answered}: nothing was tested");
        Ok(())
    })?;

    assert!(most.get() <= 1024 * 1024, "{} bytes waited", most.get());
    Ok(())
}

/// Qt: SND-09 (buffers without end): output for a peer that does not read ends at 16 MiB, and with
/// it the connection.
#[test]
fn output_for_a_peer_that_never_reads_is_limited() -> Result<()> {
    let (say_over, is_over) = mpsc::channel();
    let (server, recorder) = recorded_server(move |socket, text| {
        if text != "flood" {
            socket.send_text_message(text);
            return;
        }
        let message = vec![0; 1_000_000];
        let mut most = 0;
        let status = loop {
            match socket.send_binary_message(&message) {
                SendStatus::Queued => most = most.max(socket.bytes_to_write()),
                status => break status,
            }
        };
        assert_eq!(status, SendStatus::OutputLimit { limit: 16 * 1024 * 1024 });
        assert!(most > 15_000_000 && most <= 16 * 1024 * 1024, "{most} bytes waited");
        assert_eq!(socket.bytes_to_write(), 0);
        assert_eq!(socket.send_text_message("more"), SendStatus::NotConnected);
        say_over.send(()).unwrap();
    })?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked_texts(&["flood"]))?;
        is_over.recv_timeout(DEADLINE)?;
        peer.read_to_end()?;
        check_good_client(port)
    })?;
    recorder.check_start(&[
        "text flood",
        "error: more than 16777216 bytes of output wait for the peer",
        "Unconnected",
        "disconnected Some(1006) ",
    ])
}

/// Peers that break off: a reset in the middle of a message, of an answer, of many at once.
#[test]
fn peers_that_break_off_harm_no_others() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();

    serve(move || {
        let mut good = RawPeer::open(port)?;
        for _ in 0..20 {
            let mut inside_a_message = RawPeer::open(port)?;
            inside_a_message.send(&masked(TEXT, &vec![b'x'; 100_000])[..50_000])?;
            inside_a_message.reset()?;

            let mut inside_an_answer = RawPeer::open(port)?;
            inside_an_answer.send(masked(TEXT, &vec![b'x'; 1_000_000]))?;
            inside_an_answer.read_bytes(1000)?;
            inside_an_answer.reset()?;

            RawPeer::open(port)?.reset()?;
            good.check_echo("still served")?;
        }
        check_good_client(port)
    })
}

/// Sends each of the frames on a connection of its own, and expects this close code, the end, and
/// that a good client is served nevertheless.
fn check_refused(table: Vec<(&'static str, Vec<u8>)>, code: u16) -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();

    serve(move || {
        for (name, bytes) in table {
            let context = || format!("{name}: {:?}", &bytes[..bytes.len().min(20)]);
            let mut peer = RawPeer::open(port)?;
            peer.send(&bytes).with_context(context)?;
            let answer = peer.read_frame().with_context(context)?;
            ensure!(answer.close_code()? == code, "{}: {answer:?}", context());
            ensure!(peer.read_to_end()?.is_empty(), "{}", context());
            check_good_client(port)?;
        }
        Ok(())
    })
}

/// OPEN-18: what a client sends behind a refusal is dropped up to a bound, and not for two seconds.
#[test]
fn an_endless_header_is_not_read_for_long() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::connect(port)?;
        peer.send("GET / HTTP/1.1\r\nX: ")?;
        let endless = vec![b'x'; 1024 * 1024];
        let sent = (0..256).take_while(|_| peer.send(&endless).is_ok()).count();
        // What the kernels at both ends hold, and no more.
        ensure!(sent < 64, "{sent} MiB were taken");
        check_good_client(port)
    })
}
