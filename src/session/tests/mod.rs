//! Tests over a scripted stream: what a real peer and a real clock would take too long for.

use std::io::{self, ErrorKind};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::protocol::frames::frame::Frame;
use crate::protocol::frames::frame_header::ReservedBits;
use crate::protocol::frames::opcode::{MessageKind, Opcode};
use crate::session::settings::OUTPUT_LIMIT;
use crate::testing::connection::{Record, Recorder, ScriptedConnection, Told};
use crate::types::close_code::CloseCode;
use crate::types::error::Error;
use crate::types::role::Role;
use crate::types::send_status::SendStatus;
use crate::types::socket_state::SocketState;

mod output_policy;
mod would_block;

const SECOND: Duration = Duration::from_secs(1);
const MIB: usize = 1024 * 1024;

/// A connection that sends back each text.
fn echoing() -> io::Result<ScriptedConnection> {
    let mut connection = ScriptedConnection::new(
        Role::Server,
        &[],
        Box::new(|recorder: &Recorder, told: &Told| {
            if let Told::Text(text) = told {
                recorder.send(MessageKind::Text, text.as_bytes());
            }
        }),
    )?;
    connection.start_reading();
    connection.settle();
    Ok(connection)
}

fn masked(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let reserved = ReservedBits::NONE;
    Frame { opcode, is_final: true, reserved, payload }
        .write_to(&mut bytes, Some([0x37, 0xFA, 0x21, 0x3D]));
    bytes
}

/// Shows what was told as words, without the bytes.
fn life(record: &Record) -> Vec<String> {
    let show = |told: &Told| match told {
        Told::Text(text) => text.clone(),
        Told::Failed(error) => error.to_string(),
        told => format!("{told:?}"),
    };
    record.told.iter().map(show).collect()
}

/// The write timeout is 30 s; it begins anew with each byte that the peer takes.
#[test]
fn a_connection_without_progress_of_output_ends_after_the_write_timeout() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.recorder().send(MessageKind::Binary, &[0; 1000]);
    connection.settle();

    for _ in 0..20 {
        connection.advance(29 * SECOND);
        connection.settle();
        connection.peer.make_room(1);
        connection.settle();
    }
    connection.advance(Duration::from_millis(29_999));
    connection.settle();
    assert_eq!(connection.session().state(), SocketState::Connected);
    connection.advance(Duration::from_millis(1));
    connection.settle();

    assert!(connection.has_ended());
    let expected = ["the peer read no output for 30 s", "State(Unconnected)", "Ended"];
    assert_eq!(life(&connection.record()), expected);
    let code = connection.session().close_code();
    assert_eq!(code, Some(CloseCode::ABNORMAL_DISCONNECTION));
    Ok(())
}

/// MSG-19: time in which the loop was held up does not count for the peer.
#[test]
fn a_peer_that_reads_while_the_loop_is_held_up_is_not_given_up() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.recorder().send(MessageKind::Binary, &[0; 1000]);
    connection.settle();

    connection.peer.make_room(500);
    connection.advance(31 * SECOND);
    connection.settle();
    connection.advance(29 * SECOND);
    connection.settle();

    assert_eq!(connection.session().state(), SocketState::Connected);
    connection.advance(SECOND);
    connection.settle();
    assert!(connection.has_ended());
    Ok(())
}

/// RFC 6455 §7.1.5; MSG-19: the same for the peer's close frame, which it has 10 s to send.
#[test]
fn a_close_frame_that_came_while_the_loop_was_held_up_counts() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.peer.make_room(MIB);
    connection.session().close(CloseCode::NORMAL, "");
    connection.settle();

    connection.peer.send(&masked(Opcode::Close, &1000_u16.to_be_bytes()));
    connection.advance(11 * SECOND);
    connection.settle();
    connection.advance(3 * SECOND);
    connection.settle();

    assert!(connection.has_ended());
    assert_eq!(connection.session().close_code(), Some(CloseCode::NORMAL));
    Ok(())
}

/// MSG-19: output that the peer takes in the end leads to no timeout.
#[test]
fn output_that_was_taken_late_sets_no_deadline() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.recorder().send(MessageKind::Binary, &[0; 1000]);
    connection.settle();
    connection.advance(9 * SECOND);
    connection.settle();

    connection.peer.make_room(MIB);
    connection.settle();
    connection.advance(1000 * SECOND);
    connection.settle();

    assert!(!connection.has_ended());
    assert_eq!(connection.record().written, 1004);
    Ok(())
}

