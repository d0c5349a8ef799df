//! The maximum rates of what is read.

use std::io;
use std::time::Duration;

use crate::protocol::frames::opcode::Opcode;
use crate::session::Session;
use crate::session::tests::{SECOND, echoing, life, masked};
use crate::testing::connection::{Report, ScriptedConnection};
use crate::types::close_code::CloseCode;
use crate::types::socket_state::SocketState;

fn set_messages(session: &Session, limit: Option<u32>) {
    session.change_settings(|settings| settings.rates.messages = limit);
}

fn texts(connection: &ScriptedConnection) -> usize {
    let is_text = |report: &&Report| matches!(report, Report::Text(_));
    connection.record().reports.iter().filter(is_text).count()
}

/// A second's worth at once, and then one after the other: the peer is not disconnected.
#[test]
fn messages_over_the_rate_are_read_later() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.peer.make_room(usize::MAX);
    set_messages(connection.session(), Some(4));
    connection.peer.send(&masked(Opcode::Text, b"x").repeat(40));
    connection.settle();
    assert_eq!(texts(&connection), 4);
    assert!(connection.session().stats().is_reading_held);

    for delivered in 5..=8 {
        connection.advance(Duration::from_millis(251));
        connection.settle();
        assert_eq!(texts(&connection), delivered);
    }
    connection.advance(60 * SECOND);
    connection.settle();
    assert_eq!(texts(&connection), 12, "a second's worth is saved, and not more");

    let limits: Vec<_> = life(&connection.record());
    let limits = limits.iter().filter(|line| *line == "messages_per_second").count();
    assert_eq!(limits, 1, "it is reported once");
    assert_eq!(connection.session().state(), SocketState::Connected);
    Ok(())
}

/// A flood of pings costs the server as much as one of messages (RFC 6455 §5.5.2).
#[test]
fn pings_count_as_messages() -> io::Result<()> {
    let mut connection = echoing()?;
    set_messages(connection.session(), Some(2));
    connection
        .peer
        .send(&[masked(Opcode::Ping, b"").repeat(2), masked(Opcode::Text, b"x")].concat());
    connection.settle();
    assert_eq!(texts(&connection), 0);

    connection.advance(SECOND);
    connection.settle();

    assert_eq!(texts(&connection), 1);
    Ok(())
}

/// A message that is longer than a second's bytes arrives whole; what follows waits.
#[test]
fn bytes_over_the_rate_are_paid_for() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.session().change_settings(|settings| settings.rates.bytes = Some(100));
    connection.peer.send(&masked(Opcode::Text, &[b'x'; 992]));
    connection.settle();
    assert_eq!(texts(&connection), 1);
    assert!(connection.session().stats().is_reading_held);

    connection.advance(9 * SECOND);
    assert!(connection.session().stats().is_reading_held);
    connection.advance(SECOND / 2);
    connection.settle();

    assert!(!connection.session().stats().is_reading_held);
    let lines = life(&connection.record());
    assert!(lines.contains(&"bytes_per_second".to_owned()), "{lines:?}");
    Ok(())
}

/// Without a limit, or with another one, from the next message on.
#[test]
fn a_rate_can_be_changed_and_removed() -> io::Result<()> {
    let mut connection = echoing()?;
    set_messages(connection.session(), Some(1));
    connection.peer.send(&masked(Opcode::Text, b"x").repeat(2));
    connection.settle();
    assert_eq!(texts(&connection), 1);

    set_messages(connection.session(), None);
    connection.advance(SECOND);
    connection.settle();
    connection.peer.send(&masked(Opcode::Text, b"x").repeat(100));
    connection.settle();

    assert_eq!(texts(&connection), 102);
    Ok(())
}

/// The time for which reading is held back may be longer than the connection lives.
#[test]
fn a_connection_that_is_held_back_can_end() -> io::Result<()> {
    let mut connection = echoing()?;
    set_messages(connection.session(), Some(1));
    connection.peer.send(&masked(Opcode::Text, b"x").repeat(5));
    connection.settle();

    connection.session().abort();
    connection.settle();
    assert!(connection.has_ended());
    connection.advance(60 * SECOND);

    assert_eq!(texts(&connection), 1);
    assert_eq!(connection.session().close_code(), Some(CloseCode::ABNORMAL_DISCONNECTION));
    Ok(())
}
