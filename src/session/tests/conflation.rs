//! Conflation: the latest message of each key, for peers that read slowly.

use std::collections::HashMap;
use std::io;
use std::num::NonZeroUsize;

use crate::protocol::frames::limits::Limits;
use crate::testing::Random;
use crate::testing::connection::ScriptedConnection;
use crate::testing::decoding::{Received, decode_reads};
use crate::types::close_code::CloseCode;
use crate::types::output::{OutputPolicy, SendStatus};
use crate::types::role::Role;

/// Returns a connection with a kernel that takes nothing, and a message that waits for it.
fn blocked(role: Role) -> io::Result<ScriptedConnection> {
    let mut connection = ScriptedConnection::new(role, &[], Box::new(|_, _| {}))?;
    connection.start_reading();
    connection.settle();
    connection.recorder().send_prepared(&[0; 98]);
    connection.settle();
    Ok(connection)
}

/// Sends a message of 100 bytes on the wire, of a key and with a number.
fn send(connection: &mut ScriptedConnection, key: u8, number: u8) -> SendStatus {
    let mut message = [0; 98];
    (message[0], message[1]) = (key, number);
    let status = connection.recorder().send_conflated(key.into(), &message);
    connection.settle();
    status
}

/// Lets the kernel take all output, and returns key and number of each message but the first.
fn pairs(connection: &mut ScriptedConnection) -> Vec<(u8, u8)> {
    connection.peer.make_room(usize::MAX);
    connection.settle();
    assert_eq!(connection.session().bytes_to_write(), 0);
    assert_eq!(connection.record().written, connection.peer.written().len());
    let messages = received(connection, Role::Client).into_iter();
    let messages = messages.filter_map(|received| match received {
        Received::Binary(message) => Some((message[0], message[1])),
        _ => None,
    });
    messages.skip(1).collect()
}

fn received(connection: &ScriptedConnection, role: Role) -> Vec<Received> {
    let written = connection.peer.written();
    let (received, violation) = decode_reads((role, Limits::default()), [&written[..]]);
    assert_eq!(violation, None);
    received
}

/// The new message takes the place of the old one: a hot key does not starve a cold one.
#[test]
fn the_latest_message_of_each_key_waits_in_the_place_of_the_first() -> io::Result<()> {
    let mut connection = blocked(Role::Server)?;

    for number in 0..50 {
        for key in 1..=3 {
            assert_eq!(send(&mut connection, key, number), SendStatus::Queued);
        }
        send(&mut connection, 2, number + 100);
    }

    assert_eq!(connection.session().bytes_to_write(), 400);
    assert_eq!(connection.session().conflated_messages(), 197);
    assert_eq!(connection.session().dropped_messages(), 0);
    assert_eq!(pairs(&mut connection), [(1, 49), (2, 149), (3, 49)]);
    Ok(())
}

/// A peer that reads gets each message.
#[test]
fn nothing_is_replaced_while_the_kernel_takes_output() -> io::Result<()> {
    let mut connection = blocked(Role::Server)?;
    connection.peer.make_room(1_000_000);
    connection.settle();

    (0..100).for_each(|number| _ = send(&mut connection, 1, number));

    assert_eq!(connection.session().conflated_messages(), 0);
    assert_eq!(pairs(&mut connection), (0..100).map(|number| (1, number)).collect::<Vec<_>>());
    Ok(())
}

/// Messages without a key are neither replaced nor overtaken by those behind them.
#[test]
fn other_messages_keep_their_place() -> io::Result<()> {
    let mut connection = blocked(Role::Server)?;
    send(&mut connection, 1, 0);
    connection.recorder().send_prepared(&[9, 9]);
    send(&mut connection, 2, 0);
    connection.recorder().send_prepared(&[9, 8]);

    send(&mut connection, 2, 1);
    send(&mut connection, 1, 1);

    assert_eq!(pairs(&mut connection), [(1, 1), (9, 9), (2, 1), (9, 8)]);
    Ok(())
}

