//! Losses: the engine is killed, and back after a second, under 5,000 messages a second.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use smol::Timer;

use crate::client::{Node, link, run_until, wait_until};
use crate::engine::Engine;

pub(crate) fn run() -> Result<()> {
    println!("losses of {COUNT} messages, {RATE}/s, the engine killed for 1 s");
    for round in 1..=ROUNDS {
        let mut engine = Engine::start()?;
        let (one, other) = (Node::start(&engine)?, Node::start(&engine)?);
        let (sender, receiver) = (one.open("send/a")?, other.open("receive/a")?);
        link(&sender, &receiver)?;
        let numbers = Rc::new(RefCell::new(Vec::new()));
        receiver.text_message_received().connect_to(&numbers, |numbers, _receiver, text| {
            numbers.borrow_mut().push(text.parse::<usize>().unwrap_or(usize::MAX));
        });
        let flood = one.open("flood/a")?;
        let is_done = Rc::new(Cell::new(false));
        flood.text_message_received().connect_to(&is_done, |is_done, _flood, text| {
            is_done.set(text == "done");
        });

        flood.send_text_message(format!("{COUNT} {RATE}"));
        pause(1000)?;
        engine.kill()?;
        pause(1000)?;
        engine.restart()?;
        wait_until(|| is_done.get())?;
        pause(1500)?;

        let numbers = numbers.borrow();
        let is_ordered = numbers.is_sorted_by(|one, next| one < next);
        let gaps: Vec<_> = numbers
            .windows(2)
            .filter_map(|pair| match pair {
                [one, next] if one + 1 < *next => Some((one + 1, next - one - 1)),
                _ => None,
            })
            .collect();
        println!(
            "  {round}. {} lost, in order: {is_ordered}; (from, number): {gaps:?}",
            COUNT - numbers.len()
        );
    }
    Ok(())
}

fn pause(milliseconds: u64) -> Result<()> {
    run_until(async { _ = Timer::after(Duration::from_millis(milliseconds)).await })
}

const ROUNDS: usize = 5;
const COUNT: usize = 20_000;
const RATE: usize = 5_000;
