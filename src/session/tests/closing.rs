//! The closing handshake: its timeouts, `abort`, and lingering.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::protocol::frames::opcode::{MessageKind, Opcode};
use crate::session::linger::Linger;
use crate::session::observer::Observer;
use crate::session::tests::{CLOSED, MIB, SECOND, echoing, life, masked};
use crate::testing::connection::{Report, ScriptedConnection};
use crate::testing::scripted_stream::{ScriptedPeer, scripted_stream};
use crate::types::close_code::CloseCode;
use crate::types::role::Role;
use crate::types::socket_state::SocketState;

/// RFC 6455 §7.1.5; MSG-19: time in which the loop was held up does not count.
#[test]
fn a_close_frame_that_came_while_the_loop_was_held_up_counts() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.peer.make_room(MIB);
    connection.session().close(CloseCode::NORMAL, "");
    connection.settle();

    connection.peer.send(&masked(Opcode::Close, &1000_u16.to_be_bytes()));
    connection.advance(11 * SECOND);
    connection.settle();
    connection.advance(3 * SECOND);
    connection.settle();

    assert!(connection.has_ended());
    assert_eq!(connection.session().close_code(), Some(CloseCode::NORMAL));
    Ok(())
}

/// Our close frame may wait for the end of our direction, and not for slots, whatever room there is.
#[test]
fn the_last_output_does_not_wait_for_slots() -> io::Result<()> {
    let input = [masked(Opcode::Text, b"last"), masked(Opcode::Close, &1000_u16.to_be_bytes())];
    let output = b"\x81\x04last\x88\x02\x03\xE8";
    for room in 0..=output.len() {
        let kernel = Arc::new(OnceLock::<ScriptedPeer>::new());
        let seen = Arc::clone(&kernel);
        let mut connection = ScriptedConnection::new(
            Role::Server,
            &[],
            Box::new(move |recorder, report| {
                assert!(!seen.get().is_some_and(ScriptedPeer::is_held), "it waits for {report:?}");
                if let Report::Text(text) = report {
                    recorder.send(MessageKind::Text, text.as_bytes());
                }
            }),
        )?;
        kernel.get_or_init(|| connection.peer.clone());
        connection.start_reading();
        connection.peer.make_room(room);

        connection.peer.send(&input.concat());
        connection.settle();
        connection.peer.make_room(MIB);
        connection.settle();

        assert_eq!(connection.peer.written(), output, "room for {room} bytes");
        assert!(connection.peer.is_shut_down() && !connection.peer.is_held());
        // A rest leaves without delay.
        assert_eq!(connection.peer.has_held(), room == 0 || room == output.len(), "{room}");
        assert_eq!(connection.recorder().traffic_counts().slot_panics, 0);
    }
    Ok(())
}

/// Qt: `abort()` sends nothing; a slot that panics behind it does not make it a closing.
#[test]
fn an_abort_has_no_orderly_end() -> io::Result<()> {
    let mut connection = ScriptedConnection::new(
        Role::Server,
        &[],
        Box::new(|recorder, report| {
            if matches!(report, Report::Text(_)) {
                recorder.session().abort();
                assert_eq!(recorder.session().state(), SocketState::Connected, "a panic");
            }
        }),
    )?;
    connection.start_reading();
    connection.peer.make_room(MIB);

    connection.peer.send(&masked(Opcode::Text, b"x"));
    connection.settle();

    assert!(connection.has_ended() && !connection.peer.is_shut_down());
    assert_eq!(connection.recorder().traffic_counts().slot_panics, 1);
    assert_eq!(connection.peer.written(), b"");
    Ok(())
}

