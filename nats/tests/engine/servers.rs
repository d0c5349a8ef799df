//! Several servers with one bridge.

use anyhow::Result;

use crate::engine::Engine;
use crate::node::{Node, link};

#[test]
fn servers_of_one_process_share_a_bridge() -> Result<()> {
    let engine = Engine::start()?;
    let one = Node::connected(engine.options(), "chat")?;
    let neighbour = Node::unbridged(one.bridge.clone())?;
    neighbour.bridge.bridge_topics(&neighbour.server, "chat")?;
    let other = Node::connected(engine.options(), "chat")?;
    for node in [&one, &neighbour, &other] {
        node.join("rooms")?;
    }
    link(&one, &other)?;
    link(&other, &neighbour)?;

    one.publish("rooms", "from one")?;
    other.publish("rooms", "from the other")?;

    for node in [&one, &neighbour, &other] {
        let mut texts = node.take_texts(2)?;
        texts.sort();
        assert_eq!(texts, ["from one", "from the other"]);
    }
    one.publish("rooms", "end")?;
    for node in [&one, &neighbour, &other] {
        assert_eq!(node.take_texts(1)?, ["end"]);
    }
    Ok(())
}

/// Its subscriptions go with it.
#[test]
fn a_dropped_server_leaves_the_others() -> Result<()> {
    let engine = Engine::start()?;
    let one = Node::connected(engine.options(), "chat")?;
    let neighbour = Node::unbridged(one.bridge.clone())?;
    neighbour.bridge.bridge_topics(&neighbour.server, "chat")?;
    neighbour.join("rooms")?;
    one.join("rooms")?;
    drop(neighbour);
    let other = Node::connected(engine.options(), "chat")?;
    link(&other, &one)?;

    other.publish("rooms", "hello")?;

    assert_eq!(one.take_texts(1)?, ["hello"]);
    Ok(())
}

#[test]
fn a_prefix_can_be_changed() -> Result<()> {
    let engine = Engine::start()?;
    let one = Node::connected(engine.options(), "chat")?;
    let other = Node::connected(engine.options(), "talk")?;
    one.join("rooms")?;
    one.bridge.bridge_topics(&one.server, "talk")?;
    link(&other, &one)?;

    other.publish("rooms", "hello")?;

    assert_eq!(one.take_texts(1)?, ["hello"]);
    Ok(())
}
