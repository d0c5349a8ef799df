//! The counters of a server, which each turn of a connection adds to.

use std::io;

use crate::protocol::frames::opcode::{MessageKind, Opcode};
use crate::session::tests::{echoing, masked};

/// Bytes count when the kernel takes them, and messages once they are accepted.
#[test]
fn output_that_waits_is_not_counted_as_sent() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.peer.send(&masked(Opcode::Text, b"hello"));
    connection.settle();
    let counts = connection.recorder().traffic_counts();
    assert_eq!((counts.messages_received, counts.bytes_received), (1, 11));
    assert_eq!((counts.messages_sent, counts.bytes_sent), (1, 0));

    connection.peer.make_room(3);
    connection.settle();
    assert_eq!(connection.recorder().traffic_counts().bytes_sent, 3);
    connection.peer.make_room(usize::MAX);
    connection.settle();

    let counts = connection.recorder().traffic_counts();
    assert_eq!((counts.messages_sent, counts.bytes_sent), (1, 7));
    Ok(())
}

/// More messages than two bytes can count, between two turns.
#[test]
fn many_messages_between_two_turns_are_all_counted() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.peer.make_room(usize::MAX);

    for _ in 0..200_000 {
        connection.recorder().send(MessageKind::Text, b"");
    }
    connection.settle();

    let counts = connection.recorder().traffic_counts();
    assert_eq!((counts.messages_sent, counts.bytes_sent), (200_000, 400_000));
    connection.recorder().send(MessageKind::Text, b"");
    connection.settle();
    assert_eq!(connection.recorder().traffic_counts().messages_sent, 200_001);
    Ok(())
}

/// What was sent outside the connection's own turns, and flushed by the program.
#[test]
fn output_that_is_flushed_counts_once() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.ignore_written();
    connection.peer.make_room(usize::MAX);

    connection.recorder().send(MessageKind::Text, b"one");
    assert!(connection.session().flush());
    connection.recorder().send(MessageKind::Text, b"two");
    connection.settle();

    let counts = connection.recorder().traffic_counts();
    assert_eq!((counts.messages_sent, counts.bytes_sent), (2, 10));
    Ok(())
}