/// The closing timeout is 10 s from when the kernel has taken our close frame.
///
/// Output in front of it is not cut off for a slow reader.
#[test]
fn a_slow_reader_has_10_s_from_when_the_close_frame_was_written() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.recorder().send(MessageKind::Binary, &[0; 1000]);
    connection.session().close(CloseCode::NORMAL, "");
    connection.settle();
    for _ in 0..10 {
        connection.advance(29 * SECOND);
        connection.settle();
        connection.peer.make_room(100);
        connection.settle();
    }
    assert!(!connection.has_ended());

    connection.peer.make_room(MIB);
    connection.settle();
    connection.advance(Duration::from_millis(9_999));
    connection.settle();
    assert!(!connection.has_ended());
    connection.advance(Duration::from_millis(1));
    connection.settle();

    assert!(connection.has_ended());
    assert_eq!(life(&connection.record()), CLOSED);
    let code = connection.session().close_code();
    assert_eq!(code, Some(CloseCode::ABNORMAL_DISCONNECTION));
    Ok(())
}

/// `set_closing_timeout` holds for a closing handshake under way: shorter, none, and set again.
#[test]
fn the_closing_timeout_can_change_during_the_closing_handshake() -> io::Result<()> {
    let closing = || -> io::Result<_> {
        let mut connection = echoing()?;
        connection.peer.make_room(MIB);
        connection.session().close(CloseCode::NORMAL, "");
        connection.settle();
        connection.advance(5 * SECOND);
        connection.settle();
        Ok(connection)
    };

    let mut shorter = closing()?;
    shorter.session().change_timeouts(|timeouts| timeouts.closing = Some(6 * SECOND));
    shorter.settle();
    assert!(!shorter.has_ended());
    shorter.advance(SECOND);
    shorter.settle();
    assert!(shorter.has_ended());
    drop(shorter);

    let mut none = closing()?;
    none.session().change_timeouts(|timeouts| timeouts.closing = None);
    none.settle();
    none.advance(100 * SECOND);
    none.settle();
    assert!(!none.has_ended());
    none.session().change_timeouts(|timeouts| timeouts.closing = Some(2 * SECOND));
    none.settle();
    none.advance(2 * SECOND);
    none.settle();
    assert!(none.has_ended());
    Ok(())
}

/// MSG-11: a peer that keeps TCP open after its close frame is cut off after 2 s.
#[test]
fn the_connection_ends_2_s_after_the_closing_handshake() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.peer.make_room(MIB);
    connection.peer.send(&masked(Opcode::Close, &1000_u16.to_be_bytes()));
    connection.settle();
    assert!(connection.peer.is_shut_down());

    connection.peer.send(&[0xFF; 5000]);
    connection.advance(Duration::from_millis(1_999));
    connection.settle();
    assert!(!connection.has_ended());
    connection.advance(Duration::from_millis(1));
    connection.settle();

    assert!(connection.has_ended());
    assert_eq!(life(&connection.record()), CLOSED);
    assert_eq!(connection.session().close_code(), Some(CloseCode::NORMAL));
    Ok(())
}

/// RFC 6455 §7.1.1: signs of life extend the closing timeout, up to 60 s.
#[test]
fn a_peer_that_sends_while_the_connection_closes_has_60_s_for_its_close_frame() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.peer.make_room(MIB);
    connection.session().close(CloseCode::NORMAL, "");
    connection.settle();

    for _ in 0..6 {
        connection.advance(9 * SECOND);
        connection.peer.send(&masked(Opcode::Text, b"late"));
        connection.settle();
        assert!(!connection.has_ended());
    }
    connection.advance(6 * SECOND);
    connection.settle();

    assert!(connection.has_ended());
    assert_eq!(connection.session().close_code(), Some(CloseCode::ABNORMAL_DISCONNECTION));
    Ok(())
}

/// A close frame behind output that the peer does not read has a limit, too: four write timeouts.
#[test]
fn a_closing_connection_whose_peer_only_sends_ends_in_time() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.recorder().send(MessageKind::Binary, &[0; 1000]);
    connection.session().close(CloseCode::NORMAL, "");
    connection.settle();

    for _ in 0..6 {
        assert!(!connection.has_ended());
        connection.advance(20 * SECOND);
        connection.peer.send(&masked(Opcode::Ping, b""));
        connection.settle();
    }

    assert!(connection.has_ended());
    let expected = [
        "Closing",
        "State(Closing)",
        "the peer read no output for 30 s",
        "State(Unconnected)",
        "Ended",
    ];
    assert_eq!(life(&connection.record()), expected);
    Ok(())
}