/// Qt: SND-09; MSG-09: the limit is about what the kernel does not take: it is asked once more
/// before a message is refused.
#[test]
fn room_that_has_come_meanwhile_is_used_before_the_output_limit_bites() -> io::Result<()> {
    let mut connection = echoing()?;
    // 1 MiB with the headers of its two frames.
    let message = vec![0; MIB - 20];
    while connection.session().bytes_to_write() + MIB <= OUTPUT_LIMIT {
        assert_eq!(connection.recorder().send(MessageKind::Binary, &message), SendStatus::Queued);
        connection.settle();
    }

    // No turn is taken in between: the loop may be busy with other connections.
    connection.peer.make_room(MIB);
    assert_eq!(connection.recorder().send(MessageKind::Binary, &message), SendStatus::Queued);
    let refused = connection.recorder().send(MessageKind::Binary, &message);

    assert_eq!(refused, SendStatus::OutputLimit { limit: OUTPUT_LIMIT });
    assert_eq!(connection.peer.written().len(), MIB);
    connection.settle();
    assert!(connection.has_ended());
    assert!(matches!(connection.record().told[0], Told::Failed(Error::OutputLimit { .. })));
    Ok(())
}

/// The closing timeout is 10 s, counted from when the kernel has taken our close frame: what was
/// sent before it is not cut off for a slow reader.
#[test]
fn a_slow_reader_has_10_s_from_when_the_close_frame_was_written() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.recorder().send(MessageKind::Binary, &[0; 1000]);
    connection.session().close(CloseCode::NORMAL, "");
    connection.settle();
    for _ in 0..10 {
        connection.advance(29 * SECOND);
        connection.settle();
        connection.peer.make_room(100);
        connection.settle();
    }
    assert!(!connection.has_ended());

    connection.peer.make_room(MIB);
    connection.settle();
    connection.advance(Duration::from_millis(9_999));
    connection.settle();
    assert!(!connection.has_ended());
    connection.advance(Duration::from_millis(1));
    connection.settle();

    assert!(connection.has_ended());
    assert_eq!(life(&connection.record()), CLOSED);
    let code = connection.session().close_code();
    assert_eq!(code, Some(CloseCode::ABNORMAL_DISCONNECTION));
    Ok(())
}

/// MSG-11: a peer that answers our close frame and keeps TCP open is cut off after 2 s.
#[test]
fn a_peer_that_keeps_the_connection_open_is_given_up_after_2_s() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.peer.make_room(MIB);
    connection.peer.send(&masked(Opcode::Close, &1000_u16.to_be_bytes()));
    connection.settle();
    assert!(connection.peer.is_shut_down());

    connection.peer.send(&[0xFF; 5000]);
    connection.advance(Duration::from_millis(1_999));
    connection.settle();
    assert!(!connection.has_ended());
    connection.advance(Duration::from_millis(1));
    connection.settle();

    assert!(connection.has_ended());
    assert_eq!(life(&connection.record()), CLOSED);
    assert_eq!(connection.session().close_code(), Some(CloseCode::NORMAL));
    Ok(())
}

/// What is told of a closing handshake.
const CLOSED: [&str; 4] = ["Closing", "State(Closing)", "State(Unconnected)", "Ended"];

/// Three texts of four lengths of header, an answer to each, and a closing handshake: the input,
/// and where in it each text ends.
fn conversation() -> (Vec<u8>, Vec<usize>) {
    let mut input = Vec::new();
    let mut ends = Vec::new();
    for length in [5, 0, 300] {
        input.extend(masked(Opcode::Text, &vec![b'a'; length]));
        ends.push(input.len());
    }
    input.extend(masked(Opcode::Ping, b"ping"));
    input.extend(masked(Opcode::Close, b"\x03\xE8bye"));
    (input, ends)
}

/// Sends the input in two pieces with turns between, and the end.
fn play(connection: &mut ScriptedConnection, (first, second): (&[u8], &[u8])) {
    for piece in [first, second] {
        connection.peer.send(piece);
        connection.settle();
    }
    connection.peer.end();
    connection.settle();
}

