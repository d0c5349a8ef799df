//! Nodes that die or stand still, and loops that are slow.

use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use slotwork::Message;
use slotwork::signals::SignalSpy;
use slotwork_nats::{NatsBridge, NatsOptions};
use smol::Timer;
use support::{DEADLINE, run_until, wait_until};

use crate::engine::{Engine, connections, free_port};
use crate::node::Node;
use crate::outage::pause;
use crate::process::{self, Process};

/// `kill -9`: what was sent arrives, in order, and nothing behind it.
#[test]
fn the_others_get_the_first_messages_of_a_node_that_is_killed() -> Result<()> {
    let engine = Engine::start()?;
    let (mut one, other) = (Process::start(&engine.url())?, Process::start(&engine.url())?);
    let (sender, receiver) = (one.open("send/a")?, other.open("receive/a")?);
    process::link(&sender, &receiver)?;
    let flood = one.open("flood/a")?;

    flood.send("1000000 20000");
    wait_until(|| receiver.len() > 5000)?;
    one.kill()?;
    pause(Duration::from_millis(500));

    let numbers = receiver.numbers()?;
    let expected: Vec<_> = (0..numbers.len() as u64).collect();
    assert_eq!(numbers, expected);
    Ok(())
}

/// The server ends the connection of a client that reads nothing.
///
/// `monitoring` is the port of its monitoring.
fn stop_a_node(engine: &Engine, monitoring: u16, time: Duration) -> Result<()> {
    let (one, other) = (Process::start(&engine.url())?, Process::start(&engine.url())?);
    let (sender, receiver) = (one.open("send/a")?, other.open("receive/a")?);
    process::link(&sender, &receiver)?;
    let events = other.open("events")?;
    let large = "x".repeat(100_000);

    other.suspend()?;
    let is_dropped = || connections(monitoring).is_ok_and(|count| count == 1);
    // More than the buffers of the kernels, and less at once than the sending node's queue takes.
    for _ in 0..100 {
        for _ in 0..20 {
            sender.send(&large);
        }
        pause(Duration::from_millis(100));
        if is_dropped() {
            break;
        }
    }
    pause(time);
    wait_until(is_dropped)?;
    other.resume()?;

    events.wait_for("disconnected")?;
    events.wait_for("resync")?;
    sender.send("after");
    receiver.wait_for("after")?;
    assert_eq!(events.count_of("resync"), 1);
    Ok(())
}

#[test]
fn a_node_that_stood_still_returns_by_itself() -> Result<()> {
    let monitoring = free_port()?;
    let limits = "write_deadline: \"500ms\"\nmax_pending: 1MB";
    let engine = Engine::start_configured(&format!("{limits}\nhttp_port: {monitoring}\n"))?;

    stop_a_node(&engine, monitoring, Duration::from_secs(2))
}

#[test]
#[ignore = "takes 30 s"]
fn a_node_that_stood_still_for_30_seconds_returns_by_itself() -> Result<()> {
    let monitoring = free_port()?;
    let engine = Engine::start_with(&["--http_port", &monitoring.to_string()])?;

    stop_a_node(&engine, monitoring, Duration::from_secs(30))
}

/// A node in a thread of its own, whose loop is busy until `go` is sent to.
struct BusyNode {
    bridge: NatsBridge,
    go: mpsc::Sender<()>,
    /// Returns what its client got, and how often `resync_needed` was emitted.
    thread: JoinHandle<Result<(Vec<String>, usize)>>,
}

impl BusyNode {
    fn start(options: NatsOptions, sender: &Node) -> Result<Self> {
        let (report, reported) = mpsc::channel();
        let (go, wait) = mpsc::channel();
        let thread = thread::spawn(move || {
            let node = Node::connected(options, "chat")?;
            node.join("rooms")?;
            let resync = SignalSpy::new(&node.bridge.resync_needed());
            wait_until(|| node.received_count() > 0)?;
            report.send(node.bridge.clone())?;
            wait_until(|| node.has(&Message::Text("sync".to_owned())))?;
            node.take_texts(1)?;
            report.send(node.bridge.clone())?;
            // A slot that takes long: the loop does nothing else.
            wait.recv()?;
            wait_until(|| node.has(&Message::Text("last".to_owned())))?;
            resync.wait_for(1)?;
            let texts = node.take_texts(1)?;
            Ok((texts, resync.count()))
        });
        let bridge = run_until(async {
            loop {
                if let Ok(bridge) = reported.try_recv() {
                    break bridge;
                }
                _ = sender.publish("rooms", "link");
                Timer::after(Duration::from_millis(10)).await;
            }
        })?;
        // Its inbox is empty when this has arrived.
        sender.publish("rooms", "sync")?;
        _ = reported.recv_timeout(DEADLINE)?;
        Ok(Self { bridge, go, thread })
    }
}

/// Sends so many messages at once to a loop that is busy.
fn flood_a_busy_loop(count: u64) -> Result<()> {
    let engine = Engine::start()?;
    let sender = Node::connected(engine.options(), "chat")?;
    let busy = BusyNode::start(engine.options(), &sender)?;

    let topic = sender.server.topic("rooms")?;
    for number in 1..count {
        topic.publish_text(number.to_string());
        if number % 4096 == 0 {
            wait_until(|| sender.bridge.stats().queued < 4096)?;
        }
    }
    topic.publish_text("last");
    let stats = || busy.bridge.stats();
    wait_until(|| stats().lost_in + 65_536 >= count && sender.bridge.stats().queued == 0)?;
    // What is under way.
    pause(Duration::from_millis(500));
    busy.go.send(())?;
    let ended = busy.thread.join().map_err(|_| anyhow!("the node has panicked"))?;
    let (texts, resyncs) = ended?;

    let numbers = texts.iter().map(|text| text.parse().unwrap_or(count));
    let expected: Vec<_> = (count - texts.len() as u64 + 1..=count).collect();
    ensure!(numbers.eq(expected), "{} messages, from {:?} on", texts.len(), texts.first());
    assert_eq!(stats().lost_in + texts.len() as u64, count);
    ensure!(stats().lost_in > 0);
    assert_eq!(resyncs, 1);
    Ok(())
}

#[test]
fn a_busy_loop_gets_the_newest_messages_and_the_number_of_the_lost() -> Result<()> {
    flood_a_busy_loop(80_000)
}

#[test]
#[ignore = "takes 10 s"]
fn a_busy_loop_gets_the_newest_of_200_000_messages() -> Result<()> {
    flood_a_busy_loop(200_000)
}