/// Without a closing timeout it has none.
#[test]
fn without_a_closing_timeout_a_peer_that_only_sends_is_waited_for() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.session().change_timeouts(|timeouts| timeouts.closing = None);
    connection.recorder().send(MessageKind::Binary, &[0; 1000]);
    connection.session().close(CloseCode::NORMAL, "");
    connection.settle();

    for _ in 0..60 {
        connection.advance(20 * SECOND);
        connection.peer.send(&masked(Opcode::Ping, b""));
        connection.settle();
    }

    assert!(!connection.has_ended());
    Ok(())
}

/// Endless input does not keep a closing connection open until the deadline.
#[test]
fn a_closing_connection_reads_a_bounded_amount() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.peer.make_room(usize::MAX);
    connection.session().close(CloseCode::NORMAL, "");
    connection.settle();
    let message = masked(Opcode::Binary, &vec![0; MIB]);

    for _ in 0..65 {
        connection.peer.send(&message);
        connection.settle();
    }

    assert!(connection.has_ended());
    Ok(())
}

/// Qt: `close()` writes at once, so that an `abort()` behind it cuts nothing off.
#[test]
fn a_closing_handshake_is_written_before_an_abort() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.peer.make_room(MIB);
    connection.recorder().send(MessageKind::Text, b"last");
    connection.session().close(CloseCode::NORMAL, "");

    connection.session().abort();
    connection.settle();

    assert_eq!(connection.peer.written(), b"\x81\x04last\x88\x02\x03\xE8");
    assert!(connection.has_ended());
    Ok(())
}

/// RFC 6455 §7.1.1: the closing timeout does not destroy output in flight.
#[test]
fn the_descriptor_lingers_after_a_deadline() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.peer.make_room(MIB);
    connection.session().close(CloseCode::NORMAL, "");
    connection.settle();

    connection.advance(10 * SECOND);
    connection.settle();
    assert!(connection.has_ended() && connection.is_lingering());
    assert!(connection.peer.is_shut_down() && !connection.peer.is_closed());
    connection.peer.send(&[0xFF; 5000]);
    connection.settle();
    assert!(!connection.peer.has_unread(), "input is dropped");

    connection.peer.end();
    connection.settle();
    assert!(connection.peer.is_closed());
    Ok(())
}

#[test]
fn a_descriptor_lingers_for_two_minutes_at_the_most() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.recorder().send(MessageKind::Binary, &[0; 1000]);
    connection.settle();
    connection.advance(30 * SECOND);
    connection.settle();
    assert!(connection.is_lingering());

    for _ in 0..119 {
        connection.advance(SECOND);
        connection.peer.send(b"x");
        connection.settle();
    }
    assert!(!connection.peer.is_closed());
    connection.advance(SECOND);
    connection.settle();

    assert!(connection.peer.is_closed());
    Ok(())
}

/// Descriptors that linger have a bound for each thread: one more is closed at once, and what its
/// peer has sent is read, so that TCP does not destroy what the peer has not read.
#[test]
fn descriptors_over_the_bound_do_not_linger() -> io::Result<()> {
    let lingering = || -> io::Result<_> {
        let (stream, peer) = scripted_stream()?;
        peer.send(b"unread");
        Ok((Linger::new(stream), peer))
    };
    let mut kept = (0..256).map(|_| lingering()).collect::<io::Result<Vec<_>>>()?;
    assert!(kept.iter().all(|(linger, peer)| linger.is_some() && !peer.is_closed()));

    let (refused, peer) = lingering()?;
    assert!(refused.is_none());
    assert!(peer.is_shut_down() && peer.is_closed() && !peer.has_unread());

    kept.pop();
    assert!(lingering()?.0.is_some());
    Ok(())
}
