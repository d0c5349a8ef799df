//! Compressed messages of one session (RFC 7692 §7).

use std::io;
use std::thread;

use crate::protocol::deflate::history_budget::HistoryBudget;
use crate::protocol::deflate::terms::{Agreed, Terms};
use crate::protocol::frames::limits::Limits;
use crate::protocol::frames::opcode::MessageKind;
use crate::protocol::handshake::extensions::AgreedExtensions;
use crate::protocol::prepared_message::PreparedMessage;
use crate::session::buffers::tests::compressed_messages;
use crate::session::tests::life;
use crate::testing::Random;
use crate::testing::connection::{Recorder, Report, ScriptedConnection};
use crate::testing::decoding::{FINAL, Feed, Received, TEXT, client_frame};
use crate::types::compression::{Compression, HistorySize};
use crate::types::output::{OutputPolicy, SendStatus};
use crate::types::role::Role;

const RSV1: u8 = 0x40;

fn agreed(window: u8, history: HistorySize) -> AgreedExtensions {
    let terms = Terms::new(window, history, history, &Compression::new());
    AgreedExtensions { compression: Some(Box::new(Agreed { terms, reservation: None })) }
}

/// Returns a connection of a server that has agreed on compression.
fn compressed(window: u8, history: HistorySize) -> io::Result<ScriptedConnection> {
    let echo = |recorder: &Recorder, report: &Report| {
        if let Report::Text(text) = report {
            recorder.send(MessageKind::Text, text.as_bytes());
        }
    };
    let extensions = agreed(window, history);
    let mut connection =
        ScriptedConnection::with_extensions(Role::Server, &[], Box::new(echo), extensions)?;
    connection.start_reading();
    connection.settle();
    Ok(connection)
}

/// Lets the kernel take all output, and returns it.
fn written(connection: &mut ScriptedConnection) -> Vec<u8> {
    connection.peer.make_room(usize::MAX);
    connection.settle();
    connection.peer.written()
}

/// Returns the messages in the output, and how many bytes there are.
fn received(connection: &mut ScriptedConnection, history: HistorySize) -> (Vec<Received>, usize) {
    let written = written(connection);
    let mut feed = Feed::new(Role::Client, Limits::DEFAULT);
    feed.decoder.inflate_messages(history);
    assert_eq!(feed.read(&written), Ok(()));
    (feed.received, written.len())
}

/// Returns a text that is like the others, but not like itself.
fn text(number: usize) -> String {
    let mut random = Random(7);
    let digits: String = (0..600)
        .filter_map(|_| {
            u32::try_from(random.below(16)).ok().and_then(|digit| char::from_digit(digit, 16))
        })
        .collect();
    format!("{{\"number\":{number},\"text\":\"{digits}\"}}")
}

fn send_prepared(connection: &mut ScriptedConnection, message: &PreparedMessage) -> SendStatus {
    let status = connection.session().send_prepared(message, || false);
    connection.settle();
    status
}

/// A message for many connections is compressed once, in whatever thread they are, and all of those
/// with compression share its bytes.
#[test]
fn a_prepared_message_is_compressed_once() -> io::Result<()> {
    let message = PreparedMessage::text(text(1));
    let before = compressed_messages();

    let mut outputs = Vec::new();
    for _ in 0..1000 {
        let mut connection = compressed(12, HistorySize::NONE)?;
        assert_eq!(send_prepared(&mut connection, &message), SendStatus::Queued);
        outputs.push(written(&mut connection));
    }
    assert_eq!(compressed_messages(), before + 1);
    let copy = message.clone();
    let other = thread::spawn(move || -> io::Result<_> {
        let mut connection = compressed(15, HistorySize::of_window(12))?;
        send_prepared(&mut connection, &copy);
        Ok((compressed_messages(), written(&mut connection)))
    });
    let (there, output) = other.join().map_err(|_| io::Error::other("panicked"))??;

    assert_eq!(there, 0);
    assert!(outputs.iter().all(|other| *other == output));
    assert!(output.len() < text(1).len() * 2 / 3);
    Ok(())
}

/// A prepared message is a part of the history of those that have one.
#[test]
fn later_messages_refer_to_prepared_ones() -> io::Result<()> {
    let history = HistorySize::of_window(12);
    let mut connection = compressed(12, history)?;
    send_prepared(&mut connection, &PreparedMessage::text(text(1)));
    let first = received(&mut connection, history).1;

    connection.recorder().send(MessageKind::Text, text(2).as_bytes());
    connection.settle();
    let (messages, length) = received(&mut connection, history);

    assert_eq!(messages, [Received::Text(text(1)), Received::Text(text(2))]);
    assert!(length - first < 60, "{} bytes", length - first);
    Ok(())
}

/// A window that is smaller than that of prepared messages: they are compressed for it alone.
#[test]
fn small_windows_have_prepared_messages_of_their_own() -> io::Result<()> {
    let message = PreparedMessage::text(text(1));
    for (window, count) in [(9, 1), (11, 1), (12, 1), (12, 0), (8, 1)] {
        let before = compressed_messages();
        let mut connection = compressed(window, HistorySize::NONE)?;

        send_prepared(&mut connection, &message);

        assert_eq!(compressed_messages() - before, count, "window {window}");
        let messages = received(&mut connection, HistorySize::NONE).0;
        assert_eq!(messages, [Received::Text(text(1))]);
    }
    Ok(())
}

