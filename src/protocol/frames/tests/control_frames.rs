//! Pings, pongs and close frames.

use crate::protocol::frames::violation::Violation;
use crate::testing::Random;
use crate::testing::decoding::{
    BINARY, CLOSE, CONTINUATION, FINAL, PING, PONG, Received, TEXT, client_frame, decode,
};

fn close_with(code: u16, reason: &[u8]) -> Vec<u8> {
    client_frame(FINAL | CLOSE, &[&code.to_be_bytes(), reason].concat())
}

/// Qt: RCV-03 (`goodControlFrame`); RFC 6455 §5.5.2, §5.5.3.
#[test]
fn receives_pings_and_pongs_up_to_125_bytes() {
    for length in [0, 1, 64, 124, 125] {
        let payload = Random(1).bytes(length);
        let stream =
            [client_frame(FINAL | PING, &payload), client_frame(FINAL | PONG, &payload)].concat();

        let expected = vec![Received::Ping(payload.clone()), Received::Pong(payload)];
        assert_eq!(decode(&stream), (expected, None), "length {length}");
    }
}

/// Qt: RCV-22; RFC 6455 §5.4: control frames come between the fragments of a message.
#[test]
fn receives_control_frames_inside_a_message() {
    let stream = [
        client_frame(TEXT, "one \u{20AC}".as_bytes().split_at(5).0),
        client_frame(FINAL | PING, b"first"),
        client_frame(CONTINUATION, "\u{20AC}".as_bytes().split_at(1).1),
        client_frame(FINAL | PONG, &[9; 125]),
        client_frame(FINAL | PING, b""),
        client_frame(FINAL | CONTINUATION, b" two"),
    ];

    let expected = vec![
        Received::Ping(b"first".to_vec()),
        Received::Pong(vec![9; 125]),
        Received::Ping(vec![]),
        Received::Text("one € two".to_owned()),
    ];
    assert_eq!(decode(&stream.concat()), (expected, None));
}

/// Qt: RCV-04 (`goodCloseFrame`); RFC 6455 §5.5.1.
#[test]
fn receives_close_frames_with_each_reason_length() {
    for length in 0..=123 {
        let reason = "a".repeat(length);

        let outcome = decode(&close_with(1000, reason.as_bytes()));

        assert_eq!(outcome, (vec![Received::Close(Some(1000), reason)], None));
    }
}

/// Qt: RCV-04, and the registered codes 1012–1014 that Qt refuses (RFC 6455 §7.4).
#[test]
fn receives_close_frames_with_each_allowed_code() {
    let codes = (1000..=1003).chain(1007..=1014).chain([3000, 3999, 4000, 4999]);
    for code in codes {
        for reason in ["", "gone \u{1F44B}"] {
            let outcome = decode(&close_with(code, reason.as_bytes()));

            assert_eq!(outcome, (vec![Received::Close(Some(code), reason.to_owned())], None));
        }
    }
}

/// Qt reports 1000 for an empty close frame (RCV-04); RFC 6455 §7.1.5 says that there is no code.
#[test]
fn reports_no_code_for_an_empty_close_frame() {
    let outcome = decode(&client_frame(FINAL | CLOSE, b""));

    assert_eq!(outcome, (vec![Received::Close(None, String::new())], None));
}

/// Qt: RCV-11 (`invalidCloseFrame`); RFC 6455 §7.4.
#[test]
fn refuses_close_codes_that_must_not_be_sent() {
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        let outcome = decode(&close_with(code, b"reason"));

        assert_eq!(outcome, (vec![], Some(Violation::FORBIDDEN_CLOSE_CODE)), "{code}");
    }
}

/// Qt: RCV-11; RFC 6455 §5.5.1: a close code has two bytes.
#[test]
fn refuses_half_a_close_code() {
    let outcome = decode(&client_frame(FINAL | CLOSE, b"\x03"));

    assert_eq!(outcome, (vec![], Some(Violation::SHORT_CLOSE_PAYLOAD)));
}

/// Qt: RCV-26; RFC 6455 §5.5.1: what comes before a close frame counts, what comes after does not.
#[test]
fn ignores_everything_after_a_close_frame() {
    let stream = [
        client_frame(FINAL | TEXT, b"before"),
        client_frame(BINARY, b"never finished"),
        close_with(1000, b"bye"),
        client_frame(FINAL | TEXT, b"after"),
        client_frame(FINAL | CLOSE, b"\x00"),
        vec![0xFF; 20],
    ];

    let expected =
        vec![Received::Text("before".to_owned()), Received::Close(Some(1000), "bye".to_owned())];
    assert_eq!(decode(&stream.concat()), (expected, None));
}
