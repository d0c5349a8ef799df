//! Compressed messages (RFC 7692 §6 and §7.2.2).

use crate::protocol::deflate::compressor::{Compressors, Effort};
use crate::protocol::frames::buffer_pool::BufferPool;
use crate::protocol::frames::decoder::{Decoded, Decoder};
use crate::protocol::frames::event::{Data, Event};
use crate::protocol::frames::limits::Limits;
use crate::protocol::frames::violation::Violation;
use crate::testing::decoding::{
    BINARY, CLOSE, CONTINUATION, FINAL, Feed, Outcome, PING, Received, TEXT, client_frame,
};
use crate::types::compression::{CompressionLevel, HistorySize};
use crate::types::role::Role;

const RSV1: u8 = 0x40;
/// RFC 7692 §7.2.3.1 and §7.2.3.2.
const HELLO: &[u8] = b"\xF2\x48\xCD\xC9\xC9\x07\x00";
const HELLO_AGAIN: &[u8] = b"\xF2\x00\x11\x00\x00";

fn server(limits: Limits, history: HistorySize) -> Feed {
    let mut feed = Feed::new(Role::Server, limits);
    feed.decoder.inflate_messages(history);
    feed
}

/// Decodes the bytes in one read, byte by byte, and cut in two at every position.
fn decode_with(limits: Limits, history: HistorySize, bytes: &[u8]) -> Outcome {
    let decode = |reads: &[&[u8]]| {
        let reads = || reads.iter().copied();
        let outcome = server(limits, history).decode(reads(), Feed::read);
        let direct = server(limits, history).decode(reads(), Feed::read_directly);
        assert_eq!(direct, outcome, "read into the message");
        outcome
    };
    let whole = decode(&[bytes]);
    assert_eq!(decode(&bytes.chunks(1).collect::<Vec<_>>()), whole, "byte by byte");
    for position in (0..bytes.len()).step_by(1 + bytes.len() / 200) {
        let (first, second) = bytes.split_at(position);
        assert_eq!(decode(&[first, second]), whole, "cut at {position}");
    }
    whole
}

fn decode(bytes: &[u8]) -> Outcome {
    decode_with(Limits::DEFAULT, HistorySize::NONE, bytes)
}

fn text(text: &str) -> Received {
    Received::Text(text.to_owned())
}

fn compress(message: &[u8]) -> Vec<u8> {
    let effort = Effort::of(15, CompressionLevel::Small, message.len(), false);
    let mut output = Vec::new();
    assert!(Compressors::default().compress(effort, b"", message, &mut output));
    output
}

/// RFC 7692 §6.2: text and bytes, in one frame.
#[test]
fn inflates_messages_of_one_frame() {
    let wire = [
        client_frame(FINAL | RSV1 | TEXT, HELLO),
        client_frame(FINAL | RSV1 | BINARY, HELLO),
        client_frame(FINAL | RSV1 | TEXT, b"\x00"),
    ];

    let expected = vec![text("Hello"), Received::Binary(b"Hello".to_vec()), text("")];
    assert_eq!(decode(&wire.concat()), (expected, None));
}

/// RFC 7692 §7.2.3.1: fragments are cut anywhere, and control frames may come between them.
#[test]
fn inflates_fragmented_messages() {
    let (first, rest) = HELLO.split_at(3);
    let wire = [
        client_frame(RSV1 | TEXT, first),
        client_frame(FINAL | PING, b"ping"),
        client_frame(CONTINUATION, b""),
        client_frame(FINAL | CONTINUATION, rest),
        client_frame(FINAL | TEXT, b"plain"),
    ];

    let expected = vec![Received::Ping(b"ping".to_vec()), text("Hello"), text("plain")];
    assert_eq!(decode(&wire.concat()), (expected, None));
}

/// RFC 7692 §7.2.3.2: with a history, and a plain message between that is none of it.
#[test]
fn a_message_refers_to_compressed_ones_before_it() {
    let wire = [
        client_frame(FINAL | RSV1 | TEXT, HELLO),
        client_frame(FINAL | TEXT, b"a plain message"),
        client_frame(FINAL | RSV1 | TEXT, HELLO_AGAIN),
        client_frame(RSV1 | TEXT, &HELLO_AGAIN[..2]),
        client_frame(FINAL | CONTINUATION, &HELLO_AGAIN[2..]),
    ]
    .concat();

    let expected = vec![text("Hello"), text("a plain message"), text("Hello"), text("Hello")];
    assert_eq!(decode_with(Limits::DEFAULT, HistorySize::of_window(9), &wire), (expected, None));
    let (received, violation) = decode(&wire);
    assert_eq!((received.len(), violation), (2, Some(Violation::INVALID_DEFLATE)));
}

/// RFC 7692 §6: the bit stands in the first frame of a message alone, and needs the agreement.
#[test]
fn refuses_the_bit_in_other_frames() {
    let fragment = client_frame(RSV1 | TEXT, &HELLO[..3]);
    for wire in [
        [&fragment[..], &client_frame(FINAL | RSV1 | CONTINUATION, &HELLO[3..])].concat(),
        client_frame(FINAL | RSV1 | PING, b""),
        client_frame(FINAL | RSV1 | CLOSE, b""),
        client_frame(FINAL | 0x20 | TEXT, HELLO),
        client_frame(FINAL | RSV1 | 0x10 | TEXT, HELLO),
    ] {
        assert_eq!(decode(&wire).1, Some(Violation::RESERVED_BITS), "{wire:x?}");
    }
    let mut feed = Feed::new(Role::Server, Limits::DEFAULT);
    let wire = client_frame(FINAL | RSV1 | TEXT, HELLO);
    assert_eq!(feed.read(&wire), Err(Violation::RESERVED_BITS));
}

