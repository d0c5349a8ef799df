//! What is published on one node reaches the others, once.

use anyhow::{Context, Result};
use slotwork::Message;
use slotwork::signals::SignalSpy;
use support::wait_until;

use crate::engine::Engine;
use crate::foreign::Foreign;
use crate::node::{Node, link, link_all};

#[test]
fn a_message_reaches_the_subscribers_of_all_nodes_once() -> Result<()> {
    let engine = Engine::start()?;
    let one = Node::connected(engine.options(), "chat")?;
    let other = Node::connected(engine.options(), "chat")?;
    one.join("rooms/rust")?;
    other.join("rooms/rust")?;
    link_all(&[&one, &other])?;

    one.publish("rooms/rust", "from one")?;
    other.publish("rooms/rust", "from the other")?;

    for node in [&one, &other] {
        let mut texts = node.take_texts(2)?;
        texts.sort();
        assert_eq!(texts, ["from one", "from the other"]);
    }
    // A copy would come before this.
    one.publish("rooms/rust", "end")?;
    assert_eq!(one.take_texts(1)?, ["end"]);
    assert_eq!(other.take_texts(1)?, ["end"]);
    Ok(())
}

#[test]
fn each_of_five_nodes_gets_each_message_of_a_hundred_topics_once() -> Result<()> {
    let engine = Engine::start()?;
    let nodes =
        (0..5).map(|_| Node::connected(engine.options(), "chat")).collect::<Result<Vec<_>>>()?;
    let topics: Vec<_> = (0..100).map(|number| format!("rooms/{number}")).collect();
    for node in &nodes {
        topics.iter().try_for_each(|topic| node.join(topic))?;
    }
    link_all(&nodes.iter().collect::<Vec<_>>())?;

    let mut expected = Vec::new();
    for (number, node) in nodes.iter().enumerate() {
        for topic in &topics {
            let text = format!("{topic} from {number}");
            node.publish(topic, &text)?;
            expected.push(text);
        }
    }

    expected.sort();
    for node in &nodes {
        let mut texts = node.take_texts(expected.len())?;
        texts.sort();
        assert_eq!(texts, expected);
    }
    Ok(())
}

#[test]
fn texts_binary_messages_and_empty_ones_arrive_as_they_are() -> Result<()> {
    let engine = Engine::start()?;
    let one = Node::connected(engine.options(), "chat")?;
    let other = Node::connected(engine.options(), "chat")?;
    other.join("kinds")?;
    link(&one, &other)?;
    let messages = [
        Message::Text(String::new()),
        Message::Binary(Vec::new()),
        Message::Text("Grüße".to_owned()),
        Message::Binary(vec![0, 255, 13, 10]),
        // As long as the server allows.
        Message::Text("x".repeat(1024 * 1024)),
        Message::Binary(vec![7; 1_000_000]),
    ];

    let topic = one.server.topic("kinds")?;
    for message in &messages {
        match message {
            Message::Text(text) => _ = topic.publish_text(text),
            message => _ = topic.publish_binary(message.as_bytes()),
        }
    }

    assert!(other.take(messages.len())? == messages);
    Ok(())
}

/// What NATS does not allow in a subject is percent-encoded.
#[test]
fn topics_may_have_any_characters() -> Result<()> {
    let engine = Engine::start()?;
    let one = Node::connected(engine.options(), "a b.*")?;
    let other = Node::connected(engine.options(), "a b.*")?;
    let mut topics: Vec<_> =
        (' '..='\u{ff}').filter(|it| !it.is_control()).map(|it| format!("x{it}y")).collect();
    let odd = ["/", "//", "a/", "/a", "a//b", ".", "*", ">", "%", "%2E", "\u{3000}", "日本/🦀"];
    topics.extend(odd.map(str::to_owned));
    topics.push("%".repeat(255));
    topics.iter().try_for_each(|topic| other.join(topic))?;
    link(&one, &other)?;

    topics.iter().try_for_each(|topic| one.publish(topic, topic))?;

    let mut texts = other.take_texts(topics.len())?;
    texts.sort();
    topics.sort();
    assert_eq!(texts, topics);
    assert_eq!(other.bridge.stats().reconnects, 0);
    Ok(())
}

