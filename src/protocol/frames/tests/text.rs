//! Text that is UTF-8, text that is not, and when that is noticed.

use crate::protocol::frames::limits::Limits;
use crate::protocol::frames::violation::Violation;
use crate::testing::decoding::{
    BINARY, CLOSE, CONTINUATION, FINAL, Received, TEXT, client_frame, decode, first_violation,
};
use crate::types::role::Role;

/// The texts of Qt's table and of the Autobahn cases 6.3 to 6.21.
const INVALID: [&[u8]; 56] = [
    // A surrogate inside valid text, and text cut inside a character.
    b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xED\xA0\x80\x65\x64\x69\x74\x65\x64",
    b"\xCE",
    b"\xCE\xBA\xE1",
    b"\xCE\xBA\xE1\xBD",
    b"\xCE\xBA\xE1\xBD\xB9\xCF",
    // Longer than four bytes, and above U+10FFFF.
    b"\xF8\x88\x80\x80\x80",
    b"\xFC\x84\x80\x80\x80\x80",
    b"\xF7\xBF\xBF\xBF",
    b"\xFB\xBF\xBF\xBF\xBF",
    b"\xFD\xBF\xBF\xBF\xBF\xBF",
    b"\xF4\x90\x80\x80",
    // Continuation bytes without a beginning.
    b"\x80",
    b"\xBF",
    b"\x80\xBF",
    b"\x80\xBF\x80",
    b"\x80\xBF\x80\xBF",
    b"\x80\xBF\x80\xBF\x80",
    b"\x80\xBF\x80\xBF\x80\xBF",
    // Beginnings without continuation bytes.
    b"\xC2\x20",
    b"\xDF\x20\xDE\x20",
    b"\xE0\x20\xE1\x20",
    b"\xF0\x20\xF1\x20",
    b"\xF8\x20\xF9\x20",
    b"\xFC\x20\xFD\x20",
    // The last byte is missing.
    b"\xC0",
    b"\xE0\x80",
    b"\xE0\xA0",
    b"\xF0\x80\x80",
    b"\xF0\x90\x80",
    b"\xF8\x80\x80\x80",
    b"\xFC\x80\x80\x80\x80",
    b"\xDF",
    b"\xEF\xBF",
    b"\xF7\xBF\xBF",
    b"\xFB\xBF\xBF\xBF",
    b"\xFD\xBF\xBF\xBF\xBF",
    // Bytes that never occur.
    b"\xFE",
    b"\xFF",
    b"\xFE\xFE\xFF\xFF",
    // More bytes than needed.
    b"\xC0\xAF",
    b"\xE0\x80\xAF",
    b"\xF0\x80\x80\xAF",
    b"\xC1\xBF",
    b"\xE0\x9F\xBF",
    b"\xF0\x8F\xBF\xBF",
    b"\xC0\x80",
    b"\xE0\x80\x80",
    b"\xF0\x80\x80\x80",
    // Surrogates, single and in pairs.
    b"\xED\xA0\x80",
    b"\xED\xAD\xBF",
    b"\xED\xAE\x80",
    b"\xED\xAF\xBF",
    b"\xED\xB0\x80",
    b"\xED\xBE\x80",
    b"\xED\xBF\xBF",
    b"\xED\xA0\x80\xED\xB0\x80",
];

/// Qt: RCV-14 (`invalidPayload`); RFC 6455 §8.1.
#[test]
fn refuses_invalid_text_in_one_frame() {
    for invalid in INVALID {
        for text in [invalid.to_vec(), [b"valid ", invalid].concat()] {
            let outcome = decode(&client_frame(FINAL | TEXT, &text));

            assert_eq!(outcome, (vec![], Some(Violation::INVALID_TEXT)), "{text:x?}");
        }
    }
}

/// Qt: RCV-14; RFC 6455 §8.1.
#[test]
fn refuses_invalid_text_in_a_continuation() {
    for invalid in INVALID {
        let stream = [client_frame(TEXT, b"valid"), client_frame(FINAL | CONTINUATION, invalid)];

        let outcome = decode(&stream.concat());

        assert_eq!(outcome, (vec![], Some(Violation::INVALID_TEXT)), "{invalid:x?}");
    }
}

/// Qt: RCV-15 (`invalidPayloadInCloseFrame`); RFC 6455 §5.5.1.
#[test]
fn refuses_invalid_text_as_a_close_reason() {
    for invalid in INVALID {
        let payload = [b"\x03\xE8", invalid].concat();

        let outcome = decode(&client_frame(FINAL | CLOSE, &payload));

        assert_eq!(outcome, (vec![], Some(Violation::INVALID_CLOSE_REASON)), "{invalid:x?}");
    }
}

/// Qt: RCV-06 (`nonCharacterCodes`); they are valid text.
#[test]
fn accepts_non_characters() {
    let planes = (0..=0x10_u32).map(|plane| plane << 16);
    for code in planes.flat_map(|plane| [plane | 0xFFFE, plane | 0xFFFF]) {
        let text = char::from_u32(code).unwrap().to_string();
        let stream = [
            client_frame(FINAL | TEXT, text.as_bytes()),
            client_frame(TEXT, text.as_bytes()),
            client_frame(FINAL | CONTINUATION, text.as_bytes()),
        ];

        let outcome = decode(&stream.concat());

        let expected = vec![Received::Text(text.clone()), Received::Text(text.repeat(2))];
        assert_eq!(outcome, (expected, None), "{code:x}");
    }
}

/// Qt 6.4 to 6.9.0 refuse it, and with it their own long texts (SND-10); RFC 6455 §5.6.
#[test]
fn accepts_characters_that_are_split_over_frames() {
    let text = "é€😀";
    for position in 0..=text.len() {
        let (first, second) = text.as_bytes().split_at(position);
        let stream = [client_frame(TEXT, first), client_frame(FINAL | CONTINUATION, second)];

        let outcome = decode(&stream.concat());

        assert_eq!(outcome, (vec![Received::Text(text.to_owned())], None), "at {position}");
    }
}

/// Autobahn 6.4.1–6.4.4: an invalid byte is refused when it comes, in the middle of a frame.
#[test]
fn refuses_an_invalid_byte_when_it_comes() {
    let peer = (Role::Server, Limits::default());
    let text = b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xF4\x90\x80\x80\x65\x64\x69\x74\x65";
    let second_byte_of_the_invalid_character = 6 + 13;

    let in_one_frame = first_violation(peer, &client_frame(FINAL | TEXT, text));
    let expected = (second_byte_of_the_invalid_character, Violation::INVALID_TEXT);
    assert_eq!(in_one_frame, Some(expected));

    let stream = [client_frame(TEXT, &text[..12]), client_frame(CONTINUATION, &text[12..])];
    let in_two_frames = first_violation(peer, &stream.concat());
    assert_eq!(in_two_frames, Some((18 + 7, Violation::INVALID_TEXT)));
}

/// RFC 6455 §5.6: binary messages may carry anything.
#[test]
fn accepts_any_bytes_in_binary_messages() {
    for invalid in INVALID {
        let outcome = decode(&client_frame(FINAL | BINARY, invalid));

        assert_eq!(outcome, (vec![Received::Binary(invalid.to_vec())], None));
    }
}
