//! What is sent in a connection's own turn: it keeps its place among what other threads send.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

use crate::net::stream::Stream;
use crate::protocol::frames::opcode::{MessageKind, Opcode};
use crate::runtime::turns;
use crate::session::Observer;
use crate::session::tests::{MIB, elsewhere, life, masked, sent};
use crate::testing::Count;
use crate::testing::connection::{Recorder, Report, ScriptedConnection};
use crate::types::close_code::CloseCode;
use crate::types::output::SendStatus;
use crate::types::role::Role;

/// Returns a connection with this room for its output, whose turns call `slot` for a message.
fn connection_with(room: usize, slot: fn(&Recorder)) -> io::Result<ScriptedConnection> {
    let mut connection = ScriptedConnection::new(
        Role::Server,
        &[],
        Box::new(move |recorder: &Recorder, report: &Report| {
            if matches!(report, Report::Text(_)) {
                slot(recorder);
            }
        }),
    )?;
    connection.ignore_written();
    connection.start_reading();
    connection.peer.make_room(room);
    connection.settle();
    Ok(connection)
}

/// Has the connection take a turn that calls its slot.
fn run_slot(connection: &mut ScriptedConnection) {
    connection.peer.send(&masked(Opcode::Text, b"go"));
    connection.settle();
}

fn text(recorder: &Recorder, text: &str) -> SendStatus {
    recorder.send(MessageKind::Text, text.as_bytes())
}

/// A slot and a thread that send in turns: each message follows those that were sent before it.
#[test]
fn threads_that_agree_on_an_order_keep_it() -> io::Result<()> {
    let mut connection = connection_with(16 * MIB, |recorder| {
        text(recorder, "the slot first");
        recorder.send_prepared(b"encoded already");
        elsewhere(|| text(recorder, "then a thread"));
        text(recorder, "the slot again");
        elsewhere(|| recorder.send_prepared(&vec![7; 20_000]));
        recorder.send(MessageKind::Binary, &vec![8; 20_000]);
        elsewhere(|| recorder.send(MessageKind::Binary, &vec![9; 20_000]));
        text(recorder, "the slot last");
    })?;

    run_slot(&mut connection);
    run_slot(&mut connection);

    assert_eq!(connection.record().sent.len(), 16);
    assert_eq!(connection.peer.written(), sent(&connection));
    Ok(())
}

/// A thread whose big message comes first in a turn does not overtake the slot.
#[test]
fn a_big_message_of_another_thread_waits_for_the_slot() -> io::Result<()> {
    let mut connection = connection_with(16 * MIB, |recorder| {
        text(recorder, "small");
        elsewhere(|| recorder.send(MessageKind::Binary, &vec![7; 300_000]));
    })?;

    run_slot(&mut connection);

    assert_eq!(connection.peer.written(), sent(&connection));
    Ok(())
}

/// More than the buffer of a thread holds, and messages too long for it.
#[test]
fn any_number_of_messages_keep_their_order() -> io::Result<()> {
    let mut connection = connection_with(16 * MIB, |recorder| {
        for size in [1, 125, 126, 1000, 16_383, 16_384, 16_385, 5, 70_000, 3].repeat(5) {
            let message = vec![b'm'; size];
            recorder.send(MessageKind::Text, &message);
            recorder.send_prepared(&message);
        }
    })?;

    run_slot(&mut connection);

    assert_eq!(connection.record().sent.len(), 100);
    assert_eq!(connection.peer.written(), sent(&connection));
    Ok(())
}

/// A message of up to 16 KiB waits for the end of the turn, and one that is longer is written at once.
#[test]
fn short_messages_are_collected() -> io::Result<()> {
    for (received, sent, waits) in [
        (2, 16_383, 16_387),
        (2, 16_384, 16_388),
        (2, 16_385, 0),
        (16_384, 16_384, 16_388),
        // Such a turn has no cork buffer.
        (16_400, 16_384, 0),
    ] {
        let mut connection = ScriptedConnection::new(
            Role::Server,
            &[],
            Box::new(move |recorder: &Recorder, report: &Report| {
                if matches!(report, Report::Text(_)) {
                    recorder.send(MessageKind::Binary, &vec![7; sent]);
                    assert_eq!(recorder.session().bytes_to_write(), waits, "{sent} bytes");
                }
            }),
        )?;
        connection.ignore_written();
        connection.start_reading();
        connection.peer.make_room(MIB);
        connection.settle();

        connection.peer.send(&masked(Opcode::Text, &vec![b'm'; received]));
        connection.settle();

        assert_eq!(connection.peer.written().len(), sent + 4);
        assert_eq!(life(&connection.record()).len(), 1, "the slot has panicked");
    }
    Ok(())
}

/// A slot that sends a file in pieces: what the kernel takes does not wait in memory.
#[test]
fn big_messages_of_a_turn_are_written_at_once_behind_short_ones() -> io::Result<()> {
    for size in [16_384, 16_385, 70_000] {
        let mut connection = ScriptedConnection::new(
            Role::Server,
            &[],
            Box::new(move |recorder: &Recorder, report: &Report| {
                if !matches!(report, Report::Text(_)) {
                    return;
                }
                for _ in 0..50 {
                    text(recorder, "a piece follows");
                    recorder.send(MessageKind::Binary, &vec![7; size]);
                    assert!(recorder.session().bytes_to_write() < 40_000, "{size} bytes");
                    text(recorder, "an encoded one follows");
                    recorder.send_prepared(&vec![8; size]);
                    assert!(recorder.session().bytes_to_write() < 40_000, "{size} bytes");
                }
            }),
        )?;
        connection.ignore_written();
        connection.start_reading();
        connection.peer.make_room(16 * MIB);
        connection.settle();

        run_slot(&mut connection);

        assert_eq!(connection.peer.written(), sent(&connection));
        assert_eq!(connection.record().sent.len(), 200);
    }
    Ok(())
}