/// RFC 6455 §7.1.2: what waits goes out in front of the close frame.
#[test]
fn messages_that_wait_are_sent_before_the_close_frame() -> io::Result<()> {
    let mut connection = blocked(Role::Server)?;
    (0..3).for_each(|number| _ = send(&mut connection, 1, number));
    send(&mut connection, 2, 0);

    connection.session().close(CloseCode::NORMAL, "");

    assert_eq!(send(&mut connection, 2, 1), SendStatus::NotConnected);
    assert_eq!(pairs(&mut connection), [(1, 2), (2, 0)]);
    let last = received(&connection, Role::Client).pop();
    assert_eq!(last, Some(Received::Close(Some(1000), String::new())));
    Ok(())
}

/// The limit counts what waits, and the policy decides when a new key has no room.
#[test]
fn the_output_limit_applies_to_the_keys_that_wait() -> io::Result<()> {
    for (policy, expected) in [
        (OutputPolicy::DropNewest, vec![(1, 1), (2, 1)]),
        (OutputPolicy::DropOldest, vec![(2, 1), (3, 1)]),
        (OutputPolicy::KeepLatest, vec![(3, 1)]),
    ] {
        let mut connection = blocked(Role::Server)?;
        connection.session().change_settings(|settings| {
            (settings.output.policy, settings.output.limit) = (policy, 350);
        });
        for key in 1..=3 {
            (0..2).for_each(|number| _ = send(&mut connection, key, number));
        }

        assert_eq!(pairs(&mut connection), expected, "{policy:?}");
    }
    let mut connection = blocked(Role::Server)?;
    connection.session().change_settings(|settings| settings.output.limit = 250);
    send(&mut connection, 1, 0);
    assert_eq!(send(&mut connection, 1, 1), SendStatus::Queued);
    assert_eq!(send(&mut connection, 2, 0), SendStatus::OutputLimit { limit: 250 });
    assert!(connection.has_ended());
    Ok(())
}

/// RFC 6455 §5.3, §5.4: a client masks, and a small frame size cuts.
#[test]
fn clients_and_fragments_are_conflated_as_well() -> io::Result<()> {
    for (role, peer) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
        let mut connection = blocked(role)?;
        connection.session().change_settings(|settings| {
            settings.outgoing_frame_size = NonZeroUsize::new(40).unwrap();
        });
        for number in 0..5 {
            connection.recorder().send_conflated(1, &[number; 100]);
            connection.recorder().send_conflated(2, &[number + 10; 90]);
        }

        connection.peer.make_room(usize::MAX);
        connection.settle();

        let received = received(&connection, peer);
        assert_eq!(
            received[1..],
            [Received::Binary(vec![4; 100]), Received::Binary(vec![14; 90])],
            "{role:?}"
        );
    }
    Ok(())
}

/// Random messages and room: the last message of each key arrives, whole and in order.
#[test]
fn random_messages_end_with_the_latest_of_each_key() -> io::Result<()> {
    for seed in 0..300 {
        let mut random = Random(seed);
        let mut connection = blocked(Role::Server)?;
        let keys = [1, 5, 60][random.below(3)];
        let mut latest = HashMap::new();
        let mut sent = 0;
        for number in 0..120 {
            if random.below(3) == 0 {
                connection.peer.make_room(random.below(60_000));
            }
            let key = u8::try_from(random.below(keys)).unwrap();
            let mut message = vec![number; [2, 100, 20_000][random.below(3)]];
            message[0] = key;
            if random.below(10) == 0 {
                message[0] = 255;
                connection.recorder().send_prepared(&message);
            } else {
                connection.recorder().send_conflated(key.into(), &message);
                latest.insert(key, number);
            }
            sent += 1;
            if random.below(2) == 0 {
                connection.settle();
            }
        }

        let pairs = pairs(&mut connection);

        let conflated = connection.session().conflated_messages();
        assert_eq!(pairs.len() as u64 + conflated, sent, "seed {seed}");
        let mut last = HashMap::new();
        for (key, number) in pairs {
            let before = last.insert(key, number);
            assert!(before.is_none_or(|before| before < number), "seed {seed}, key {key}");
        }
        last.remove(&255);
        assert_eq!(last, latest, "seed {seed}");
    }
    Ok(())
}
