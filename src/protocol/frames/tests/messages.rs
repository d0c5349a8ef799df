//! Messages in one frame and in several.

use crate::protocol::frames::limits::Limits;
use crate::protocol::frames::violation::Violation;
use crate::testing::Random;
use crate::testing::decoding::{
    BINARY, CLOSE, CONTINUATION, FINAL, Feed, PING, PONG, Received, TEXT, client_frame, decode,
    decode_as, decode_reads, server_frame,
};
use crate::types::role::Role;

/// The lengths where the header changes its form, and their neighbours.
const LENGTHS: [usize; 14] =
    [0, 1, 2, 31, 124, 125, 126, 127, 128, 1000, 65_534, 65_535, 65_536, 65_664];

/// Qt: RCV-01 (`tst_DataProcessor::goodBinaryFrame`); RFC 6455 §5.2.
#[test]
fn receives_binary_messages_of_every_header_form() {
    for length in LENGTHS {
        let message = Random(7).bytes(length);

        let outcome = decode(&client_frame(FINAL | BINARY, &message));

        assert_eq!(outcome, (vec![Received::Binary(message)], None), "length {length}");
    }
}

/// Qt: RCV-02 (`goodTextFrame`); RFC 6455 §5.6.
#[test]
fn receives_text_messages_of_every_header_form() {
    for length in LENGTHS {
        let message = "a".repeat(length);

        let outcome = decode(&client_frame(FINAL | TEXT, message.as_bytes()));

        assert_eq!(outcome, (vec![Received::Text(message)], None), "length {length}");
    }
}

/// Qt: RCV-01 and RCV-02, their tables of sizes in whole.
#[test]
fn receives_every_size_that_qt_tests() {
    for length in (0..256).chain((0..=65_664).step_by(128)) {
        let text = "a".repeat(length);
        let frames = [
            client_frame(FINAL | TEXT, text.as_bytes()),
            client_frame(FINAL | BINARY, text.as_bytes()),
        ];

        let outcome = decode_reads((Role::Server, Limits::default()), [&frames.concat()[..]]);

        let expected = vec![Received::Text(text.clone()), Received::Binary(text.into_bytes())];
        assert_eq!(outcome, (expected, None), "length {length}");
    }
}

/// Qt: RCV-02; each ASCII character alone, and Qt's greeting of 22 UTF-16 units.
#[test]
fn receives_each_ascii_character_and_qts_greeting() {
    let characters = (0..=127_u8).map(|byte| char::from(byte).to_string());
    for text in characters.chain(["Hello-µ@ßöäüàá-UTF-8!!".to_owned()]) {
        let outcome = decode(&client_frame(FINAL | TEXT, text.as_bytes()));

        assert_eq!(outcome, (vec![Received::Text(text)], None));
    }
}

/// RFC 6455 §5.7: the examples, byte for byte.
#[test]
fn receives_the_examples_of_the_rfc() {
    let from_server = [
        &b"\x81\x05Hello"[..],
        b"\x01\x03Hel\x80\x02lo",
        b"\x89\x05Hello",
        &[&b"\x82\x7E\x01\x00"[..], &[5; 256]].concat(),
        &[&b"\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00"[..], &vec![6; 65_536]].concat(),
    ];
    let from_client = b"\x81\x85\x37\xFA\x21\x3D\x7F\x9F\x4D\x51\x58\
        \x8A\x85\x37\xFA\x21\x3D\x7F\x9F\x4D\x51\x58";

    let at_client = decode_as(Role::Client, Limits::default(), &from_server.concat());
    let at_server = decode(from_client);

    let hello = Received::Text("Hello".to_owned());
    let expected_at_client = vec![
        hello.clone(),
        hello.clone(),
        Received::Ping(b"Hello".to_vec()),
        Received::Binary(vec![5; 256]),
        Received::Binary(vec![6; 65_536]),
    ];
    assert_eq!(at_client, (expected_at_client, None));
    assert_eq!(at_server, (vec![hello, Received::Pong(b"Hello".to_vec())], None));
}