/// `flush` in another thread writes nothing in front of what the slot has sent.
#[test]
fn another_thread_cannot_flush_past_the_slot() -> io::Result<()> {
    let mut connection = connection_with(16 * MIB, |recorder| {
        text(recorder, "the slot");
        elsewhere(|| {
            text(recorder, "a thread");
            assert!(!recorder.session().flush());
        });
    })?;

    run_slot(&mut connection);

    assert_eq!(connection.peer.written(), sent(&connection));
    Ok(())
}

/// What a slot has sent counts as output at once, on its own thread and for tasks on others.
#[test]
fn corked_output_counts_as_output_that_waits() -> io::Result<()> {
    static WAKES: LazyLock<Arc<Count>> = LazyLock::new(Arc::default);
    let poll_written = |recorder: &Recorder| {
        recorder.session().poll_written(false, &Context::from_waker(Waker::noop()))
    };
    let mut connection = connection_with(16 * MIB, |recorder| {
        text(recorder, "four");
        let waker = Waker::from(Arc::clone(&WAKES));
        let written =
            elsewhere(|| recorder.session().poll_written(false, &Context::from_waker(&waker)));
        assert!(written.is_pending());
        assert_eq!(recorder.session().bytes_to_write(), 6);
        text(recorder, "five5");
        assert_eq!(recorder.session().stats().bytes_to_write, 13);
    })?;

    run_slot(&mut connection);

    assert!(WAKES.get() > 0, "the task is not woken by the write");
    assert!(matches!(poll_written(connection.recorder()), Poll::Ready(Ok(()))));
    assert_eq!(connection.peer.written(), sent(&connection));
    Ok(())
}

/// RFC 6455 §5.5.1: nothing follows a close frame, and everything sent before is in front of it.
#[test]
fn a_close_in_another_thread_comes_behind_what_the_slot_has_sent() -> io::Result<()> {
    let mut connection = connection_with(16 * MIB, |recorder| {
        text(recorder, "before");
        elsewhere(|| recorder.session().close(CloseCode::NORMAL, ""));
        assert_eq!(text(recorder, "after"), SendStatus::NotConnected);
    })?;

    run_slot(&mut connection);

    let mut expected = sent(&connection);
    assert_eq!(expected, b"\x81\x06before");
    expected.extend([0x88, 2, 0x03, 0xE8]);
    assert_eq!(connection.peer.written(), expected);
    Ok(())
}

/// `QWebSocket::abort`: the connection ends, and takes no more messages.
#[test]
fn an_abort_in_another_thread_ends_the_connection() -> io::Result<()> {
    let mut connection = connection_with(16 * MIB, |recorder| {
        text(recorder, "before");
        elsewhere(|| recorder.session().abort());
        text(recorder, "after");
    })?;

    run_slot(&mut connection);

    assert!(connection.has_ended());
    assert_eq!(sent(&connection), b"\x81\x06before");
    Ok(())
}

/// A kernel that takes a part: the rest waits, and other output stays behind it.
#[test]
fn the_rest_of_a_short_write_comes_first() -> io::Result<()> {
    for room in 0..=24 {
        let mut connection = connection_with(room, |recorder| {
            text(recorder, "one of two");
            text(recorder, "two of two");
        })?;

        run_slot(&mut connection);
        assert_eq!(connection.session().bytes_to_write(), 24 - room);
        text(connection.recorder(), "later");
        connection.settle();
        run_slot(&mut connection);
        connection.peer.make_room(MIB);
        connection.settle();

        assert_eq!(connection.record().sent.len(), 5);
        assert_eq!(connection.peer.written(), sent(&connection));
    }
    Ok(())
}

/// A loop inside a slot sleeps until there is room again: that has to be an event.
#[test]
fn room_is_watched_for_what_a_suspended_turn_sends() -> io::Result<()> {
    static WATCHED: AtomicUsize = AtomicUsize::new(0);
    fn send_much(recorder: &Recorder) {
        recorder.send(MessageKind::Binary, &vec![7; MIB]);
    }
    fn look(recorder: &Recorder) {
        let state = recorder.session().lock();
        let watches = matches!(&state.stream, Some(Stream::Scripted(it)) if it.watches_room());
        WATCHED.fetch_add(usize::from(watches), Ordering::Relaxed);
    }
    let slots: [fn(&Recorder); 3] = [
        |recorder| {
            send_much(recorder);
            turns::suspend_all();
            look(recorder);
        },
        |recorder| {
            turns::suspend_all();
            send_much(recorder);
            look(recorder);
        },
        |recorder| {
            turns::suspend_all();
            elsewhere(|| send_much(recorder));
            look(recorder);
        },
    ];

    for (number, slot) in (1..).zip(slots) {
        let mut connection = connection_with(1000, slot)?;
        run_slot(&mut connection);
        assert_eq!(WATCHED.load(Ordering::Relaxed), number);

        connection.peer.make_room(usize::MAX);
        connection.settle();
        assert_eq!(connection.session().bytes_to_write(), 0);
    }
    Ok(())
}
