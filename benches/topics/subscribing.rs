//! Subscribing and leaving, also by disconnecting, beside many other subscriptions.

use std::time::{Duration, Instant};

use anyhow::Result;
use slotwork::signals::SignalSpy;
use slotwork::{EventLoop, Topic};

use crate::clients::{Clients, best_of_five};

pub(crate) fn run() -> Result<()> {
    let clients = Clients::open(SOCKETS + 1)?;
    let topics: Vec<_> = (0..TOPICS)
        .map(|number| clients.server.topic(format!("topic {number}")))
        .collect::<Result<_, _>>()?;
    let Some((extra, sockets)) = clients.sockets.split_last() else { return Ok(()) };
    let subscribe_and_leave = || {
        for topic in topics.iter().cycle().take(CALLS as usize) {
            let is_new = topic.subscribe(extra);
            assert!(is_new.is_ok_and(|is_new| is_new) && topic.unsubscribe(extra));
        }
    };

    println!("\n| subscriptions present | subscribe and unsubscribe, ns |");
    println!("|---|---|");
    println!("| 0 | {:.0} |", best_of_five(CALLS, subscribe_and_leave));
    for (number, topic) in topics.iter().enumerate() {
        // Each socket is in a tenth of the topics.
        for socket in sockets.iter().skip(number % 10).step_by(10) {
            topic.subscribe(socket)?;
        }
    }
    println!("| {} | {:.0} |", SOCKETS * TOPICS / 10, best_of_five(CALLS, subscribe_and_leave));

    for (name, count) in [("no topic", 0), ("1,000 topics", TOPICS)] {
        let times = (0..5).map(|_| disconnect(&topics[..count]));
        let best = times.collect::<Result<Vec<_>>>()?.into_iter().min();
        println!("disconnect of a socket in {name}: {} µs", best.unwrap_or_default().as_micros());
    }
    Ok(())
}

/// Returns the time from the beginning of the turn in which a socket ends.
fn disconnect(topics: &[Topic]) -> Result<Duration> {
    let clients = Clients::open(1)?;
    let Some(socket) = clients.sockets.first() else { return Ok(Duration::ZERO) };
    for topic in topics {
        topic.subscribe(socket)?;
    }
    let ended = SignalSpy::new(&socket.disconnected());
    socket.abort();
    let start = Instant::now();
    while ended.count() == 0 {
        EventLoop::current().process_events();
    }
    Ok(start.elapsed())
}

const SOCKETS: usize = 1000;
const TOPICS: usize = 1000;
const CALLS: u32 = 100_000;