/// RFC 7692 §7.2.2: what breaks off or is broken, and RFC 6455 §8.1: text that is not UTF-8.
#[test]
fn refuses_broken_messages() {
    for length in 1..HELLO.len() {
        let wire = client_frame(FINAL | RSV1 | TEXT, &HELLO[..length]);
        assert_eq!(decode(&wire).1, Some(Violation::INVALID_DEFLATE), "{length} bytes");
    }
    let mut invalid = vec![b'x'; 200];
    invalid.push(0xFF);
    let invalid = compress(&invalid);
    assert_eq!(
        decode(&client_frame(FINAL | RSV1 | TEXT, &invalid)),
        (vec![], Some(Violation::INVALID_TEXT))
    );
    assert_eq!(decode(&client_frame(FINAL | RSV1 | BINARY, &invalid)).1, None);
}

/// RFC 7692 §8: the limit of messages counts plain bytes, and that of frames bytes on the wire.
#[test]
fn the_limits_are_exact() {
    let limits = Limits { max_message_size: 5000, max_frame_size: 500, ..Limits::DEFAULT };
    for (size, violation) in [(5000, None), (5001, Some(Violation::MESSAGE_TOO_BIG))] {
        let wire = client_frame(FINAL | RSV1 | TEXT, &compress(&vec![b'x'; size]));
        assert_eq!(decode_with(limits, HistorySize::NONE, &wire).1, violation, "{size} bytes");
    }

    let stored = |size: u16| {
        let length = [size.to_le_bytes(), (!size).to_le_bytes()].concat();
        [&[0], &length[..], &vec![b'x'; size.into()], &[0]].concat()
    };
    let limits = Limits { max_message_size: 480, max_frame_size: 500, ..Limits::DEFAULT };
    let frame = |size| client_frame(FINAL | RSV1 | TEXT, &stored(size));
    assert_eq!(decode_with(limits, HistorySize::NONE, &frame(480)).1, None);
    let violation = decode_with(limits, HistorySize::NONE, &frame(481)).1;
    assert_eq!(violation, Some(Violation::MESSAGE_TOO_BIG));
    // Data that does not shrink may be 64 bytes and a thousandth longer than its plain text.
    let of_frames = Limits { max_message_size: 5000, ..limits };
    assert_eq!(decode_with(of_frames, HistorySize::NONE, &frame(558)).1, None);
    let violation = decode_with(of_frames, HistorySize::NONE, &frame(559)).1;
    assert_eq!(violation, Some(Violation::FRAME_TOO_BIG));
    let fragments = [client_frame(RSV1 | TEXT, &[0; 500]), client_frame(CONTINUATION, &[0; 45])];
    let violation = decode_with(limits, HistorySize::NONE, &fragments.concat()).1;
    assert_eq!(violation, Some(Violation::MESSAGE_TOO_BIG));
}

/// RFC 7692 §8: an unfinished bomb holds what was sent, and inflates nothing.
#[test]
fn an_unfinished_bomb_holds_what_was_sent() {
    let bomb = compress(&vec![0; 16 << 20]);
    let mut feed = server(Limits::DEFAULT, HistorySize::NONE);
    for piece in bomb.chunks(1000) {
        let first = if feed.decoder.is_between_messages() { RSV1 | BINARY } else { CONTINUATION };
        feed.read(&client_frame(first, piece)).unwrap();
    }

    assert!(feed.decoder.held_bytes() <= 2 * bomb.len() + 200);
    feed.read(&client_frame(FINAL | CONTINUATION, b"")).unwrap();
    assert_eq!(feed.received.len(), 1);
    assert_eq!(feed.decoder.held_bytes(), 0);
}

/// Qt has frames of messages; those of a compressed one are not parts of its text.
#[test]
fn a_compressed_message_is_reported_as_one_frame() {
    let mut decoder = Decoder::new(Role::Server, Limits::DEFAULT);
    decoder.inflate_messages(HistorySize::NONE);
    decoder.report_frames(true);
    let mut wire = [
        client_frame(RSV1 | TEXT, &HELLO[..3]),
        client_frame(CONTINUATION, b""),
        client_frame(FINAL | CONTINUATION, &HELLO[3..]),
    ]
    .concat();
    let length = wire.len();

    let mut pool = BufferPool::new();
    let Decoded { consumed, event } = decoder.decode(&mut wire, &mut pool).unwrap();

    assert_eq!((consumed, event), (length, Some(Event::Inflated(Data::Text("Hello")))));
}

/// A connection holds its history and nothing else, and another limit does not change it.
#[test]
fn the_history_outlives_other_limits() {
    let mut feed = server(Limits::DEFAULT, HistorySize::of_window(9));
    feed.read(&client_frame(FINAL | RSV1 | TEXT, HELLO)).unwrap();
    feed.decoder.set_limits(Limits { max_message_size: 5, ..Limits::DEFAULT });
    feed.read(&client_frame(FINAL | RSV1 | TEXT, HELLO_AGAIN)).unwrap();
    feed.decoder.set_limits(Limits::DEFAULT);
    feed.read(&client_frame(FINAL | RSV1 | TEXT, HELLO_AGAIN)).unwrap();

    assert_eq!(feed.received, [text("Hello"), text("Hello"), text("Hello")]);
    assert_eq!(feed.decoder.held_bytes(), 0);
}