#[test]
fn other_programs_publish_and_subscribe_without_a_library_of_ours() -> Result<()> {
    let engine = Engine::start()?;
    let node = Node::connected(engine.options(), "chat")?;
    node.join("rooms/v1.0")?;
    link(&Node::connected(engine.options(), "chat")?, &node)?;
    let mut foreign = Foreign::connect(&engine)?;
    foreign.subscribe("chat.rooms.v1%2E0")?;

    foreign.publish("chat.rooms.v1%2E0", b"text")?;
    foreign.publish_binary("chat.rooms.v1%2E0", b"bytes")?;
    node.publish("rooms/v1.0", "from slotwork")?;

    let messages = node.take(3)?;
    assert!(messages.contains(&Message::Text("text".to_owned())));
    assert!(messages.contains(&Message::Binary(b"bytes".to_vec())));
    while foreign.next()? != b"from slotwork" {}
    Ok(())
}

/// RFC 6455 §5.6: a text is UTF-8.
#[test]
fn what_cannot_be_delivered_is_counted() -> Result<()> {
    let engine = Engine::start()?;
    let node = Node::connected(engine.options(), "chat")?;
    node.join("rooms")?;
    node.bridge.subscribe_all("chat")?;
    let lost = SignalSpy::new(&node.bridge.lost());
    let sender = Node::connected(engine.options(), "chat")?;
    link(&sender, &node)?;
    let mut foreign = Foreign::connect(&engine)?;

    foreign.publish("chat.rooms", &[0xff])?;
    foreign.publish("chat.%zz", b"not a topic")?;
    foreign.publish("chat.rooms", b"good")?;

    assert_eq!(node.take_texts(1)?, ["good"]);
    wait_until(|| lost.values().iter().sum::<u64>() == 2)?;
    assert_eq!(node.bridge.stats().lost_in, 2);
    Ok(())
}

#[test]
fn one_subscription_receives_all_topics() -> Result<()> {
    let engine = Engine::start()?;
    let one = Node::connected(engine.options(), "chat")?;
    let other = Node::connected(engine.options(), "chat")?;
    other.bridge.subscribe_all("chat")?;
    let log = other.server.topic("log")?;
    let logged = SignalSpy::new(&log.published());
    other.join("rooms")?;
    link(&one, &other)?;

    one.publish("log", "line")?;
    one.publish("unknown", "dropped")?;
    one.publish("rooms", "hello")?;

    assert_eq!(other.take_texts(1)?, ["hello"]);
    assert_eq!(logged.values(), [Message::Text("line".to_owned())]);
    assert_eq!(other.server.find_topic("unknown"), None);
    Ok(())
}

#[test]
fn a_topic_is_unsubscribed_some_seconds_after_its_last_subscriber() -> Result<()> {
    let monitoring = crate::engine::free_port()?;
    let engine = Engine::start_with(&["--http_port", &monitoring.to_string()])?;
    let count = || crate::engine::subscriptions(monitoring).unwrap_or_default();
    // Questions for kept messages, and answers.
    let before = crate::engine::subscriptions(monitoring)? + 2;
    let node = Node::connected(engine.options(), "chat")?;
    wait_until(|| count() == before)?;
    node.join("rooms")?;
    wait_until(|| count() == before + 1)?;

    node.server.topic("rooms")?.unsubscribe(&node.socket);

    wait_until(|| count() == before)?;
    Ok(())
}

#[test]
fn a_message_over_the_limit_of_nats_is_lost_alone() -> Result<()> {
    let engine = Engine::start()?;
    let one = Node::connected(engine.options(), "chat")?;
    let other = Node::connected(engine.options(), "chat")?;
    other.join("rooms")?;
    link(&one, &other)?;
    let lost = SignalSpy::new(&one.bridge.lost());

    one.publish("rooms", &"x".repeat(1024 * 1024 + 1))?;
    one.publish("rooms", "short")?;

    assert_eq!(other.take_texts(1)?, ["short"]);
    lost.wait_for(1)?;
    assert_eq!(lost.take_first().context("no value")?, 1);
    assert_eq!((one.bridge.stats().lost_out, one.bridge.stats().reconnects), (1, 0));
    Ok(())
}