/// MSG-18: a connection that breaks at any byte ends once, with all messages that came whole.
#[test]
fn a_failure_at_any_byte_of_the_input_ends_the_connection() -> io::Result<()> {
    let (input, ends) = conversation();
    for kind in [ErrorKind::ConnectionReset, ErrorKind::TimedOut] {
        for place in 0..=input.len() {
            let mut connection = echoing()?;
            connection.peer.make_room(MIB);

            connection.peer.send(&input[..place]);
            connection.peer.fail_reading(kind);
            connection.settle();

            assert!(connection.has_ended(), "at {place}");
            let record = connection.record();
            let texts = record.told.iter().filter(|told| matches!(told, Told::Text(_))).count();
            assert_eq!(texts, ends.iter().filter(|&&end| end <= place).count(), "at {place}");
            let told = life(&record);
            let expected: &[&str] = match (place == input.len(), kind) {
                // The closing handshake is over: how TCP ends does not matter.
                (true, _) => &CLOSED,
                (false, ErrorKind::ConnectionReset) => &[
                    "the peer closed the connection without a closing handshake",
                    "State(Unconnected)",
                    "Ended",
                ],
                (false, _) => &["the connection failed", "State(Unconnected)", "Ended"],
            };
            assert_eq!(told[texts..], *expected, "at {place}");
        }
    }
    Ok(())
}

/// MSG-18: the same for the output; what was written before it is as it should be.
#[test]
fn a_failure_at_any_byte_of_the_output_ends_the_connection() -> io::Result<()> {
    let (input, _) = conversation();
    let mut undisturbed = echoing()?;
    undisturbed.peer.make_room(MIB);
    play(&mut undisturbed, (&input, &[]));
    let output = undisturbed.peer.written();
    assert_eq!(life(&undisturbed.record())[3..], CLOSED);

    for kind in [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe] {
        for place in 0..output.len() {
            let mut connection = echoing()?;
            connection.peer.make_room(MIB);
            connection.peer.fail_writing(place, kind);

            play(&mut connection, input.split_at(place));

            assert!(connection.has_ended(), "at {place}");
            assert_eq!(connection.peer.written(), output[..place]);
            let record = connection.record();
            assert_eq!(record.written, place);
            let told = life(&record);
            assert_eq!(told[told.len() - 2..], ["State(Unconnected)", "Ended"], "at {place}");
            assert_eq!(told.iter().filter(|told| *told == "Ended").count(), 1, "at {place}");
        }
    }
    Ok(())
}

/// Qt: SND-08: the same when the failure comes behind a part of the output that was written whole.
#[test]
fn what_was_written_before_a_failure_is_counted() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.recorder().send(MessageKind::Binary, &[0; 1000]);
    connection.recorder().send_prepared(&vec![0; 20_000]);
    connection.settle();

    connection.peer.fail_writing(1004, ErrorKind::ConnectionReset);
    connection.peer.make_room(MIB);
    connection.settle();

    assert!(connection.has_ended());
    assert_eq!(connection.peer.written().len(), 1004);
    assert_eq!(connection.record().written, 1004);
    Ok(())
}

/// RFC 6455 §5.2: wherever the input is cut, and however little the kernel takes, it is all there.
#[test]
fn short_reads_and_short_writes_at_any_byte_change_nothing() -> io::Result<()> {
    let (input, _) = conversation();
    let mut undisturbed = echoing()?;
    undisturbed.peer.make_room(MIB);
    play(&mut undisturbed, (&input, &[]));
    let output = undisturbed.peer.written();

    for place in 0..=input.len() {
        let mut connection = echoing()?;
        connection.peer.interrupt(2);
        connection.peer.make_room(place);

        play(&mut connection, input.split_at(place));
        connection.peer.interrupt(1);
        connection.peer.report_in_vain();
        connection.peer.make_room(MIB);
        connection.settle();

        assert!(connection.has_ended(), "at {place}");
        assert_eq!(connection.peer.written(), output, "at {place}");
        assert_eq!(life(&connection.record()), life(&undisturbed.record()), "at {place}");
    }
    Ok(())
}

/// A peer that sends is alive, even while it reads nothing.
#[test]
fn input_is_a_sign_of_life_for_the_write_timeout() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.recorder().send(MessageKind::Binary, &[0; 1000]);
    connection.settle();

    for _ in 0..10 {
        connection.advance(29 * SECOND);
        connection.peer.send(&masked(Opcode::Pong, b""));
        connection.settle();
    }

    assert!(!connection.has_ended());
    connection.advance(30 * SECOND);
    connection.settle();
    assert!(connection.has_ended());
    Ok(())
}

