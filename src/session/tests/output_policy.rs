//! Back-pressure: the output policy, the output limit and the high-water mark.

use std::io;
use std::task::{Context, Poll, Waker};

use crate::protocol::frames::limits::Limits;
use crate::protocol::frames::opcode::MessageKind;
use crate::session::output::level::OutputLevel;
use crate::session::settings::OUTPUT_LIMIT;
use crate::session::tests::{MIB, echoing};
use crate::testing::Random;
use crate::testing::connection::{Report, ScriptedConnection};
use crate::testing::decoding::{Received, decode_reads};
use crate::types::close_code::CloseCode;
use crate::types::error::Error;
use crate::types::output::{OutputPolicy, SendStatus};
use crate::types::role::Role;

/// Returns a connection with a kernel that takes nothing yet.
fn connection(policy: OutputPolicy, limit: usize) -> io::Result<ScriptedConnection> {
    let mut connection = ScriptedConnection::new(Role::Server, &[], Box::new(|_, _| {}))?;
    connection.start_reading();
    connection.settle();
    connection.session().change_settings(|settings| {
        settings.output.policy = policy;
        settings.output.limit = limit;
    });
    Ok(connection)
}

/// Sends a message of 100 bytes on the wire that begins with its number.
fn send(connection: &mut ScriptedConnection, number: u8) -> SendStatus {
    let mut message = [0; 98];
    message[0] = number;
    let status = connection.recorder().send(MessageKind::Binary, &message);
    connection.settle();
    status
}

/// Lets the kernel take all output, and returns the numbers of the messages in it.
fn numbers(connection: &mut ScriptedConnection) -> Vec<u8> {
    connection.peer.make_room(usize::MAX);
    connection.settle();
    assert_eq!(connection.session().bytes_to_write(), 0);
    let messages = received(connection).into_iter().filter_map(|received| match received {
        Received::Binary(message) => Some(message),
        _ => None,
    });
    messages.map(|message| message[0]).collect()
}

fn received(connection: &ScriptedConnection) -> Vec<Received> {
    let written = connection.peer.written();
    let (received, violation) = decode_reads((Role::Client, Limits::default()), [&written[..]]);
    assert_eq!(violation, None);
    received
}

/// MSG-09: messages that do not fit are not sent, and the connection continues.
#[test]
fn the_newest_messages_are_dropped() -> io::Result<()> {
    let mut connection = connection(OutputPolicy::DropNewest, 350)?;

    let statuses: Vec<_> = (0..6).map(|number| send(&mut connection, number)).collect();

    let expected = [[SendStatus::Queued; 3], [SendStatus::Dropped; 3]].concat();
    assert_eq!(statuses, expected);
    assert_eq!(connection.session().dropped_messages(), 3);
    assert!(matches!(SendStatus::Dropped.into_result(), Err(Error::MessageDropped)));
    assert_eq!(numbers(&mut connection), [0, 1, 2]);
    assert_eq!(send(&mut connection, 6), SendStatus::Queued);
    Ok(())
}

/// The same: the oldest are dropped, but for the one that is partly written.
#[test]
fn the_oldest_messages_are_dropped() -> io::Result<()> {
    let mut connection = connection(OutputPolicy::DropOldest, 350)?;
    send(&mut connection, 0);
    connection.peer.make_room(1);
    connection.settle();

    let statuses: Vec<_> = (1..7).map(|number| send(&mut connection, number)).collect();

    assert_eq!(statuses, [SendStatus::Queued; 6]);
    assert_eq!(connection.session().bytes_to_write(), 299);
    assert_eq!(connection.session().dropped_messages(), 4);
    assert_eq!(numbers(&mut connection), [0, 5, 6]);
    Ok(())
}

/// The same: with a limit of 0, one message waits behind the one being written.
#[test]
fn the_latest_message_is_kept() -> io::Result<()> {
    let mut connection = connection(OutputPolicy::KeepLatest, 0)?;
    connection.peer.make_room(120);
    let statuses: Vec<_> = (0..8).map(|number| send(&mut connection, number)).collect();

    assert_eq!(statuses, [SendStatus::Queued; 8]);
    assert_eq!(connection.session().bytes_to_write(), 180);
    assert_eq!(connection.session().dropped_messages(), 5);
    assert_eq!(numbers(&mut connection), [0, 1, 7]);
    Ok(())
}

