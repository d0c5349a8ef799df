//! What the flush list sends as the shared frame of its thread: it keeps its place in the output.

use std::io;

use crate::protocol::frames::opcode::{MessageKind, Opcode};
use crate::session::Observer;
use crate::session::tests::{MIB, echoing, elsewhere, masked, sent};
use crate::testing::connection::{Recorder, ScriptedConnection};
use crate::types::close_code::CloseCode;
use crate::types::error::Error;
use crate::types::output::SendStatus;

/// Returns a connection with this room for its output, which sends a message as the shared frame.
fn connection_with_listed(room: usize, message: &[u8]) -> io::Result<ScriptedConnection> {
    let mut connection = echoing()?;
    connection.ignore_written();
    connection.peer.make_room(room);
    connection.settle();
    connection.recorder().send_prepared(message);
    Ok(connection)
}

/// Calls a function in this thread, or in another one.
fn call<T: Send>(is_elsewhere: bool, function: impl FnOnce() -> T + Send) -> T {
    if is_elsewhere { elsewhere(function) } else { function() }
}

/// Checks that the peer got all that was sent, and the close frame.
fn check_closed(connection: &ScriptedConnection) {
    let expected = [&sent(connection)[..], b"\x88\x02\x03\xE8"].concat();
    assert_eq!(connection.peer.written(), expected);
    assert!(connection.has_ended() && connection.session().outcome().is_ok());
}

/// What a connection does with its output, here and in other threads.
const ACTIONS: [fn(&Recorder); 10] = [
    |_recorder| {},
    |recorder| _ = recorder.send(MessageKind::Text, b"sent behind"),
    |recorder| _ = recorder.send_prepared(b"another frame"),
    |recorder| _ = recorder.send_prepared(&vec![5; 70_000]),
    |recorder| _ = recorder.send(MessageKind::Binary, &vec![6; 70_000]),
    |recorder| _ = recorder.session().flush(),
    |recorder| {
        recorder.send(MessageKind::Text, b"sent and flushed");
        recorder.session().flush();
    },
    |recorder| assert!(recorder.session().bytes_to_write() < MIB),
    |recorder| assert!(recorder.session().outcome().is_ok()),
    |recorder| recorder.session().change_settings(|settings| settings.output.limit = MIB),
];

/// Each two actions behind a message, with and without room, in this thread and in another one.
#[test]
fn everything_comes_behind_the_shared_frame() -> io::Result<()> {
    for room in [0, 1, 7, 20, 16 * MIB] {
        for first in ACTIONS {
            for second in ACTIONS {
                let mut connection = connection_with_listed(room, b"the frame")?;
                first(connection.recorder());
                let recorder = connection.recorder();
                elsewhere(|| second(recorder));
                first(connection.recorder());
                connection.recorder().send_prepared(b"the last frame");
                connection.settle();
                connection.recorder().send_prepared(b"in the next turn");
                let recorder = connection.recorder();
                elsewhere(|| first(recorder));
                connection.settle();
                connection.peer.make_room(16 * MIB);
                connection.settle();

                assert!(connection.peer.written() == sent(&connection), "room of {room}");
                assert_eq!(connection.session().bytes_to_write(), 0);
            }
        }
    }
    Ok(())
}

/// What another thread sends comes behind what the kernel has not taken of the frame.
#[test]
fn another_thread_waits_for_the_rest_of_the_shared_frame() -> io::Result<()> {
    for room in 0..30 {
        for action in ACTIONS {
            let mut connection = connection_with_listed(room, b"the frame")?;
            let recorder = connection.recorder();
            elsewhere(|| action(recorder));
            connection.settle();
            connection.peer.make_room(16 * MIB);
            connection.settle();

            assert!(connection.peer.written() == sent(&connection), "room of {room}");
        }
    }
    Ok(())
}

/// The loop that has listed the frame may be busy: what other threads send does not wait for it.
#[test]
fn another_thread_hands_the_kernel_the_shared_frame_and_more() -> io::Result<()> {
    let mut connection = connection_with_listed(MIB, b"a turn that ends")?;
    connection.session().change_settings(|settings| settings.output.limit = 64 * 1024);
    connection.settle();
    connection.recorder().send_prepared(b"the frame");
    let recorder = connection.recorder();

    elsewhere(|| {
        for _ in 0..20 {
            let status = recorder.send(MessageKind::Binary, &[6; 15 * 1024]);
            assert_eq!(status, SendStatus::Queued);
        }
        recorder.session().flush();
    });

    assert_eq!(connection.peer.written(), sent(&connection));
    connection.settle();
    assert!(!connection.has_ended());
    Ok(())
}

/// What was sent before `close`, and the close frame, are handed to the kernel before an `abort`.
#[test]
fn an_abort_behind_a_close_leaves_the_kernel_the_shared_frame() -> io::Result<()> {
    for is_elsewhere in [false, true] {
        let mut connection = connection_with_listed(MIB, b"the frame")?;
        let session = connection.session();
        call(is_elsewhere, || {
            session.close(CloseCode::NORMAL, "");
            session.abort();
        });
        connection.settle();

        check_closed(&connection);
    }
    Ok(())
}

/// RFC 6455 §7.1.2: a close frame follows the messages that were sent before it.
#[test]
fn a_close_comes_behind_the_shared_frame() -> io::Result<()> {
    for room in [0, 3, MIB] {
        for is_elsewhere in [false, true] {
            let mut connection = connection_with_listed(room, b"the frame")?;
            let session = connection.session();
            call(is_elsewhere, || session.close(CloseCode::NORMAL, ""));
            connection.settle();
            connection.peer.make_room(MIB);
            connection.settle();
            connection.peer.send(&masked(Opcode::Close, &1000_u16.to_be_bytes()));
            connection.peer.end();
            connection.settle();

            check_closed(&connection);
        }
    }
    Ok(())
}

/// A message that an abort drops is a loss that the outcome tells, in any thread.
#[test]
fn an_abort_drops_the_shared_frame_and_tells_it() -> io::Result<()> {
    for is_elsewhere in [false, true] {
        let mut connection = connection_with_listed(MIB, b"lost")?;
        let session = connection.session();
        call(is_elsewhere, || session.abort());
        connection.settle();

        assert!(connection.has_ended() && connection.peer.written().is_empty());
        assert!(matches!(connection.session().outcome(), Err(Error::NotConnected)));
    }
    Ok(())
}

/// A message counts as output from the call on, in each thread.
#[test]
fn the_shared_frame_counts_as_output_that_waits() -> io::Result<()> {
    let mut connection = connection_with_listed(MIB, b"four")?;

    let session = connection.session();
    assert_eq!(elsewhere(|| session.bytes_to_write()), 6);
    assert_eq!(connection.session().bytes_to_write(), 6);
    assert_eq!(connection.session().stats().bytes_to_write, 6);
    connection.settle();

    assert_eq!(connection.session().bytes_to_write(), 0);
    assert_eq!(connection.peer.written(), sent(&connection));
    Ok(())
}

/// A write that fails is a failure of this connection, which its driver meets.
#[test]
fn a_failure_to_write_the_shared_frame_ends_the_connection() -> io::Result<()> {
    let mut connection = connection_with_listed(MIB, b"lost")?;
    let before = connection.peer.written().len();
    connection.peer.fail_writing(before, io::ErrorKind::BrokenPipe);
    connection.settle();
    connection.peer.end();
    connection.settle();

    assert!(connection.has_ended());
    assert!(connection.session().outcome().is_err());
    Ok(())
}