#[test]
fn without_a_write_timeout_output_waits_for_ever() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.session().change_timeouts(|timeouts| timeouts.write = None);
    connection.recorder().send(MessageKind::Binary, &[0; 1000]);
    connection.settle();

    connection.advance(1_000_000 * SECOND);
    connection.settle();
    assert!(!connection.has_ended());

    connection.session().change_timeouts(|timeouts| timeouts.write = Some(SECOND));
    connection.settle();
    connection.advance(SECOND);
    connection.settle();
    assert!(connection.has_ended());
    Ok(())
}

/// RFC 6455 §7.1.1: the closing timeout runs from the last sign of life, for 60 s at the most.
#[test]
fn a_peer_that_sends_while_the_connection_closes_has_60_s_for_its_close_frame() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.peer.make_room(MIB);
    connection.session().close(CloseCode::NORMAL, "");
    connection.settle();

    for _ in 0..6 {
        connection.advance(9 * SECOND);
        connection.peer.send(&masked(Opcode::Text, b"late"));
        connection.settle();
        assert!(!connection.has_ended());
    }
    connection.advance(6 * SECOND);
    connection.settle();

    assert!(connection.has_ended());
    assert_eq!(connection.session().close_code(), Some(CloseCode::ABNORMAL_DISCONNECTION));
    Ok(())
}

/// A peer that sends without end does not keep a closing connection open until the deadline.
#[test]
fn a_closing_connection_reads_a_bounded_amount() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.peer.make_room(usize::MAX);
    connection.session().close(CloseCode::NORMAL, "");
    connection.settle();
    let message = masked(Opcode::Binary, &vec![0; MIB]);

    for _ in 0..65 {
        connection.peer.send(&message);
        connection.settle();
    }

    assert!(connection.has_ended());
    Ok(())
}

/// RFC 6455 §7.1.1: what was sent is not destroyed when the closing timeout passes.
#[test]
fn the_descriptor_lingers_after_a_deadline() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.peer.make_room(MIB);
    connection.session().close(CloseCode::NORMAL, "");
    connection.settle();

    connection.advance(10 * SECOND);
    connection.settle();
    assert!(connection.has_ended() && connection.is_lingering());
    assert!(connection.peer.is_shut_down() && !connection.peer.is_closed());
    connection.peer.send(&[0xFF; 5000]);
    connection.settle();
    assert!(!connection.peer.has_unread(), "input is dropped");

    connection.peer.end();
    connection.settle();
    assert!(connection.peer.is_closed());
    Ok(())
}

#[test]
fn a_descriptor_lingers_for_two_minutes_at_the_most() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.recorder().send(MessageKind::Binary, &[0; 1000]);
    connection.settle();
    connection.advance(30 * SECOND);
    connection.settle();
    assert!(connection.is_lingering());

    for _ in 0..119 {
        connection.advance(SECOND);
        connection.peer.send(b"x");
        connection.settle();
    }
    assert!(!connection.peer.is_closed());
    connection.advance(SECOND);
    connection.settle();

    assert!(connection.peer.is_closed());
    Ok(())
}

/// Qt: `close()` writes at once, so that an `abort()` behind it cuts nothing off.
#[test]
fn what_was_closed_in_order_is_written_before_an_abort() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.peer.make_room(MIB);
    connection.recorder().send(MessageKind::Text, b"last");
    connection.session().close(CloseCode::NORMAL, "");

    connection.session().abort();
    connection.settle();

    assert_eq!(connection.peer.written(), b"\x81\x04last\x88\x02\x03\xE8");
    assert!(connection.has_ended());
    Ok(())
}

/// What a peer has been sent, as frames: opcode and length of the payload.
fn frames(mut bytes: &[u8]) -> Vec<(u8, usize)> {
    let mut frames = Vec::new();
    while let [first, second, rest @ ..] = bytes {
        let (length, header) = match second {
            126 => (usize::from(rest[0]) << 8 | usize::from(rest[1]), 4),
            127 => (rest[..8].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), 10),
            length => (usize::from(*length), 2),
        };
        frames.push((first & 0xF, length));
        bytes = &bytes[header + length..];
    }
    frames
}

