//! Messages a second from a client of one node to a client of another, without loss.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use slotwork::WebSocket;

use crate::bare::Bare;
use crate::client::{Node, link, wait_until};
use crate::engine::Engine;

pub(crate) fn run() -> Result<()> {
    println!("{COUNT} messages of 100 bytes, at most {WINDOW} of them on their way");
    for round in 1..=ROUNDS {
        let engine = Engine::start()?;
        let bare = Bare::connect(&engine)?.stream(COUNT, 100, WINDOW)?;
        println!("  {round}. the bare engine: {:>7.0}/s", rate(bare));

        let alone = Node::start_alone(&engine)?;
        let (sender, receiver) = (alone.open("send/a")?, alone.open("receive/a")?);
        let before = alone.processor_time()?;
        let time = stream(&sender, &receiver)?;
        let local = per_message(alone.processor_time()?.saturating_sub(before));
        println!("  {round}. one node: {:>7.0}/s, {local:.2} µs of processor time", rate(time));

        let (one, other) = (Node::start(&engine)?, Node::start(&engine)?);
        let (sender, receiver) = (one.open("send/a")?, other.open("receive/a")?);
        link(&sender, &receiver)?;
        let before = (one.processor_time()?, other.processor_time()?);
        let time = stream(&sender, &receiver)?;
        let sending = per_message(one.processor_time()?.saturating_sub(before.0));
        let receiving = per_message(other.processor_time()?.saturating_sub(before.1));
        println!(
            "  {round}. two nodes: {:>7.0}/s, {sending:.2} + {receiving:.2} µs, \
             beyond one node {:.2} µs for each",
            rate(time),
            (sending + receiving - local) / 2.0
        );
    }
    Ok(())
}

/// Sends all messages; returns the time until the last one has arrived.
fn stream(sender: &WebSocket, receiver: &WebSocket) -> Result<Duration> {
    let (arrived, sent) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let text = "x".repeat(100);
    let send_more = {
        let (arrived, sent, sender) = (Rc::clone(&arrived), Rc::clone(&sent), sender.clone());
        move || {
            while sent.get() < COUNT && sent.get() < arrived.get() + WINDOW {
                sender.send_text_message(&text);
                sent.set(sent.get() + 1);
            }
        }
    };
    let start = Instant::now();
    send_more();
    let connection = receiver.text_message_received().connect_to(&arrived, {
        move |arrived, _receiver, _text| {
            arrived.set(arrived.get() + 1);
            if arrived.get() % 64 == 0 {
                send_more();
            }
        }
    });
    let finished = wait_until(|| arrived.get() == COUNT);
    ensure!(finished.is_ok(), "{} of {} messages", arrived.get(), sent.get());
    connection.disconnect();
    Ok(start.elapsed())
}

#[expect(clippy::cast_precision_loss, reason = "of small numbers")]
fn rate(time: Duration) -> f64 {
    COUNT as f64 / time.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "of small numbers")]
fn per_message(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6 / COUNT as f64
}

const ROUNDS: usize = 3;
const COUNT: usize = 1_000_000;
/// Less than a node's queue has place for.
const WINDOW: usize = 8192;
