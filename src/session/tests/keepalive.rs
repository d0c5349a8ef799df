//! Keepalive pings and pongs, in front of the output that waits.

use std::io;

use crate::protocol::frames::opcode::{MessageKind, Opcode};
use crate::session::tests::{MIB, SECOND, echoing, life, masked};

/// Returns the frames in the output: opcode and length of the payload.
fn frames(mut bytes: &[u8]) -> Vec<(u8, usize)> {
    let mut frames = Vec::new();
    while let [first, second, rest @ ..] = bytes {
        let (length, header) = match second {
            126 => (usize::from(rest[0]) << 8 | usize::from(rest[1]), 4),
            127 => (rest[..8].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), 10),
            length => (usize::from(*length), 2),
        };
        frames.push((first & 0xF, length));
        bytes = &bytes[header + length..];
    }
    frames
}

/// RFC 6455 §5.4, §5.5.2: a keepalive ping overtakes frames that are not begun.
#[test]
fn a_keepalive_ping_overtakes_output_between_frames() -> io::Result<()> {
    let frame = 1000 + 4;
    for place in [0, 1, 3, 4, 5, frame - 1, frame, frame + 1, 2 * frame + 500, 3 * frame - 1] {
        let mut connection = echoing()?;
        for _ in 0..3 {
            connection.recorder().send(MessageKind::Binary, &[0; 1000]);
        }
        connection.recorder().send_prepared(&vec![0; 20_000]);
        connection.peer.make_room(place);
        connection.settle();

        for _ in 0..5 {
            connection.session().check_alive(5 * SECOND);
        }
        connection.settle();
        while connection.session().bytes_to_write() > 0 {
            connection.peer.make_room(7);
            connection.settle();
        }

        let begun = place.div_ceil(frame);
        let mut expected = vec![(2, 1000), (2, 1000), (2, 1000), (2, 20_000)];
        expected.insert(begun, (9, 10));
        assert_eq!(frames(&connection.peer.written()), expected, "at {place}");
    }
    Ok(())
}

/// Progress is a sign of life; before the ping has left, the write timeout decides.
#[test]
fn keepalive_does_not_end_a_connection_whose_ping_has_not_left() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.recorder().send(MessageKind::Binary, &[0; 1000]);
    connection.settle();

    for _ in 0..100 {
        connection.session().check_alive(5 * SECOND);
        connection.settle();
    }
    assert!(!connection.has_ended());
    connection.peer.make_room(MIB);
    connection.settle();
    for _ in 0..8 {
        connection.session().check_alive(5 * SECOND);
        connection.settle();
    }
    assert!(!connection.has_ended(), "progress of output is a sign of life");
    connection.session().check_alive(5 * SECOND);
    connection.settle();

    assert!(connection.has_ended());
    assert_eq!(life(&connection.record())[0], "the peer was idle and did not answer a ping");
    Ok(())
}

/// RFC 6455 §5.5.3: the pong for a slow peer overtakes the output that waits.
#[test]
fn a_pong_overtakes_output_that_waits() -> io::Result<()> {
    let mut connection = echoing()?;
    for _ in 0..3 {
        connection.recorder().send(MessageKind::Binary, &[0; 1000]);
    }
    connection.peer.make_room(10);
    connection.settle();

    connection.peer.send(&masked(Opcode::Ping, b"now"));
    connection.settle();
    connection.peer.make_room(MIB);
    connection.settle();

    let expected = [(2, 1000), (10, 3), (2, 1000), (2, 1000)];
    assert_eq!(frames(&connection.peer.written()), expected);
    Ok(())
}

/// A ping that leaves in a turn with nothing else to do has left: its answer has a deadline.
#[test]
fn a_ping_that_leaves_at_a_turns_end_is_awaited() -> io::Result<()> {
    let mut connection = echoing()?;
    connection.ignore_written();
    for _ in 0..5 {
        connection.session().check_alive(5 * SECOND);
    }
    connection.peer.make_room(MIB);
    connection.settle();
    assert_eq!(frames(&connection.peer.written()), [(9, 10)]);

    for _ in 0..20 {
        connection.session().check_alive(5 * SECOND);
        connection.settle();
    }

    assert!(connection.has_ended());
    Ok(())
}
