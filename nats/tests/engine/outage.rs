//! The server is away, or stands still.

use std::ops::Range;
use std::time::Duration;

use anyhow::{Result, ensure};
use slotwork::signals::SignalSpy;
use slotwork_nats::NatsOptions;
use smol::Timer;
use support::wait_until;

use crate::engine::Engine;
use crate::node::{Node, link};
use crate::process::{self, Process};
use crate::proxy::Proxy;

/// Waits, for things that happen meanwhile; longer than the deadline of `support`.
pub(crate) fn pause(time: Duration) {
    slotwork::EventLoop::current().run_until(async { _ = Timer::after(time).await });
}

/// The messages of an outage, numbered from 0 on.
struct Outage {
    /// Those that were lost, in a row each.
    gaps: Vec<Range<u64>>,
    /// How many had arrived when the server was killed.
    arrived: u64,
    /// How many were published when the sender's bridge reported the end of its connection.
    published: u64,
    /// How many the sender has counted as lost.
    counted: u64,
}

impl Outage {
    fn lost(&self) -> u64 {
        self.gaps.iter().map(|gap| gap.end - gap.start).sum()
    }
}

/// Kills the server under 5,000 messages a second.
fn lose_the_server(time: Duration, count: u64) -> Result<Outage> {
    let mut engine = Engine::start()?;
    let (one, other) = (Process::start(&engine.url())?, Process::start(&engine.url())?);
    let (sender, receiver) = (one.open("send/a")?, other.open("receive/a")?);
    process::link(&sender, &receiver)?;
    let (events, events_there) = (one.open("events")?, other.open("events")?);
    let flood = one.open("flood/a")?;

    flood.send(&format!("{count} 5000"));
    wait_until(|| receiver.len() > 1000)?;
    let arrived = receiver.len() as u64;
    engine.kill()?;
    pause(time);
    engine.restart()?;

    // Other messages come behind the last of the flood.
    flood.wait_for("done")?;
    events.wait_for("resync")?;
    events_there.wait_for("resync")?;
    wait_until(|| receiver.numbers().is_ok_and(|it| it.last() == Some(&(count - 1))))?;
    assert_eq!((events.count_of("disconnected"), events.count_of("connected")), (1, 1));
    assert_eq!((events.count_of("resync"), events_there.count_of("resync")), (1, 1));
    // Losses are reported within 100 ms.
    pause(Duration::from_millis(300));
    Ok(Outage {
        gaps: gaps(&receiver.numbers()?),
        arrived,
        published: flood.sum_of("disconnected at "),
        counted: events.sum_of("lost "),
    })
}

/// Returns the numbers that are missing, in a row each.
fn gaps(numbers: &[u64]) -> Vec<Range<u64>> {
    let mut next = 0;
    let rows = numbers.iter().map(|&number| std::mem::replace(&mut next, number + 1)..number);
    rows.filter(|row| !row.is_empty()).collect()
}

/// What was handed to the kernel before the end cannot be known: some milliseconds.
///
/// That is one gap. What is published from the report of the end on arrives.
#[test]
fn an_outage_of_a_second_costs_next_to_nothing() -> Result<()> {
    let outage = lose_the_server(Duration::from_secs(1), 20_000)?;

    let Outage { gaps, arrived, published, counted } = &outage;
    eprintln!("lost: {gaps:?}, behind {arrived}; disconnected at {published}");
    assert_eq!(*counted, 0);
    ensure!(outage.lost() <= 500, "{} messages are lost", outage.lost());
    ensure!(gaps.len() <= 1, "{gaps:?}");
    let is_at_the_end = |gap: &Range<u64>| gap.start >= *arrived && gap.end <= *published;
    ensure!(gaps.iter().all(is_at_the_end), "{gaps:?}, not in {arrived}..{published}");
    Ok(())
}

/// The queue has 16,384 messages: 3 s of them.
#[test]
#[ignore = "takes 20 s"]
fn a_long_outage_costs_what_the_queue_does_not_take_and_that_is_counted() -> Result<()> {
    let outage = lose_the_server(Duration::from_secs(10), 80_000)?;

    let (lost, counted) = (outage.lost(), outage.counted);
    eprintln!("lost: {lost}, of which {counted} are counted");
    ensure!(counted > 10_000 && lost >= counted && lost - counted <= 500);
    Ok(())
}

/// A half-open connection, which the pings find after 15 s.
fn stand_still(time: Duration) -> Result<()> {
    let engine = Engine::start()?;
    let one = Node::connected(engine.options(), "chat")?;
    let other = Node::connected(engine.options(), "chat")?;
    other.join("rooms")?;
    link(&one, &other)?;

    engine.suspend()?;
    for number in 0..5000 {
        one.publish("rooms", &number.to_string())?;
    }
    pause(time);
    engine.resume()?;

    let expected: Vec<_> = (0..5000).map(|number| number.to_string()).collect();
    assert_eq!(other.take_texts(5000)?, expected);
    assert_eq!((one.bridge.stats().reconnects, other.bridge.stats().reconnects), (0, 0));
    Ok(())
}

#[test]
fn a_server_that_stands_still_for_a_moment_costs_nothing() -> Result<()> {
    stand_still(Duration::from_secs(1))
}

#[test]
#[ignore = "takes 10 s"]
fn a_server_that_stands_still_for_10_seconds_costs_nothing() -> Result<()> {
    stand_still(Duration::from_secs(10))
}

/// Slots never wait: nothing can make room here before this returns.
#[test]
fn publishing_does_not_wait_for_a_server_that_stands_still() -> Result<()> {
    const COUNT: usize = 100_000;
    let engine = Engine::start()?;
    let one = Node::connected(engine.options(), "chat")?;
    let other = Node::connected(engine.options(), "chat")?;
    other.join("rooms")?;
    link(&one, &other)?;

    engine.suspend()?;
    let text = "x".repeat(200);
    for _ in 1..COUNT {
        one.publish("rooms", &text)?;
    }
    one.publish("rooms", "newest")?;
    let lost = one.bridge.stats().lost_out;
    engine.resume()?;

    ensure!(lost > 0 && one.bridge.stats().queued <= 16_384);
    wait_until(|| other.has(&slotwork::Message::Text("newest".to_owned())))?;
    let received = other.received_count() as u64;
    assert_eq!(received + one.bridge.stats().lost_out, COUNT as u64);
    Ok(())
}

/// RFC 9293 §3.5.3: a reset ends a connection with what is under way.
#[test]
fn a_bridge_survives_a_reset_connection() -> Result<()> {
    let engine = Engine::start()?;
    let proxy = Proxy::start(engine.port())?;
    let one = Node::connected(engine.options(), "chat")?;
    let other = Node::connected(NatsOptions::new(proxy.url()), "chat")?;
    other.join("rooms")?;
    link(&one, &other)?;
    let disconnected = SignalSpy::new(&other.bridge.disconnected());
    let resync = SignalSpy::new(&other.bridge.resync_needed());

    proxy.reset()?;

    disconnected.wait_for(1)?;
    resync.wait_for(1)?;
    one.publish("rooms", "to the other")?;
    assert_eq!(other.take_texts(1)?, ["to the other"]);
    one.join("rooms")?;
    link(&other, &one)?;
    other.publish("rooms", "and back")?;
    assert_eq!(one.take_texts(1)?, ["and back"]);
    assert_eq!((disconnected.count(), resync.count()), (1, 1));
    Ok(())
}
