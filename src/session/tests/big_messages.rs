//! Messages that are longer than a read: most of their payload is read where it stays.

use std::io;
use std::time::Duration;

use crate::protocol::frames::opcode::{MessageKind, Opcode};
use crate::session::buffers::{put_buffer, shared_pool};
use crate::session::tests::{MIB, assert_input_keeps_alive, echoing, masked};
use crate::testing::connection::{Report, ScriptedConnection};
use crate::types::error::Error;
use crate::types::role::Role;

fn payload() -> Vec<u8> {
    (0..=250).cycle().take(2 * MIB).collect()
}

fn messages(connection: &ScriptedConnection) -> Vec<Vec<u8>> {
    let message = |report| match report {
        Report::Text(text) => Some(text.into_bytes()),
        Report::Binary(bytes) => Some(bytes),
        _ => None,
    };
    connection.record().reports.into_iter().filter_map(message).collect()
}

/// RFC 6455 §5.2, §5.3: however it comes, and with another message right behind it.
#[test]
fn are_received_whole_and_counted() -> io::Result<()> {
    let frame = masked(Opcode::Binary, &payload());
    let wire = [&frame[..], &masked(Opcode::Text, b"behind")].concat();
    for cut in [wire.len(), 400_000, 100_000, 33_333] {
        let mut connection = echoing()?;
        connection.peer.make_room(usize::MAX);

        for piece in wire.chunks(cut) {
            connection.peer.send(piece);
            connection.settle();
        }

        let expected = [payload(), b"behind".to_vec()];
        assert!(messages(&connection) == expected, "pieces of {cut} bytes");
        let counts = connection.recorder().traffic_counts();
        assert_eq!((counts.messages_received, counts.bytes_received), (2, wire.len() as u64));
    }
    Ok(())
}

/// What lies in front of it in a read, also more than a turn delivers, changes nothing.
#[test]
fn are_received_whole_behind_others() -> io::Result<()> {
    let short = masked(Opcode::Text, b"short");
    for before in [0, 1, 16, 17, 40] {
        let mut connection = echoing()?;
        connection.peer.make_room(usize::MAX);
        let mut expected = Vec::new();

        for round in 0..3 {
            let big = payload()[round * 7..][..MIB - round].to_vec();
            connection.peer.send(&[short.repeat(before), masked(Opcode::Binary, &big)].concat());
            connection.settle();
            expected.extend(vec![b"short".to_vec(); before]);
            expected.push(big);
        }

        assert!(messages(&connection) == expected, "{before} messages in front");
    }
    Ok(())
}

/// The first piece is not copied: the message takes over the memory of the input.
#[test]
fn stay_where_they_are_read() -> io::Result<()> {
    let memory = vec![0; MIB + 1024];
    let place = memory.as_ptr();
    // The next read takes it.
    put_buffer(memory);
    let mut connection = echoing()?;
    connection
        .peer
        .send(&[masked(Opcode::Text, b"x"), masked(Opcode::Binary, &payload()[..MIB])].concat());

    connection.settle();

    assert_eq!(messages(&connection).len(), 2);
    let left = shared_pool().borrow_mut().take_used(MIB);
    assert_eq!(left.map(|memory| memory.as_ptr()), Some(place));
    Ok(())
}

/// The memory of a message of 1 MiB is kept for the next one, wherever it has grown.
#[test]
fn leave_their_memory_to_the_next() -> io::Result<()> {
    let mut connection = ScriptedConnection::new(Role::Server, &[], Box::new(|_, _| {}))?;
    connection.start_reading();
    let kept = || shared_pool().borrow_mut().take_used(MIB);
    assert!(kept().is_none());

    for before in [0, 1, 50] {
        let short = masked(Opcode::Text, b"short").repeat(before);
        connection.peer.send(&[short, masked(Opcode::Binary, &payload()[..MIB])].concat());
        connection.settle();

        assert!(kept().is_some(), "{before} messages in front");
    }
    Ok(())
}

