//! Frames and messages that are too big, refused on the header.

use crate::protocol::frames::limits::Limits;
use crate::protocol::frames::violation::Violation;
use crate::testing::decoding::{
    BINARY, CLOSE, CONTINUATION, FINAL, Feed, PING, Received, TEXT, client_frame, decode_as,
    first_violation,
};
use crate::types::role::Role;

const SMALL: Limits = Limits { max_frame_size: 10, max_message_size: 20, max_fragments: 4 };

fn first(limits: Limits, bytes: &[u8]) -> Option<(usize, Violation)> {
    first_violation((Role::Server, limits), bytes)
}

/// Qt: RCV-25: three bytes of an 11-byte frame with a limit of 10 are enough; so are two.
#[test]
fn refuses_a_big_frame_as_soon_as_its_length_is_there() {
    for opcode in [TEXT, BINARY] {
        let eleven = client_frame(FINAL | opcode, &[b'a'; 11]);
        let thousand = client_frame(FINAL | opcode, &[b'a'; 1000]);

        assert_eq!(first(SMALL, &eleven), Some((2, Violation::FRAME_TOO_BIG)));
        assert_eq!(first(SMALL, &thousand), Some((4, Violation::FRAME_TOO_BIG)));
    }
}

/// Qt: RCV-08 (`frameTooBig`), and the biggest length there is.
#[test]
fn refuses_huge_lengths_without_waiting_for_the_payload() {
    let fragment = client_frame(TEXT, b"begin");
    for length in [16 * 1024 * 1024 + 1, 2_147_483_647, u64::MAX >> 1] {
        for (before, opcode) in [(&[][..], TEXT), (&[], BINARY), (&fragment, CONTINUATION)] {
            let bytes = [before, &[FINAL | opcode, 0xFF], &length.to_be_bytes()].concat();

            let violation = first(Limits::default(), &bytes);

            assert_eq!(violation, Some((bytes.len(), Violation::FRAME_TOO_BIG)), "{length}");
        }
    }
}

/// Qt: RCV-25: exactly the limit passes.
#[test]
fn accepts_what_is_exactly_at_the_limits() {
    let stream = [
        client_frame(FINAL | TEXT, b"0123456789"),
        client_frame(BINARY, b"0123456789"),
        client_frame(FINAL | CONTINUATION, b"0123456789"),
        client_frame(FINAL | BINARY, b"9876543210"),
        client_frame(TEXT, b""),
        client_frame(CONTINUATION, b""),
        client_frame(CONTINUATION, b""),
        client_frame(FINAL | CONTINUATION, b"4"),
    ];

    let outcome = decode_as(Role::Server, SMALL, &stream.concat());

    let expected = vec![
        Received::Text("0123456789".to_owned()),
        Received::Binary(b"01234567890123456789".to_vec()),
        Received::Binary(b"9876543210".to_vec()),
        Received::Text("4".to_owned()),
    ];
    assert_eq!(outcome, (expected, None));
}

/// Qt: RCV-25: fragments of 6 and 5 bytes with a message limit of 10.
#[test]
fn refuses_the_fragment_that_makes_a_message_too_big() {
    let limits = Limits { max_message_size: 10, ..Limits::default() };
    for kind in [TEXT, BINARY] {
        let begin = client_frame(kind, b"123456");
        let stream = [&begin[..], &client_frame(FINAL | CONTINUATION, b"12345")].concat();

        let violation = first(limits, &stream);

        assert_eq!(violation, Some((begin.len() + 2, Violation::MESSAGE_TOO_BIG)));
    }
}

/// Qt: RCV-25 (`incomingMessageTooLong`): 1025 bytes with a message limit of 1024.
#[test]
fn refuses_a_single_frame_that_is_too_big_a_message() {
    let limits = Limits { max_message_size: 1024, ..Limits::default() };

    let violation = first(limits, &client_frame(FINAL | TEXT, &[b'a'; 1025]));

    assert_eq!(violation, Some((4, Violation::MESSAGE_TOO_BIG)));
}

/// A character split over two frames counts with the bytes that came.
#[test]
fn counts_the_bytes_of_an_unfinished_character() {
    let limits = Limits { max_message_size: 5, ..Limits::default() };
    let begin = client_frame(TEXT, b"ab\xE2\x82");

    let fits = [&begin[..], &client_frame(FINAL | CONTINUATION, b"\xAC")].concat();
    let too_big = [&begin[..], &client_frame(FINAL | CONTINUATION, b"\xACc")].concat();

    assert_eq!(first(limits, &fits), None);
    assert_eq!(first(limits, &too_big), Some((begin.len() + 2, Violation::MESSAGE_TOO_BIG)));
}

/// Many tiny fragments: the first one too many ends it, with its first byte.
#[test]
fn refuses_one_fragment_too_many() {
    let fragments = [
        client_frame(TEXT, b"1"),
        client_frame(CONTINUATION, b""),
        client_frame(CONTINUATION, b""),
        client_frame(CONTINUATION, b"2"),
    ]
    .concat();
    let stream = [&fragments[..], &client_frame(FINAL | CONTINUATION, b"3")].concat();

    let violation = first(SMALL, &stream);

    assert_eq!(violation, Some((fragments.len() + 1, Violation::TOO_MANY_FRAGMENTS)));
}

/// 131,072 fragments by default, in a buffer that does not outgrow what they carry.
#[test]
fn accepts_many_tiny_fragments() -> Result<(), Violation> {
    let mut feed = Feed::new(Role::Server, Limits::default());
    let middle = client_frame(CONTINUATION, b"x").repeat(131_070);

    feed.read(&client_frame(TEXT, b"x"))?;
    feed.read(&middle)?;
    assert!(feed.decoder.held_bytes() < 2 * 131_072);
    feed.read(&client_frame(FINAL | CONTINUATION, b"x"))?;

    assert_eq!(feed.received, [Received::Text("x".repeat(131_072))]);
    Ok(())
}

/// A small frame limit is about messages; control frames keep their 125 bytes.
#[test]
fn does_not_apply_to_control_frames() {
    let stream = [
        client_frame(FINAL | PING, &[1; 125]),
        client_frame(FINAL | CLOSE, &[b"\x03\xE8".to_vec(), vec![b'a'; 123]].concat()),
    ];

    let (received, violation) = decode_as(Role::Server, SMALL, &stream.concat());

    assert_eq!((received.len(), violation), (2, None));
}

/// Qt: `setMaxAllowedIncomingFrameSize()` works on an open socket.
#[test]
fn changes_while_the_connection_is_open() -> Result<(), Violation> {
    let mut feed = Feed::new(Role::Server, SMALL);
    let message = client_frame(FINAL | BINARY, &[1; 15]);

    feed.decoder.set_limits(Limits::default());
    feed.read(&message)?;
    feed.decoder.set_limits(SMALL);

    assert_eq!(feed.read(&message), Err(Violation::FRAME_TOO_BIG));
    Ok(())
}
