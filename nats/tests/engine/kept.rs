//! Kept messages of other nodes.

use std::time::Duration;

use anyhow::{Context, Result};
use slotwork::Message;
use support::wait_until;

use crate::engine::Engine;
use crate::foreign::Foreign;
use crate::node::{Node, link, link_all};
use crate::outage::pause;

fn keeping(node: &Node, topic: &str) -> Result<slotwork::Topic> {
    let topic = node.server.topic(topic)?;
    topic.set_keep_last(true);
    Ok(topic)
}

#[test]
fn a_new_node_gets_the_kept_message_of_one_that_lives() -> Result<()> {
    let engine = Engine::start()?;
    let first = Node::connected(engine.options(), "rates")?;
    let second = Node::connected(engine.options(), "rates")?;
    let kept = keeping(&second, "EURUSD")?;
    second.join("EURUSD")?;
    link(&first, &second)?;
    first.publish("EURUSD", "1.0831")?;
    wait_until(|| kept.last().is_some())?;
    drop(first);

    let third = Node::connected(engine.options(), "rates")?;
    let _kept = keeping(&third, "EURUSD")?;
    // The answer of the second node has to find it subscribed.
    link_all(&[&second, &third])?;
    third.join("EURUSD")?;

    assert_eq!(third.take_texts(1)?, ["1.0831"]);
    Ok(())
}

#[test]
fn of_two_answers_the_newest_stands() -> Result<()> {
    let engine = Engine::start()?;
    let nodes =
        (0..3).map(|_| Node::connected(engine.options(), "rates")).collect::<Result<Vec<_>>>()?;
    // Without subscribers each of them keeps what it has published itself.
    let [first, second, third] = nodes.as_slice() else { unreachable!() };
    let _kept = [keeping(first, "EURUSD")?, keeping(second, "EURUSD")?];
    second.publish("EURUSD", "old")?;
    pause(Duration::from_millis(50));
    first.publish("EURUSD", "new")?;
    link_all(&[first, second, third])?;

    let kept = keeping(third, "EURUSD")?;
    third.join("EURUSD")?;

    let is_new = || kept.last().is_some_and(|last| last.payload() == b"new");
    wait_until(is_new)?;
    // Both answers are over now.
    pause(Duration::from_millis(300));
    assert!(is_new());
    Ok(())
}

#[test]
fn an_answer_that_is_older_than_what_is_kept_is_ignored() -> Result<()> {
    let engine = Engine::start()?;
    let node = Node::connected(engine.options(), "rates")?;
    let kept = keeping(&node, "EURUSD")?;
    node.publish("EURUSD", "2")?;
    node.publish("EURUSD", "3")?;
    let mut foreign = Foreign::connect(&engine)?;
    foreign.subscribe("_slotwork.last.rates.>")?;

    node.join("EURUSD")?;
    let (subject, reply) = foreign.next_request()?;
    assert_eq!(subject, "_slotwork.last.rates.EURUSD");
    for (age, text) in [
        ("60000", "stale"),
        ("0", "new"),
        ("5000", "older than the answer before"),
        ("18446744073709551615", "of an age that no clock counts"),
        ("young", "without an age"),
        ("0", "newest"),
    ] {
        foreign.publish_with_header(&reply, &format!("Slotwork-Age: {age}"), text.as_bytes())?;
    }
    foreign.flush()?;

    assert_eq!(node.take_texts(3)?, ["3", "new", "newest"]);
    assert_eq!(kept.last().context("none is kept")?.payload(), b"newest");
    Ok(())
}

/// Of a program that does not send ages.
#[test]
fn an_answer_without_an_age_is_better_than_none() -> Result<()> {
    let engine = Engine::start()?;
    let node = Node::connected(engine.options(), "rates")?;
    let _kept = keeping(&node, "EURUSD")?;
    let mut foreign = Foreign::connect(&engine)?;
    foreign.subscribe("_slotwork.last.rates.>")?;

    node.join("EURUSD")?;
    let (_, reply) = foreign.next_request()?;
    foreign.publish(&reply, b"1.0831")?;

    assert_eq!(node.take_texts(1)?, ["1.0831"]);
    Ok(())
}

#[test]
fn equal_answers_are_delivered_once() -> Result<()> {
    let engine = Engine::start()?;
    let nodes =
        (0..4).map(|_| Node::connected(engine.options(), "rates")).collect::<Result<Vec<_>>>()?;
    let (last, others) = nodes.split_last().context("no nodes")?;
    let mut kept = Vec::new();
    for node in others {
        kept.push(keeping(node, "EURUSD")?);
        node.publish("EURUSD", "1.0831")?;
    }
    link_all(&nodes.iter().collect::<Vec<_>>())?;
    kept.push(keeping(last, "EURUSD")?);

    last.join("EURUSD")?;
    assert_eq!(last.take_texts(1)?, ["1.0831"]);
    link(&nodes[0], last)?;
    nodes[0].publish("EURUSD", "1.0832")?;

    assert_eq!(last.take_texts(1)?, ["1.0832"]);
    Ok(())
}

/// Its user may use the subjects of the prefix alone.
#[test]
fn the_permissions_of_the_readme_are_enough_for_kept_messages() -> Result<()> {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("```text\n").context("no configuration")?;
    let (configuration, _) = rest.split_once("```").context("no end of it")?;
    let engine = Engine::start_configured(configuration)?;
    let options = engine.options().user_and_password("chat", "secret");
    let first = Node::connected(options.clone(), "chat")?;
    let second = Node::connected(options, "chat")?;
    let _kept = [keeping(&first, "news")?, keeping(&second, "news")?];
    first.publish("news", "kept")?;
    link_all(&[&first, &second])?;

    second.join("news")?;

    assert_eq!(second.take_texts(1)?, ["kept"]);
    Ok(())
}

/// A server of the same process has it at once.
#[test]
fn a_server_gets_the_kept_message_of_its_neighbour() -> Result<()> {
    let engine = Engine::start()?;
    let one = Node::connected(engine.options(), "rates")?;
    let _kept = keeping(&one, "EURUSD")?;
    one.server.topic("EURUSD")?.publish_binary([1, 2]);
    let neighbour = Node::unbridged(one.bridge.clone())?;
    neighbour.bridge.bridge_topics(&neighbour.server, "rates")?;
    let _kept_there = keeping(&neighbour, "EURUSD")?;

    neighbour.join("EURUSD")?;

    assert_eq!(neighbour.take(1)?, [Message::Binary(vec![1, 2])]);
    Ok(())
}
