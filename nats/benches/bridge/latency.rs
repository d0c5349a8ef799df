//! Latency: from a client of one node to a client of another, one message at a time.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Result;
use slotwork::WebSocket;
use slotwork_nats::{NatsBridge, NatsOptions};

use crate::bare::Bare;
use crate::client::{Node, link, run_until, wait_until};
use crate::engine::Engine;

pub(crate) fn run() -> Result<()> {
    println!("latency of one message of 100 bytes at a time, µs: p50, p99");
    for round in 1..=ROUNDS {
        let engine = Engine::start()?;
        let start = Instant::now();
        let bridge = NatsBridge::connect(NatsOptions::new(engine.url()))?;
        run_until(bridge.wait_connected())??;
        println!("  {round}. until a bridge is connected: {} µs", start.elapsed().as_micros());
        drop(bridge);
        print(round, "the bare engine: publish → receive", bare(&engine)?);
        let alone = Node::start_alone(&engine)?;
        let (sender, receiver) = (alone.open("send/a")?, alone.open("receive/a")?);
        print(round, "one node: client → node → client", exchange(&sender, &receiver)?);
        let (one, other) = (Node::start(&engine)?, Node::start(&engine)?);
        let (sender, receiver) = (one.open("send/a")?, other.open("receive/a")?);
        link(&sender, &receiver)?;
        let across = "two nodes: client → node → engine → node → client";
        print(round, across, exchange(&sender, &receiver)?);
    }
    Ok(())
}

fn print(round: usize, what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: usize| times.get(times.len() * part / 100).map_or(0, Duration::as_micros);
    println!("  {round}. {what:<52} {:>6} {:>6}", at(50), at(99));
}

/// Sends a message when the one before has arrived.
fn exchange(sender: &WebSocket, receiver: &WebSocket) -> Result<Vec<Duration>> {
    let times = Rc::new(RefCell::new(Vec::with_capacity(COUNT)));
    let (sent, text) = (Cell::new(Instant::now()), "x".repeat(100));
    let sender_of_next = sender.clone();
    let start = text.clone();
    let connection = receiver.text_message_received().connect_to(&times, {
        move |times, _receiver, _text| {
            times.borrow_mut().push(sent.get().elapsed());
            if times.borrow().len() < COUNT {
                sent.set(Instant::now());
                sender_of_next.send_text_message(&text);
            }
        }
    });
    sender.send_text_message(&start);
    wait_until(|| times.borrow().len() == COUNT)?;
    connection.disconnect();
    Ok(times.take())
}

/// The same between two clients of NATS in this process.
fn bare(engine: &Engine) -> Result<Vec<Duration>> {
    let bare = Bare::connect(engine)?;
    bare.exchange(COUNT, 100)
}

const ROUNDS: usize = 3;
const COUNT: usize = 10_000;
