//! Failures of the connection and short reads and writes, at any byte.

use std::io::{self, ErrorKind};
use std::task::{Context, Poll, Waker};

use crate::protocol::frames::opcode::{MessageKind, Opcode};
use crate::session::tests::{CLOSED, MIB, echoing, life, masked};
use crate::testing::connection::{Report, ScriptedConnection};
use crate::types::close_code::CloseCode;
use crate::types::error::Error;

/// Returns texts, a ping and a closing handshake, and where each text ends.
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

/// MSG-18: a connection that breaks at any byte ends once; whole messages arrive.
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
            let texts =
                record.reports.iter().filter(|report| matches!(report, Report::Text(_))).count();
            assert_eq!(texts, ends.iter().filter(|&&end| end <= place).count(), "at {place}");
            let life = life(&record);
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
            assert_eq!(life[texts..], *expected, "at {place}");
        }
    }
    Ok(())
}

/// MSG-18: the same for the output; the bytes before the failure are correct.
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
            let life = life(&record);
            assert_eq!(life[life.len() - 2..], ["State(Unconnected)", "Ended"], "at {place}");
            assert_eq!(life.iter().filter(|line| *line == "Ended").count(), 1, "at {place}");
        }
    }
    Ok(())
}

/// Qt: SND-08: the same for a failure behind a chunk that was written whole.
#[test]
fn output_before_a_failure_is_counted() -> io::Result<()> {
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

/// RFC 6455 §5.2: reads and writes that are cut at any byte lose nothing.
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

/// RFC 6455 §5.5.1: the end of a peer is a failure if a message is lost.
///
/// It is one also for tasks that wait for the end.
#[test]
fn the_end_of_a_peer_that_closes_is_an_error_if_a_message_is_lost() -> io::Result<()> {
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
        let failures =
            record.reports.iter().filter(|report| matches!(report, Report::Failed(_))).count();
        let end = session.poll_ended(&Context::from_waker(Waker::noop()));
        assert_eq!(failures, usize::from(is_lost), "{record:?}");
        assert_eq!(matches!(end, Poll::Ready(Err(Error::RemoteHostClosed))), is_lost, "{end:?}");
        assert_eq!(matches!(end, Poll::Ready(Ok(()))), !is_lost, "{end:?}");
        assert_eq!(session.close_code(), Some(CloseCode::NORMAL));
    }
    Ok(())
}
