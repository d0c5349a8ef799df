//! The end of a bridge.

use std::thread;
use std::time::Duration;

use anyhow::Result;
use slotwork::EventLoop;
use slotwork_nats::{Error, NatsBridge, NatsOptions};
use support::{run_until, wait_until};

use crate::engine::Engine;
use crate::node::{Node, link};

#[test]
fn close_sends_what_waits() -> Result<()> {
    let engine = Engine::start()?;
    let one = Node::connected(engine.options(), "chat")?;
    let other = Node::connected(engine.options(), "chat")?;
    other.join("rooms")?;
    link(&one, &other)?;
    for number in 0..10_000 {
        one.publish("rooms", &number.to_string())?;
    }

    let unsent = run_until(one.bridge.close(Duration::from_secs(10)))?;

    assert_eq!(unsent, 0);
    let expected: Vec<_> = (0..10_000).map(|number| number.to_string()).collect();
    assert_eq!(other.take_texts(10_000)?, expected);
    assert!(matches!(one.bridge.signal::<String>("late"), Err(Error::Ended)));
    // The servers keep working, each for itself.
    one.join("rooms")?;
    one.publish("rooms", "local")?;
    assert_eq!(one.take_texts(1)?, ["local"]);
    Ok(())
}

#[test]
fn close_without_a_server_ends_in_time_and_counts() -> Result<()> {
    let node = Node::start(NatsOptions::new("nats://127.0.0.1:1"), "chat")?;
    for _ in 0..3 {
        node.publish("rooms", "unsent")?;
    }
    assert_eq!(node.bridge.stats().queued, 3);

    let unsent = run_until(node.bridge.close(Duration::from_millis(50)))?;

    assert_eq!(unsent, 3);
    assert!(matches!(run_until(node.bridge.wait_connected())?, Err(Error::Ended)));
    Ok(())
}

/// Its connection is closed without a wait.
#[test]
fn the_last_handle_ends_the_bridge() -> Result<()> {
    let monitoring = crate::engine::free_port()?;
    let engine = Engine::start_with(&["--http_port", &monitoring.to_string()])?;
    let node = Node::connected(engine.options(), "chat")?;
    let count = || crate::engine::connections(monitoring).unwrap_or(usize::MAX);
    wait_until(|| count() == 1)?;

    drop(node);

    wait_until(|| count() == 0)?;
    Ok(())
}

#[test]
fn a_bridge_ends_with_the_thread_of_its_loop() -> Result<()> {
    let engine = Engine::start()?;
    let options = engine.options();
    let thread = thread::spawn(move || -> Result<NatsBridge> {
        let bridge = NatsBridge::connect(options)?;
        EventLoop::current().run_until(bridge.wait_connected())?;
        Ok(bridge)
    });

    let bridge = thread.join().expect("no panic")?;

    assert!(matches!(bridge.signal::<String>("late"), Err(Error::Ended)));
    Ok(())
}