/// RFC 7692 §7.1.2.1: nothing that this end sends fits a window of 8 bits.
#[test]
fn with_a_window_of_eight_bits_messages_are_plain() -> io::Result<()> {
    let mut connection = compressed(8, HistorySize::NONE)?;

    connection.recorder().send(MessageKind::Text, text(1).as_bytes());
    connection.settle();

    let (messages, length) = received(&mut connection, HistorySize::NONE);
    assert_eq!(messages, [Received::Text(text(1))]);
    assert!(length > text(1).len());
    Ok(())
}

/// A message that may be dropped refers to no other, and no later one to it.
#[test]
fn a_message_that_is_put_off_ends_the_history() -> io::Result<()> {
    let history = HistorySize::of_window(15);
    for (policy, sends_later) in [
        (OutputPolicy::DropOldest, false),
        (OutputPolicy::KeepLatest, false),
        (OutputPolicy::DropNewest, true),
        (OutputPolicy::Close, true),
    ] {
        let mut connection = compressed(15, history)?;
        connection.session().change_settings(|settings| settings.output.policy = policy);
        for number in 0..3 {
            connection.recorder().send(MessageKind::Text, text(number).as_bytes());
            connection.settle();
        }
        let first = received(&mut connection, history).1;
        connection.recorder().send(MessageKind::Text, text(4).as_bytes());
        connection.settle();
        let (messages, length) = received(&mut connection, history);

        assert_eq!(messages.len(), 4);
        assert_eq!(length - first < 60, sends_later, "{policy:?}: {}", length - first);
    }
    Ok(())
}

/// A message that another one may replace refers to no other, and no later one to it.
#[test]
fn conflated_messages_end_the_history() -> io::Result<()> {
    let history = HistorySize::of_window(12);
    for window in [11, 12] {
        let mut connection = compressed(window, history)?;
        connection.recorder().send(MessageKind::Text, text(1).as_bytes());
        connection.settle();
        for (key, number) in [(7, 2), (8, 3), (7, 4)] {
            let message = PreparedMessage::text(text(number));
            let status = connection.session().send_conflated(key, &message, || false);
            assert_eq!(status, SendStatus::Queued);
        }
        connection.recorder().send(MessageKind::Text, text(5).as_bytes());
        connection.settle();

        let messages = received(&mut connection, history).0;
        let expected = [1, 4, 3, 5].map(|number| Received::Text(text(number)));
        assert_eq!(messages, expected, "window {window}");
    }
    Ok(())
}

/// Qt: `textFrameReceived`; compressed fragments are one frame, behind which the session echoes.
#[test]
fn echoes_compressed_messages() -> io::Result<()> {
    let history = HistorySize::of_window(9);
    let mut connection = compressed(9, history)?;
    connection.report_frames();
    connection.peer.send(&client_frame(FINAL | RSV1 | TEXT, b"\xF2\x48\xCD\xC9\xC9\x07\x00"));
    connection.settle();
    connection.peer.send(&client_frame(RSV1 | TEXT, b"\xF2\x00"));
    connection.peer.send(&client_frame(FINAL, b"\x11\x00\x00"));
    connection.settle();

    assert_eq!(life(&connection.record()), ["Hello", "Hello"]);
    let expected = [Received::Text("Hello".into()), Received::Text("Hello".into())];
    assert_eq!(received(&mut connection, history).0, expected);
    Ok(())
}

/// RFC 7692 §8: broken data ends the connection with 1007.
#[test]
fn broken_data_closes_the_connection() -> io::Result<()> {
    let mut connection = compressed(15, HistorySize::NONE)?;
    connection.peer.send(&client_frame(FINAL | RSV1 | TEXT, b"\xF2\x48"));
    connection.settle();

    let closed = received(&mut connection, HistorySize::NONE).0;
    assert!(matches!(&closed[..], [Received::Close(Some(1007), _)]), "{closed:?}");
    Ok(())
}

/// The end of a connection, or its drop, gives the memory of the histories back.
#[test]
fn the_end_of_a_connection_frees_its_histories() -> io::Result<()> {
    let budget = HistoryBudget::default();
    let terms = Terms::new(12, HistorySize::of_window(12), HistorySize::NONE, &Compression::new());
    let reservation = budget.reserve(4096, 4096);
    let extensions =
        AgreedExtensions { compression: Some(Box::new(Agreed { terms, reservation })) };
    let connection =
        ScriptedConnection::with_extensions(Role::Server, &[], Box::new(|_, _| {}), extensions)?;
    assert!(connection.session().compression().is_some());
    assert!(budget.reserve(1, 4096).is_none());

    connection.session().abort();

    assert!(budget.reserve(4096, 4096).is_some());
    assert!(connection.session().compression().is_none());
    Ok(())
}