/// Each read counts, not the message at its end: a peer cannot have 2 MiB read at once.
#[test]
fn are_held_back_by_a_rate_of_bytes() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.session().change_settings(|settings| settings.rates.bytes = Some(64 * 1024));
    connection.peer.send(&masked(Opcode::Binary, &payload()));
    connection.settle_or_hold();

    let mut before = connection.recorder().traffic_counts().bytes_received;
    let mut waits = 0;
    while messages(&connection).is_empty() {
        assert!(connection.session().stats().is_reading_held);
        connection.advance(Duration::from_secs(2));
        connection.settle_or_hold();
        let now = connection.recorder().traffic_counts().bytes_received;
        assert!(now - before <= 263_168, "{} bytes in one turn", now - before);
        waits += usize::from(now > before);
        before = now;
    }

    assert!(waits >= 7, "{waits} reads of 2 MiB");
    Ok(())
}

/// What is paused within a message continues there.
#[test]
fn can_be_paused_within() -> io::Result<()> {
    let mut connection = echoing()?;
    let wire = masked(Opcode::Binary, &payload());
    let (first, second) = wire.split_at(MIB);
    connection.peer.send(first);
    connection.settle();

    connection.session().pause_reading(true);
    connection.peer.send(second);
    connection.settle_or_hold();
    assert!(connection.peer.has_unread());
    connection.session().pause_reading(false);
    connection.settle();

    assert!(messages(&connection) == [payload()]);
    Ok(())
}

/// MSG-12: a peer that sends is alive, and each piece is read into the room of the message.
#[test]
fn are_a_sign_of_life() -> io::Result<()> {
    let wire = masked(Opcode::Binary, &payload());
    let mut connection = echoing()?;
    connection.recorder().send(MessageKind::Binary, &[0; 1000]);
    let (first, rest) = wire.split_at(900_000);
    connection.peer.send(first);
    connection.settle();

    assert_input_keeps_alive(&mut connection, rest.chunks(1000).take(10));
    Ok(())
}

/// RFC 6455 §7.1.5: an end within a message is none of the closing handshake.
#[test]
fn are_not_reported_without_their_end() -> io::Result<()> {
    let wire = masked(Opcode::Binary, &payload());
    let mut connection = echoing()?;
    connection.peer.send(&wire[..wire.len() - 1]);
    connection.settle();
    assert!(!connection.peer.has_unread());

    connection.peer.end();
    connection.settle();

    assert!(messages(&connection).is_empty());
    let is_lost = |report: &Report| matches!(report, Report::Failed(Error::RemoteHostClosed));
    assert!(connection.record().reports.iter().any(is_lost));
    Ok(())
}

/// The program may give up within a message: nothing more of it is read.
#[test]
fn can_be_aborted_within() -> io::Result<()> {
    let wire = masked(Opcode::Binary, &payload());
    let mut connection = echoing()?;
    connection.peer.send(&wire[..MIB]);
    connection.settle();
    let before = connection.recorder().traffic_counts().bytes_received;

    connection.session().abort();
    connection.peer.send(&wire[MIB..]);
    connection.settle();

    assert!(connection.has_ended());
    assert_eq!(connection.recorder().traffic_counts().bytes_received, before);
    assert!(messages(&connection).is_empty());
    Ok(())
}

/// Output of a slot is written while the input of a message is still coming.
#[test]
fn hold_up_no_output() -> io::Result<()> {
    let wire = masked(Opcode::Binary, &payload());
    let mut connection = echoing()?;
    connection.peer.make_room(usize::MAX);
    connection.peer.send(&wire[..MIB]);
    connection.settle();

    connection.recorder().send(MessageKind::Text, b"meanwhile");
    connection.peer.send(&wire[MIB..MIB + 200_000]);
    connection.settle();

    assert_eq!(connection.peer.written(), b"\x81\x09meanwhile");
    Ok(())
}