/// Control frames are not dropped, and the close frame is the last frame.
#[test]
fn control_frames_are_never_dropped() -> io::Result<()> {
    let mut connection = connection(OutputPolicy::DropOldest, 350)?;
    connection.peer.make_room(50);
    send(&mut connection, 0);
    send(&mut connection, 1);
    connection.recorder().ping(b"one");
    (2..5).for_each(|number| _ = send(&mut connection, number));

    connection.session().close(CloseCode::NORMAL, "");
    assert_eq!(send(&mut connection, 5), SendStatus::NotConnected);
    assert_eq!(numbers(&mut connection), [0, 3, 4]);

    let received = received(&connection);
    assert_eq!(received[1], Received::Ping(b"one".to_vec()));
    assert_eq!(received[4], Received::Close(Some(1000), String::new()));
    Ok(())
}

/// A ping for which there is no room costs no message, and ends no connection.
#[test]
fn a_ping_without_room_is_not_sent() -> io::Result<()> {
    for policy in [OutputPolicy::DropNewest, OutputPolicy::DropOldest, OutputPolicy::KeepLatest] {
        let mut connection = connection(policy, 200)?;
        (0..2).for_each(|number| _ = send(&mut connection, number));

        assert_eq!(connection.recorder().ping(b"one"), SendStatus::Dropped);

        assert_eq!(numbers(&mut connection), [0, 1]);
    }
    Ok(())
}

/// Random messages and room: messages arrive whole and in order.
///
/// The output stays bounded; the newest message arrives in any case when older ones are dropped.
#[test]
fn random_messages_come_whole_and_in_order() -> io::Result<()> {
    const POLICIES: [OutputPolicy; 3] =
        [OutputPolicy::DropNewest, OutputPolicy::DropOldest, OutputPolicy::KeepLatest];
    for seed in 0..300 {
        let mut random = Random(seed);
        let policy = POLICIES[random.below(3)];
        let limit = [0, 1000, 60_000, 300_000][random.below(4)];
        let mut connection = connection(policy, limit)?;
        let mut longest = 0;
        for number in 0..60_u8 {
            if random.below(3) > 0 {
                connection.peer.make_room(random.below(60_000));
            }
            let length = [1, 100, 20_000, 50_000][random.below(4)];
            longest = longest.max(length + 10);
            let message = vec![number; length];
            let recorder = connection.recorder();
            let status = match random.below(3) {
                0 => recorder.send_prepared(&message),
                _ => recorder.send(MessageKind::Binary, &message),
            };
            assert!(matches!(status, SendStatus::Queued | SendStatus::Dropped));
            // At the most the message that is being written, the limit, and the newest one.
            let waiting = connection.session().bytes_to_write();
            assert!(waiting <= limit + 2 * longest, "{waiting} with {policy:?}, {limit}");
            if random.below(2) == 0 {
                connection.settle();
            }
        }
        let last = connection.record().sent.last().map(|(_, message)| message[0]);

        let numbers = numbers(&mut connection);

        assert!(numbers.is_sorted_by(|one, other| one < other), "{numbers:?}");
        assert_eq!(numbers.last().copied(), last, "{policy:?}, {limit}");
        let dropped = connection.session().dropped_messages();
        assert_eq!(numbers.len() as u64 + dropped, 60, "{policy:?}, {limit}");
        for message in received(&connection) {
            let Received::Binary(message) = message else { panic!("{message:?}") };
            assert!(message.iter().all(|byte| *byte == message[0]));
        }
    }
    Ok(())
}

