//! A reader that stalls: what it gets of 100 topics, and what a publication costs meanwhile.

use std::collections::HashMap;
use std::io::Read;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use slotwork::{EventLoop, OutputPolicy, PreparedMessage, Topic};

use crate::clients::{Clients, best_of_five};

pub(crate) fn run() -> Result<()> {
    println!("\n| 94,950 messages, reader stalled | topics with their latest | old messages |");
    println!("|---|---|---|");
    let kib = 1024;
    for (name, is_conflated, policy, send_buffer) in [
        ("`KeepLatest`, limit 256 KiB", false, OutputPolicy::KeepLatest, None),
        ("`KeepLatest`, send buffer 32 KiB", false, OutputPolicy::KeepLatest, Some(32 * kib)),
        ("conflated", true, OutputPolicy::Close, None),
        ("conflated, send buffer 32 KiB", true, OutputPolicy::Close, Some(32 * kib)),
        ("conflated, send buffer 16 KiB", true, OutputPolicy::Close, Some(16 * kib)),
    ] {
        let mut clients = Clients::open(1)?;
        let socket = clients.sockets.remove(0);
        socket.set_output_policy(policy);
        socket.set_output_limit(256 * kib);
        if send_buffer.is_some() {
            socket.set_send_buffer(send_buffer);
        }
        let topics = topics(&clients, TOPICS, is_conflated)?;
        for topic in &topics {
            topic.subscribe(&socket)?;
        }
        // The topics have 900 to 999 updates, of which the last ones are not at once.
        for round in 1..ROUNDS + TOPICS {
            let updated = round.saturating_sub(ROUNDS);
            for (number, topic) in topics.iter().enumerate().skip(updated) {
                topic.publish_text(format!("{number} {round:0100}"));
            }
            EventLoop::current().process_events();
        }
        socket.close_normally();
        let peer = clients.peers.remove(0);
        peer.set_nonblocking(false)?;
        let reader = thread::spawn(move || read_all(peer));
        ensure!(EventLoop::current().wait_until(|| reader.is_finished(), Duration::from_secs(60)));
        let (latest, count) = reader.join().ok().context("the reader panicked")??;
        let in_time = (0..TOPICS).filter(|number| latest.get(number) == Some(&(ROUNDS + number)));
        let in_time = in_time.count();
        println!("| {name} | {in_time} of {TOPICS} | {} |", count - in_time);
    }
    waiting_keys()
}

/// The time of a publication to a stalled socket of which 1,000 topics wait.
fn waiting_keys() -> Result<()> {
    let clients = Clients::open(1)?;
    let Some(socket) = clients.sockets.first() else { return Ok(()) };
    let topics = topics(&clients, 1000, true)?;
    for topic in &topics {
        topic.subscribe(socket)?;
    }
    let message = PreparedMessage::text("x".repeat(100));
    let publish_to_all = || topics.iter().for_each(|topic| _ = topic.publish_prepared(&message));
    let start = Instant::now();
    while socket.conflated_messages() < 10_000 {
        publish_to_all();
        EventLoop::current().process_events();
        ensure!(start.elapsed() < Duration::from_secs(60), "nothing is conflated");
    }
    let calls = 100 * 1000;
    let time = best_of_five(calls, || (0..100).for_each(|_| publish_to_all()));
    println!("\npublish to a stalled socket with 1,000 topics waiting: {time:.0} ns");
    Ok(())
}

fn topics(clients: &Clients, count: usize, is_conflated: bool) -> Result<Vec<Topic>> {
    let mut topics = Vec::new();
    for number in 0..count {
        let topic = clients.server.topic(number.to_string())?;
        topic.set_conflated(is_conflated);
        topics.push(topic);
    }
    Ok(topics)
}

/// Reads to the close frame; returns the last round of each topic, and how many messages came.
fn read_all(mut peer: TcpStream) -> Result<(HashMap<usize, usize>, usize)> {
    let (mut latest, mut count) = (HashMap::new(), 0);
    loop {
        let mut header = [0; 2];
        peer.read_exact(&mut header)?;
        let mut payload = vec![0; header[1].into()];
        peer.read_exact(&mut payload)?;
        if header[0] & 0x0F == 8 {
            return Ok((latest, count));
        }
        let text = String::from_utf8(payload)?;
        let (topic, round) = text.split_once(' ').context("not a round")?;
        latest.insert(topic.parse()?, round.parse()?);
        count += 1;
    }
}

const TOPICS: usize = 100;
/// The updates of the first topic; each other one has one more.
const ROUNDS: usize = 900;