/// Qt: RCV-05 (`goodOpcodes`).
#[test]
fn receives_empty_frames_of_each_opcode() {
    let stream = [PING, PONG, TEXT, BINARY, CLOSE].map(|opcode| client_frame(FINAL | opcode, b""));

    let expected = vec![
        Received::Ping(vec![]),
        Received::Pong(vec![]),
        Received::Text(String::new()),
        Received::Binary(vec![]),
        Received::Close(None, String::new()),
    ];
    assert_eq!(decode(&stream.concat()), (expected, None));
}

/// RFC 6455 §5.1: what a server sends is not masked.
#[test]
fn receives_what_a_server_sends() {
    let stream = [
        server_frame(TEXT, b"unma"),
        server_frame(FINAL | PING, b"now"),
        server_frame(FINAL | CONTINUATION, b"sked"),
        server_frame(FINAL | BINARY, &[1; 300]),
    ];

    let outcome = decode_as(Role::Client, Limits::default(), &stream.concat());

    let expected = vec![
        Received::Ping(b"now".to_vec()),
        Received::Text("unmasked".to_owned()),
        Received::Binary(vec![1; 300]),
    ];
    assert_eq!(outcome, (expected, None));
}

/// Qt: RCV-23; RFC 6455 §5.4.
#[test]
fn puts_fragments_together() {
    let stream = [
        client_frame(TEXT, b"a"),
        client_frame(FINAL | CONTINUATION, "éb".as_bytes()),
        client_frame(BINARY, b""),
        client_frame(CONTINUATION, b"one "),
        client_frame(CONTINUATION, b""),
        client_frame(FINAL | CONTINUATION, b"two"),
        client_frame(TEXT, b""),
        client_frame(FINAL | CONTINUATION, b""),
    ];

    let expected = vec![
        Received::Text("aéb".to_owned()),
        Received::Binary(b"one two".to_vec()),
        Received::Text(String::new()),
    ];
    assert_eq!(decode(&stream.concat()), (expected, None));
}

/// Qt: RCV-17 (`clearDataBuffers`): no message carries bytes of another one.
#[test]
fn keeps_messages_apart() {
    let stream = [
        client_frame(BINARY, &[1; 200]),
        client_frame(FINAL | CONTINUATION, &[2; 200]),
        client_frame(FINAL | TEXT, b"single"),
        client_frame(TEXT, b"frag"),
        client_frame(FINAL | CONTINUATION, b"mented"),
        client_frame(FINAL | BINARY, b"end"),
    ];

    let expected = vec![
        Received::Binary([[1; 200], [2; 200]].concat()),
        Received::Text("single".to_owned()),
        Received::Text("fragmented".to_owned()),
        Received::Binary(b"end".to_vec()),
    ];
    assert_eq!(decode(&stream.concat()), (expected, None));
}

/// Qt: RCV-07, RCV-12 and RCV-13: what is cut off gives no event and no error by itself.
#[test]
fn waits_for_the_rest_of_a_frame() {
    let long = client_frame(FINAL | BINARY, &[7; 300]);
    let longest = client_frame(FINAL | TEXT, &vec![b'a'; 70_000]);
    let ping = client_frame(FINAL | PING, &[7; 64]);
    for frame in [&long, &longest, &ping] {
        for end in (1..40).chain([frame.len() - 1]) {
            let mut feed = Feed::new(Role::Server, Limits::default());

            assert_eq!(feed.read(&frame[..end]), Ok(()), "{end} bytes");

            assert_eq!(feed.received, []);
            assert!(!feed.decoder.is_between_messages());
        }
    }
}

/// Qt: RCV-07; a fragment alone is the beginning of a message.
#[test]
fn reports_whether_a_message_is_unfinished() -> Result<(), Violation> {
    let mut feed = Feed::new(Role::Server, Limits::default());
    assert!(feed.decoder.is_between_messages());

    feed.read(&client_frame(TEXT, b"begin"))?;
    assert!(!feed.decoder.is_between_messages());

    feed.read(&client_frame(FINAL | CONTINUATION, b"end"))?;
    assert!(feed.decoder.is_between_messages());
    Ok(())
}
