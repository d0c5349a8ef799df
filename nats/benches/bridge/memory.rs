//! Memory of bridged topics: subscribed one by one, and all together.

use std::env;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use slotwork::signals::SignalSpy;
use slotwork::{HostAddress, SslMode, WebSocket, WebSocketServer};
use slotwork_nats::{NatsBridge, NatsOptions};
use smol::Timer;

use crate::client::run_until;
use crate::engine::Engine;

/// Runs each case in a process of its own, whose memory nothing has used before.
pub(crate) fn run() -> Result<()> {
    println!("memory of a topic with a subscriber, in the node");
    let engine = Engine::start()?;
    for (case, count) in
        [("bridged alone", 10_000), ("subscribe_all", 100_000), ("unbridged", 100_000)]
    {
        let output = Command::new(env::current_exe()?)
            .args(["measure", case, &count.to_string(), &engine.url()])
            .output()?;
        print!("{}", String::from_utf8_lossy(&output.stdout));
    }
    Ok(())
}

/// Measures a case; the arguments are its name, the number of topics and the URL of NATS.
pub(crate) fn measure(mut arguments: impl Iterator<Item = String>) -> Result<()> {
    let mut next = || arguments.next().context("an argument is missing");
    let (case, count, url) = (next()?, next()?.parse()?, next()?);
    let server = WebSocketServer::new("Node", SslMode::NonSecure);
    server.set_max_topics(count);
    server.listen(HostAddress::LocalHost, 0)?;
    let connections = SignalSpy::new(&server.new_connection());
    let client = WebSocket::new();
    client.open(server.server_url())?;
    connections.wait_for(1)?;
    let bridge = NatsBridge::connect(NatsOptions::new(url))?;
    run_until(bridge.wait_connected())??;
    if case != "unbridged" {
        bridge.bridge_topics(&server, "memory")?;
    }
    if case == "subscribe_all" {
        bridge.subscribe_all("memory")?;
    }
    let socket = server.next_pending_connection().context("no connection")?;
    let before = resident()?;
    for number in 0..count {
        server.topic(format!("rooms/{number:08}"))?.subscribe(&socket)?;
    }
    // The subscriptions are made meanwhile.
    run_until(async { _ = Timer::after(Duration::from_secs(3)).await })?;
    let bytes = resident()?.saturating_sub(before) / u64::try_from(count)?;
    println!("  {case:<14} {count:>7} topics: {bytes:>6} bytes each");
    Ok(())
}

fn resident() -> Result<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    let resident: u64 = pages.split(' ').nth(1).unwrap_or_default().parse()?;
    Ok(resident * 4096)
}
