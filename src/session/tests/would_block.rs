//! Connections where readiness is reported again only after `WouldBlock`.
//!
//! Windows is such a system ("Portability" of `mio::Poll`).

use std::io;

use crate::protocol::frames::opcode::{MessageKind, Opcode};
use crate::session::tests::{echoing, masked};
use crate::testing::connection::{Record, Report, ScriptedConnection};
use crate::types::socket_state::SocketState;

fn echoing_there() -> io::Result<ScriptedConnection> {
    let connection = echoing()?;
    connection.peer.report_after_would_block();
    Ok(connection)
}

fn texts(record: &Record) -> Vec<&str> {
    let mut texts = Vec::new();
    for report in &record.reports {
        if let Report::Text(text) = report {
            texts.push(&**text);
        }
    }
    texts
}

/// Qt: `textMessageReceived`: each message is delivered when it arrives.
#[test]
fn messages_that_come_one_after_another_are_delivered() -> io::Result<()> {
    let mut connection = echoing_there()?;
    connection.peer.make_room(usize::MAX);

    for text in ["one", "two", "three"] {
        connection.peer.send(&masked(Opcode::Text, text.as_bytes()));
        connection.settle();
    }

    assert_eq!(texts(&connection.record()), ["one", "two", "three"]);
    Ok(())
}

/// Qt: `bytesWritten`: output that the kernel takes in small parts is written.
#[test]
fn output_that_the_kernel_takes_in_parts_is_written() -> io::Result<()> {
    let mut connection = echoing_there()?;
    connection.peer.make_room(1000);

    connection.recorder().send(MessageKind::Binary, &vec![7; 100_000]);
    connection.settle();
    for _ in 0..200 {
        connection.peer.make_room(700);
        connection.settle();
    }

    assert_eq!(connection.session().bytes_to_write(), 0);
    assert_eq!(connection.peer.written().len(), 100_000 + 10);
    Ok(())
}

/// MSG-18: the same with a message that is written while the call sends it.
#[test]
fn output_that_a_call_writes_in_parts_is_written() -> io::Result<()> {
    let mut connection = echoing_there()?;
    for part in [1, 20_000, 1, 79_000] {
        connection.peer.make_room(part);
        connection.recorder().send_prepared(&vec![7; 50_000]);
        connection.settle();
    }

    connection.peer.make_room(usize::MAX);
    connection.settle();

    assert_eq!(connection.session().bytes_to_write(), 0);
    assert_eq!(connection.peer.written().len(), 4 * 50_004);
    Ok(())
}

/// RFC 6455 §7.1.4: the end of the peer is noticed behind a message, and alone.
#[test]
fn the_end_of_the_peer_is_noticed() -> io::Result<()> {
    for is_late in [false, true] {
        let mut connection = echoing_there()?;
        connection.peer.make_room(usize::MAX);

        connection.peer.send(&masked(Opcode::Text, b"one"));
        if is_late {
            connection.settle();
        }
        connection.peer.end();
        connection.settle();

        assert!(connection.has_ended());
        assert_eq!(connection.session().state(), SocketState::Unconnected);
        assert_eq!(texts(&connection.record()), ["one"]);
    }
    Ok(())
}
