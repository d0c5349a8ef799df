//! Conflation: a slow reader of many topics gets the latest message of each.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use slotwork::{OutputPolicy, WebSocket, WebSocketServer};

use support::raw_peer::{CLOSE, RawPeer};
use support::{serve, wait_until};

use crate::server::topics::{Client, server_with_clients};

const TOPICS: usize = 100;

/// Publishes to all topics until the slow socket has had that many messages replaced.
fn publish_until_conflated(
    server: &WebSocketServer,
    slow: &WebSocket,
    replaced: u64,
) -> Result<usize> {
    let topics: Vec<_> = (0..TOPICS)
        .map(|number| server.topic(format!("topic {number}")))
        .collect::<Result<_, _>>()?;
    let mut round = 0;
    while slow.conflated_messages() < replaced {
        round += 1;
        for (number, topic) in topics.iter().enumerate() {
            topic.publish_text(format!("{number} {round:0100}"));
        }
        // The loop writes.
        let mut turns = 0;
        support::run_until(async {
            while turns < 2 {
                turns += 1;
                smol::future::yield_now().await;
            }
        })?;
        ensure!(slow.bytes_to_write() < 1024 * 1024, "{} bytes wait", slow.bytes_to_write());
        ensure!(round < 1_000_000, "nothing is conflated");
    }
    Ok(round)
}

fn subscribe_to_all(server: &WebSocketServer, socket: &WebSocket) -> Result<()> {
    for number in 0..TOPICS {
        let topic = server.topic(format!("topic {number}"))?;
        topic.set_conflated(true);
        topic.subscribe(socket)?;
    }
    Ok(())
}

/// Reads to the end, and returns the last round of each topic.
///
/// Fails when a topic goes back.
fn read_rounds<S: Read + Write>(peer: &mut RawPeer<S>) -> Result<HashMap<usize, usize>> {
    let mut rounds = HashMap::new();
    loop {
        let frame = peer.read_frame()?;
        if frame.opcode == CLOSE {
            return Ok(rounds);
        }
        let text = String::from_utf8(frame.payload)?;
        let (topic, round) = text.split_once(' ').context("not a round")?;
        let (topic, round) = (topic.parse()?, round.parse()?);
        let before = rounds.insert(topic, round);
        ensure!(before.is_none_or(|before| before < round), "topic {topic}");
    }
}

fn check_rounds(rounds: &HashMap<usize, usize>, last: usize) -> Result<()> {
    let latest = rounds.values().filter(|round| **round == last).count();
    ensure!(latest == TOPICS, "{latest} of {TOPICS} topics have their latest message");
    Ok(())
}

/// With each policy, and through `close`: what waits still goes out. A fast reader misses nothing.
#[test]
fn a_stalled_reader_ends_with_the_latest_of_all_topics() -> Result<()> {
    for policy in [OutputPolicy::Close, OutputPolicy::DropOldest] {
        let (server, [slow, fast]) = server_with_clients()?;
        slow.socket.set_output_policy(policy);
        slow.socket.set_send_buffer(Some(16 * 1024));
        subscribe_to_all(&server, &slow.socket)?;
        server.topic("topic 7")?.subscribe(&fast.socket)?;
        let Client { socket: fast_socket, peer: mut fast_peer } = fast;
        let reading = thread::spawn(move || -> Result<usize> {
            let mut last = 0;
            loop {
                let frame = fast_peer.read_frame()?;
                if frame.opcode == CLOSE {
                    return Ok(last);
                }
                let text = String::from_utf8(frame.payload)?;
                let round: usize = text.split_once(' ').context("not a round")?.1.parse()?;
                ensure!(round > last, "{round} after {last}");
                last = round;
            }
        });

        let last = publish_until_conflated(&server, &slow.socket, 10_000)?;
        slow.socket.close_normally();
        fast_socket.close_normally();
        let mut peer = slow.peer;
        let rounds = serve(move || read_rounds(&mut peer))?;

        check_rounds(&rounds, last)?;
        ensure!(slow.socket.dropped_messages() == 0);
        wait_until(|| reading.is_finished())?;
        ensure!(reading.join().map_err(|_| anyhow!("the reader panicked"))?? == last);
    }
    Ok(())
}

/// A topic that is conflated anew puts no message in front of those published between.
#[test]
fn messages_between_two_times_of_conflation_keep_their_order() -> Result<()> {
    let (server, [slow]) = server_with_clients()?;
    slow.socket.set_send_buffer(Some(16 * 1024));
    subscribe_to_all(&server, &slow.socket)?;
    let last = publish_until_conflated(&server, &slow.socket, 1000)?;
    let topic = server.topic("topic 7")?;

    topic.set_conflated(false);
    topic.publish_text(format!("7 {}", last + 1));
    topic.set_conflated(true);
    topic.publish_text(format!("7 {}", last + 2));
    slow.socket.close_normally();
    let mut peer = slow.peer;
    let rounds = serve(move || read_rounds(&mut peer))?;

    ensure!(rounds.get(&7) == Some(&(last + 2)), "{rounds:?}");
    Ok(())
}

/// For a busy loop a message replaces the one before, but none that is not conflated.
#[test]
fn another_thread_replaces_conflated_messages_alone() -> Result<()> {
    let (server, [client]) = server_with_clients()?;
    let topic = server.topic("a")?;
    topic.subscribe(&client.socket)?;

    let publisher = thread::spawn(move || {
        topic.publish_text("not conflated");
        topic.set_conflated(true);
        topic.publish_text("replaced");
        topic.publish_text("latest");
    });
    publisher.join().map_err(|_| anyhow!("the publisher panicked"))?;

    client.expect(&["not conflated", "latest"])?;
    Ok(())
}

/// The same over TLS, where the plain text waits.
#[cfg(feature = "tls")]
#[test]
fn a_stalled_reader_over_tls_ends_with_the_latest_of_all_topics() -> Result<()> {
    use support::certificates::Authority;
    use support::tls_peer::TlsPeer;

    let authority = Authority::new()?;
    let server = support::secure_echo_server(authority.server_config()?)?;
    let (port, trusted) = (server.server_port(), authority.certificate());
    let mut peer = serve(move || {
        let mut peer = TlsPeer::begin_with(port, &trusted)?;
        peer.shake_hands()?;
        Ok(peer)
    })?;
    wait_until(|| server.clients().len() == 1)?;
    let socket = server.clients().pop().context("no client")?;
    socket.set_send_buffer(Some(16 * 1024));
    subscribe_to_all(&server, &socket)?;

    let last = publish_until_conflated(&server, &socket, 10_000)?;
    socket.close_normally();
    let rounds = serve(move || read_rounds(&mut peer))?;

    check_rounds(&rounds, last)
}