/// The output level is reported over the high-water mark, and at half of it.
#[test]
fn the_output_level_is_reported_on_the_way_up_and_on_the_way_down() -> io::Result<()> {
    let mut connection = connection(OutputPolicy::Close, 1_000_000)?;
    connection.session().watch_output();
    connection.session().change_settings(|settings| settings.output.high_water_mark = 1000);
    let levels = |connection: &ScriptedConnection| {
        let reports = connection.record().reports;
        reports
            .iter()
            .filter(|report| matches!(report, Report::Level(_)))
            .cloned()
            .collect::<Vec<_>>()
    };

    (0..10).for_each(|number| _ = send(&mut connection, number));
    assert!(levels(&connection).is_empty());
    (0..5).for_each(|number| _ = send(&mut connection, number));
    assert!(matches!(levels(&connection)[..], [Report::Level(OutputLevel::High)]));
    connection.peer.make_room(999);
    connection.settle();
    assert_eq!(levels(&connection).len(), 1);
    connection.peer.make_room(1);
    connection.settle();

    assert!(matches!(levels(&connection)[1..], [Report::Level(OutputLevel::Drained)]));
    connection.peer.make_room(usize::MAX);
    connection.settle();
    assert_eq!(levels(&connection).len(), 2);
    Ok(())
}

/// Qt: SND-09; MSG-09: the output limit applies to what the kernel does not take.
///
/// The output is offered to it once more before a message is refused.
#[test]
fn room_in_the_kernel_is_used_before_a_message_is_refused() -> io::Result<()> {
    let mut connection = echoing()?;
    // 1 MiB with the headers of its two frames.
    let message = vec![0; MIB - 20];
    while connection.session().bytes_to_write() + MIB <= OUTPUT_LIMIT {
        assert_eq!(connection.recorder().send(MessageKind::Binary, &message), SendStatus::Queued);
        connection.settle();
    }

    // No turn is taken in between: the loop may be busy with other connections.
    connection.peer.make_room(MIB);
    assert_eq!(connection.recorder().send(MessageKind::Binary, &message), SendStatus::Queued);
    let refused = connection.recorder().send(MessageKind::Binary, &message);

    assert_eq!(refused, SendStatus::OutputLimit { limit: OUTPUT_LIMIT });
    assert_eq!(connection.peer.written().len(), MIB);
    connection.settle();
    assert!(connection.has_ended());
    assert!(matches!(connection.record().reports[0], Report::Failed(Error::OutputLimit { .. })));
    Ok(())
}

/// Of a message of 16 KiB or more, the part waits that the kernel has not taken at once.
#[test]
fn the_rest_of_a_big_message_waits() -> io::Result<()> {
    let message = vec![7; 16 * 1024];
    let length = message.len() + 4;
    for is_prepared in [false, true] {
        for room in [0, 1, 4, 5, length - 5, length - 1, length] {
            let mut connection = connection(OutputPolicy::Close, MIB)?;
            connection.peer.make_room(room);
            let recorder = connection.recorder();
            let status = if is_prepared {
                recorder.send_prepared(&message)
            } else {
                recorder.send(MessageKind::Binary, &message)
            };

            assert_eq!(status, SendStatus::Queued);
            assert_eq!(connection.session().bytes_to_write(), length - room, "{room}");
            assert_eq!(numbers(&mut connection), [7]);
            assert_eq!(connection.peer.written().len(), length);
        }
    }
    Ok(())
}

/// A task that sends has room up to the high-water mark, of the next connection if it waits for it.
#[test]
fn a_task_has_room_up_to_the_high_water_mark() -> io::Result<()> {
    let mut connection = connection(OutputPolicy::Close, MIB)?;
    connection.session().change_settings(|settings| settings.output.high_water_mark = 100);
    let room = |connection: &ScriptedConnection, is_of_successor| {
        let cx = Context::from_waker(Waker::noop());
        connection.session().poll_room(is_of_successor, &cx).map(|room| room.is_ok())
    };

    assert_eq!(room(&connection, false), Poll::Ready(true));
    send(&mut connection, 0);
    assert_eq!(room(&connection, false), Poll::Ready(true));
    send(&mut connection, 1);
    assert_eq!(room(&connection, false), Poll::Pending);
    connection.peer.make_room(100);
    connection.settle();
    assert_eq!(room(&connection, false), Poll::Ready(true));

    connection.session().close(CloseCode::NORMAL, "");
    assert_eq!([false, true].map(|next| room(&connection, next)), [Poll::Ready(false); 2]);
    connection.session().set_has_successor(true);
    let expected = [Poll::Ready(false), Poll::Pending];
    assert_eq!([false, true].map(|next| room(&connection, next)), expected);
    Ok(())
}
