//! Frames that break a rule: which one, and after how many bytes.

use crate::protocol::frames::limits::Limits;
use crate::protocol::frames::violation::Violation;
use crate::testing::decoding::{
    BINARY, CLOSE, CONTINUATION, FINAL, Feed, PING, PONG, TEXT, client_frame, decode,
    first_violation, server_frame,
};
use crate::types::close_code::CloseCode;
use crate::types::role::Role;

const SERVER: (Role, Limits) =
    (Role::Server, Limits { max_frame_size: 1 << 24, max_message_size: 1 << 24, max_fragments: 9 });

/// Asserts that the last of `frames` is refused when `count` bytes of it came.
#[track_caller]
fn assert_refused_after(count: usize, frames: &[&[u8]], violation: Violation) {
    let (_, before) = frames.split_last().unwrap();
    let expected = before.concat().len() + count;

    let bytes = frames.concat();

    assert_eq!(first_violation(SERVER, &bytes), Some((expected, violation)), "{bytes:x?}");
    assert_eq!(decode(&bytes).1, Some(violation), "{bytes:x?}");
}

/// Qt: RCV-09 and RCV-18; RFC 6455 §5.2.
#[test]
fn refuses_reserved_bits_with_the_first_byte() {
    let fragment = client_frame(TEXT, b"begin");
    for bits in (0x10..=0x70).step_by(0x10) {
        for opcode in [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] {
            let frame = client_frame(FINAL | bits | opcode, b"");
            assert_refused_after(1, &[&frame], Violation::RESERVED_BITS);
            assert_refused_after(1, &[&fragment, &frame], Violation::RESERVED_BITS);
        }
    }
}

/// Qt: RCV-09, RCV-18 and PROTO-02; RFC 6455 §5.2.
#[test]
fn refuses_reserved_opcodes_with_the_first_byte() {
    let fragment = client_frame(BINARY, b"begin");
    for opcode in (0x3..=0x7).chain(0xB..=0xF) {
        for first in [opcode, FINAL | opcode] {
            let frame = client_frame(first, b"payload");
            assert_refused_after(1, &[&frame], Violation::RESERVED_OPCODE);
            assert_refused_after(1, &[&fragment, &frame], Violation::RESERVED_OPCODE);
        }
    }
}

/// Qt: RCV-10; RFC 6455 §5.5.
#[test]
fn refuses_fragmented_control_frames_with_the_first_byte() {
    for opcode in [CLOSE, PING, PONG] {
        let frame = client_frame(opcode, b"");
        assert_refused_after(1, &[&frame], Violation::FRAGMENTED_CONTROL_FRAME);
    }
}

/// Qt: RCV-10; RFC 6455 §5.5.
#[test]
fn refuses_long_control_frames_with_the_second_byte() {
    for opcode in [CLOSE, PING, PONG] {
        for length in [126, 70_000] {
            let frame = client_frame(FINAL | opcode, &vec![0; length]);
            assert_refused_after(2, &[&frame], Violation::LONG_CONTROL_FRAME);
        }
    }
}

/// Qt accepts them (RCV-21); RFC 6455 §5.1.
#[test]
fn refuses_unmasked_frames_of_clients_with_the_second_byte() {
    for opcode in [TEXT, BINARY, CLOSE, PING, PONG] {
        let frame = server_frame(FINAL | opcode, b"");
        assert_refused_after(2, &[&frame], Violation::UNMASKED_FRAME);
    }
}

/// Qt accepts them (RCV-21); RFC 6455 §5.1.
#[test]
fn refuses_masked_frames_of_servers_with_the_second_byte() {
    for opcode in [TEXT, BINARY, CLOSE, PING, PONG] {
        let frame = client_frame(FINAL | opcode, b"");
        let violation = first_violation((Role::Client, Limits::default()), &frame);
        assert_eq!(violation, Some((2, Violation::MASKED_FRAME)));
    }
}

