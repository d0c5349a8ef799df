//! The write timeout.

use std::io;
use std::time::Duration;

use crate::protocol::frames::opcode::{MessageKind, Opcode};
use crate::session::tests::{MIB, SECOND, assert_input_keeps_alive, echoing, life, masked};
use crate::types::close_code::CloseCode;
use crate::types::socket_state::SocketState;

/// The write timeout is 30 s; each byte that the peer takes restarts it.
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
fn a_peer_that_reads_while_the_loop_is_held_up_is_alive() -> io::Result<()> {
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

/// A peer that sends is alive, even while it reads nothing.
#[test]
fn input_is_a_sign_of_life_for_the_write_timeout() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.recorder().send(MessageKind::Binary, &[0; 1000]);
    connection.settle();

    assert_input_keeps_alive(&mut connection, [&masked(Opcode::Pong, b"")[..]; 10]);
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

/// RFC 5482: the kernel, which sees acknowledgements, measures the second half of the write timeout.
#[test]
fn the_kernel_measures_what_the_peer_acknowledges() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.peer.measure_acknowledgements();
    connection.recorder().send(MessageKind::Binary, &[0; 1000]);
    connection.settle();
    connection.advance(Duration::from_millis(14_999));
    connection.settle();
    assert_eq!(connection.peer.user_timeout(), None);

    connection.advance(Duration::from_millis(1));
    connection.settle();
    assert_eq!(connection.peer.user_timeout(), Some(30 * SECOND));

    connection.peer.make_room(1);
    connection.settle();
    assert_eq!(connection.peer.user_timeout(), None, "the peer reads on");

    connection.advance(15 * SECOND);
    connection.settle();
    assert_eq!(connection.peer.user_timeout(), Some(30 * SECOND));

    connection.peer.make_room(MIB);
    connection.settle();
    assert_eq!(connection.peer.user_timeout(), None, "no output waits");
    Ok(())
}

/// The kernel counts from the last acknowledgement: input that came later was a sign of life.
#[test]
fn input_extends_the_timeout_of_the_kernel() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.peer.measure_acknowledgements();
    connection.recorder().send(MessageKind::Binary, &[0; 1000]);
    connection.settle();

    connection.advance(10 * SECOND);
    connection.peer.send(&masked(Opcode::Ping, b""));
    connection.settle();
    connection.advance(15 * SECOND);
    connection.settle();
    assert_eq!(connection.peer.user_timeout(), Some(40 * SECOND));

    connection.peer.send(&masked(Opcode::Ping, b""));
    connection.settle();
    assert_eq!(connection.peer.user_timeout(), None);
    Ok(())
}

/// A kernel that measures ends the connection itself; one that does not is given four timeouts.
#[test]
fn a_connection_that_the_kernel_measures_ends_by_the_kernel() -> io::Result<()> {
    let sent = || -> io::Result<_> {
        let mut connection = echoing()?;
        connection.peer.measure_acknowledgements();
        connection.recorder().send(MessageKind::Binary, &[0; 1000]);
        connection.settle();
        connection.advance(15 * SECOND);
        connection.settle();
        Ok(connection)
    };
    let expected = ["the peer read no output for 30 s", "State(Unconnected)", "Ended"];

    let mut reading = sent()?;
    reading.peer.fail_reading(io::ErrorKind::TimedOut);
    reading.settle();
    assert_eq!(life(&reading.record()), expected);
    drop(reading);

    let mut writing = sent()?;
    writing.peer.fail_writing(0, io::ErrorKind::TimedOut);
    assert!(writing.peer.report_failure());
    writing.settle();
    assert_eq!(life(&writing.record()), expected);
    drop(writing);

    let mut neither = sent()?;
    neither.advance(Duration::from_millis(104_999));
    neither.settle();
    assert!(!neither.has_ended());
    neither.advance(Duration::from_millis(1));
    neither.settle();
    assert_eq!(life(&neither.record()), expected);
    Ok(())
}