/// RFC 6455 §5.4 and §5.5.2: the ping of a keepalive goes between frames of a message, in front of
/// those that the kernel has not begun to take, wherever it has stopped.
#[test]
fn a_keepalive_ping_overtakes_output_between_frames() -> io::Result<()> {
    let frame = 1000 + 4;
    for place in [0, 1, 3, 4, 5, frame - 1, frame, frame + 1, 2 * frame + 500, 3 * frame - 1] {
        let mut connection = echoing()?;
        for _ in 0..3 {
            connection.recorder().send(MessageKind::Binary, &[0; 1000]);
        }
        connection.recorder().send_prepared(&vec![0; 20_000]);
        connection.peer.make_room(place);
        connection.settle();

        for _ in 0..5 {
            connection.session().check_alive(5 * SECOND);
        }
        connection.settle();
        while connection.session().bytes_to_write() > 0 {
            connection.peer.make_room(7);
            connection.settle();
        }

        let begun = place.div_ceil(frame);
        let mut expected = vec![(2, 1000), (2, 1000), (2, 1000), (2, 20_000)];
        expected.insert(begun, (9, 10));
        assert_eq!(frames(&connection.peer.written()), expected, "at {place}");
    }
    Ok(())
}

/// A peer that takes output is alive, and one that does not read what waits before the ping has
/// not seen it: the write timeout decides.
#[test]
fn keepalive_does_not_end_a_peer_that_the_ping_has_not_reached() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.recorder().send(MessageKind::Binary, &[0; 1000]);
    connection.settle();

    for _ in 0..100 {
        connection.session().check_alive(5 * SECOND);
        connection.settle();
    }
    assert!(!connection.has_ended());
    connection.peer.make_room(MIB);
    connection.settle();
    for _ in 0..8 {
        connection.session().check_alive(5 * SECOND);
        connection.settle();
    }
    assert!(!connection.has_ended(), "progress of output is a sign of life");
    connection.session().check_alive(5 * SECOND);
    connection.settle();

    assert!(connection.has_ended());
    assert_eq!(life(&connection.record())[0], "the peer was idle and did not answer a ping");
    Ok(())
}

/// RFC 6455 §5.5.3: a peer that pings while much waits for it gets its pong before that.
#[test]
fn a_pong_overtakes_output_that_waits() -> io::Result<()> {
    let mut connection = echoing()?;
    for _ in 0..3 {
        connection.recorder().send(MessageKind::Binary, &[0; 1000]);
    }
    connection.peer.make_room(10);
    connection.settle();

    connection.peer.send(&masked(Opcode::Ping, b"now"));
    connection.settle();
    connection.peer.make_room(MIB);
    connection.settle();

    let expected = [(2, 1000), (10, 3), (2, 1000), (2, 1000)];
    assert_eq!(frames(&connection.peer.written()), expected);
    Ok(())
}

/// RFC 6455 §5.5.1: a peer that goes while its ping and its close frame are answered has missed
/// nothing; one that goes without a message that was sent before is an error, and a sink hears of it.
#[test]
fn a_peer_that_closes_and_goes_is_an_error_if_a_message_is_lost() -> io::Result<()> {
    for (is_lost, fails_writing) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut connection = echoing()?;
        if is_lost {
            connection.recorder().send(MessageKind::Text, b"lost");
            connection.settle();
        }
        connection.peer.send(&masked(Opcode::Ping, b"ping"));
        connection.peer.send(&masked(Opcode::Close, &1000_u16.to_be_bytes()));
        connection.settle();
        assert!(!connection.has_ended());

        if fails_writing {
            connection.peer.fail_writing(0, ErrorKind::ConnectionReset);
            connection.peer.make_room(MIB);
        } else {
            connection.peer.fail_reading(ErrorKind::ConnectionReset);
        }
        connection.settle();

        let (record, session) = (connection.record(), connection.session());
        let failures = record.told.iter().filter(|told| matches!(told, Told::Failed(_))).count();
        let end = session.poll_ended(&Context::from_waker(Waker::noop()));
        assert_eq!(failures, usize::from(is_lost), "{record:?}");
        assert_eq!(matches!(end, Poll::Ready(Err(Error::RemoteHostClosed))), is_lost, "{end:?}");
        assert_eq!(matches!(end, Poll::Ready(Ok(()))), !is_lost, "{end:?}");
        assert_eq!(session.close_code(), Some(CloseCode::NORMAL));
    }
    Ok(())
}