/// RFC 6455 §5.4.
#[test]
fn refuses_a_continuation_of_nothing_with_the_first_byte() {
    let frame = client_frame(FINAL | CONTINUATION, b"end");
    let message = client_frame(FINAL | TEXT, b"whole");
    let fragments = [client_frame(TEXT, b""), frame.clone()].concat();

    assert_refused_after(1, &[&frame], Violation::NOTHING_TO_CONTINUE);
    assert_refused_after(1, &[&message, &frame], Violation::NOTHING_TO_CONTINUE);
    assert_refused_after(1, &[&fragments, &frame], Violation::NOTHING_TO_CONTINUE);
}

/// RFC 6455 §5.4.
#[test]
fn refuses_a_message_inside_a_message_with_the_first_byte() {
    let empty_fragment = client_frame(TEXT, b"");
    for first in [TEXT, BINARY, FINAL | TEXT, FINAL | BINARY] {
        let frame = client_frame(first, b"another");
        assert_refused_after(1, &[&empty_fragment, &frame], Violation::UNFINISHED_MESSAGE);
    }
}

/// Qt: RCV-16 (`minimumSizeRequirement`) and RCV-18; RFC 6455 §5.2.
#[test]
fn refuses_lengths_in_a_longer_form_with_their_last_byte() {
    let fragment = client_frame(BINARY, b"begin");
    for (first, before) in [(TEXT, &[][..]), (BINARY, &[]), (CONTINUATION, &fragment)] {
        for length in [0, 64, 120, 125_u16] {
            let frame = [&[first, 0xFE][..], &length.to_be_bytes()].concat();
            assert_refused_after(4, &[before, &frame], Violation::LONG_LENGTH_ENCODING);
        }
        for length in [0, 64, 120, 125, 126, 256, 512, 32_768, 65_535_u64] {
            let frame = [&[first, 0xFF][..], &length.to_be_bytes()].concat();
            assert_refused_after(10, &[before, &frame], Violation::LONG_LENGTH_ENCODING);
        }
    }
}

/// Qt: RCV-18; RFC 6455 §5.2.
#[test]
fn refuses_the_highest_bit_of_a_length_with_its_first_byte() {
    let frame = [&[FINAL | BINARY, 0xFF][..], &(1_u64 << 63).to_be_bytes()].concat();

    assert_refused_after(3, &[&frame], Violation::NEGATIVE_LENGTH);
}

/// RFC 6455 §7.1.7: nothing counts after a violation.
#[test]
fn ignores_everything_after_a_violation() {
    let mut feed = Feed::new(Role::Server, Limits::default());

    assert_eq!(feed.read(&[0xFF]), Err(Violation::RESERVED_BITS));

    assert!(feed.decoder.has_ended());
    assert_eq!(feed.read(&client_frame(FINAL | TEXT, b"after")), Ok(()));
    assert_eq!(feed.received, []);
}

/// RFC 6455 §7.4.1: the code that the answering close frame carries.
#[test]
fn answers_with_the_code_that_fits_the_violation() {
    let code_of = Violation::close_code;

    assert_eq!(code_of(Violation::RESERVED_BITS), CloseCode::PROTOCOL_ERROR);
    assert_eq!(code_of(Violation::FORBIDDEN_CLOSE_CODE), CloseCode::PROTOCOL_ERROR);
    assert_eq!(code_of(Violation::INVALID_TEXT), CloseCode::WRONG_DATATYPE);
    assert_eq!(code_of(Violation::INVALID_CLOSE_REASON), CloseCode::WRONG_DATATYPE);
    assert_eq!(code_of(Violation::FRAME_TOO_BIG), CloseCode::TOO_MUCH_DATA);
    assert_eq!(code_of(Violation::MESSAGE_TOO_BIG), CloseCode::TOO_MUCH_DATA);
    assert_eq!(code_of(Violation::TOO_MANY_FRAGMENTS), CloseCode::POLICY_VIOLATED);
}
