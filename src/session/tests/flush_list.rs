//! What is sent outside a connection's turn: written from the flush list, or by its driver.

use std::io;

use crate::protocol::frames::opcode::{MessageKind, Opcode};
use crate::session::tests::{CLOSED, MIB, SECOND, echoing, life, masked};
use crate::testing::connection::ScriptedConnection;
use crate::types::close_code::CloseCode;

fn quiet() -> io::Result<ScriptedConnection> {
    let connection = echoing()?;
    connection.ignore_written();
    Ok(connection)
}

/// A message to a peer with room takes no turn of the driver.
#[test]
fn output_that_the_kernel_takes_needs_no_turn() -> io::Result<()> {
    let mut connection = quiet()?;
    connection.peer.make_room(MIB);
    connection.settle();
    let turns = connection.turns();

    for size in [1, 500, 20_000] {
        connection.recorder().send(MessageKind::Binary, &vec![7; size]);
        connection.recorder().send_prepared(&vec![7; size]);
    }
    connection.settle();

    assert_eq!(connection.session().bytes_to_write(), 0);
    // Messages that go to the kernel at once are reported by the next turn.
    assert!(connection.turns() <= turns + 1, "{} turns", connection.turns() - turns);
    Ok(())
}

/// A message of 16 KiB goes to the kernel at once; a shorter one at the end of the loop's turn.
#[test]
fn big_messages_are_not_collected() -> io::Result<()> {
    let mut connection = quiet()?;
    connection.peer.make_room(MIB);
    connection.settle();

    for (size, left) in [(1, 3), (16 * 1024 - 1, 16 * 1024 + 3), (16 * 1024, 0)] {
        connection.recorder().send(MessageKind::Binary, &vec![7; size]);
        assert_eq!(connection.session().bytes_to_write(), left);
        connection.settle();
        assert_eq!(connection.session().bytes_to_write(), 0);
    }
    Ok(())
}

/// The write timeout also runs for output of which the list could write only a part.
#[test]
fn output_that_the_kernel_does_not_take_has_the_write_timeout() -> io::Result<()> {
    let mut connection = quiet()?;
    connection.peer.make_room(10);
    connection.settle();

    connection.recorder().send(MessageKind::Binary, &[7; 1000]);
    connection.settle();
    assert!(connection.session().bytes_to_write() > 0);
    connection.advance(29 * SECOND);
    connection.settle();
    assert!(!connection.has_ended());
    connection.advance(2 * SECOND);
    connection.settle();
    connection.advance(100 * SECOND);
    connection.settle();

    assert!(connection.has_ended());
    Ok(())
}

/// RFC 6455 §7.1.2: a close frame follows the messages that were sent before it.
#[test]
fn a_close_behind_listed_output_is_seen_by_the_driver() -> io::Result<()> {
    let mut connection = quiet()?;
    connection.peer.make_room(MIB);
    connection.settle();

    connection.recorder().send(MessageKind::Binary, b"last");
    connection.session().close(CloseCode::NORMAL, "");
    connection.settle();
    connection.peer.send(&masked(Opcode::Close, &1000_u16.to_be_bytes()));
    connection.settle();
    connection.peer.end();
    connection.settle();

    assert!(connection.has_ended());
    assert_eq!(life(&connection.record()), CLOSED);
    Ok(())
}

/// An `abort` behind a message ends the connection although the list has written it.
#[test]
fn an_abort_behind_listed_output_ends_the_connection() -> io::Result<()> {
    let mut connection = quiet()?;
    connection.peer.make_room(MIB);
    connection.settle();

    connection.recorder().send(MessageKind::Binary, b"last");
    connection.session().abort();
    connection.settle();

    assert!(connection.has_ended());
    Ok(())
}
