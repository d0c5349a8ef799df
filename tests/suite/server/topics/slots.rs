//! Slots of topics that subscribe, leave, disconnect, publish, drop and panic.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use anyhow::{Result, ensure};
use slotwork::Topic;

use support::panic_in_slot;
use support::raw_peer::{Frame, masked_texts};
use support::recorder::Recorder;
use support::{serve, wait_until};

use crate::server::topics::{clients_of, server_with_clients};

#[test]
fn subscribers_are_announced_when_they_come_and_go() -> Result<()> {
    let (server, [one, other]) = server_with_clients()?;
    let topic = server.topic("a")?;
    let recorder = Recorder::default();
    let watcher = recorder.clone();
    topic.subscribed().connect(move |topic, _| {
        watcher.add(format!("one more of {}", topic.subscriber_count()));
    });
    let watcher = recorder.clone();
    topic.unsubscribed().connect(move |topic, _| {
        watcher.add(format!("{} left", topic.subscriber_count()));
    });

    topic.subscribe(&one.socket)?;
    topic.subscribe(&one.socket)?;
    topic.subscribe(&other.socket)?;
    topic.unsubscribe(&other.socket);
    one.close()?;

    recorder.check(&["one more of 1", "one more of 2", "1 left", "0 left"])
}

/// Slots of `published`, `subscribed` and a message change the subscribers.
#[test]
fn slots_may_subscribe_and_leave() -> Result<()> {
    let (server, [one, other]) = server_with_clients()?;
    let topic = server.topic("a")?;
    let (joining, leaving) = (other.socket.clone(), one.socket.clone());
    // The first message makes the other one join, the second makes the first one leave.
    topic.published().connect(move |topic, message| match message.as_text() {
        Some("join") => assert!(topic.subscribe(&joining).is_ok()),
        Some("leave") => assert!(topic.unsubscribe(&leaving)),
        _ => {}
    });
    topic.subscribed().connect(|topic, socket| {
        if topic.subscriber_count() == 3 {
            topic.unsubscribe(socket);
        }
    });
    topic.subscribe(&one.socket)?;

    for (text, count) in [("join", 1), ("both", 2), ("leave", 2), ("alone", 1)] {
        ensure!(topic.publish_text(text) == count, "{text}");
    }

    let one = one.expect(&["join", "both", "leave"])?;
    let other = other.expect(&["both", "leave", "alone"])?;
    topic.subscribe(&one.socket)?;
    let [third] = clients_of(&server)?;
    topic.subscribe(&third.socket)?;
    ensure!(topic.subscriber_count() == 2 && !topic.subscribers().contains(&third.socket));
    drop(other);
    Ok(())
}

/// A slot publishes again: each message is emitted, and subscribers get them in order.
#[test]
fn a_slot_may_publish_into_its_own_and_another_topic() -> Result<()> {
    let (server, [client]) = server_with_clients()?;
    let (topic, all) = (server.topic("a")?, server.topic("all")?);
    topic.subscribe(&client.socket)?;
    all.subscribe(&client.socket)?;
    topic.published().connect_to(&all, |all, topic, message| {
        let text = message.as_text().unwrap_or_default();
        all.publish_text(format!("{}: {text}", topic.name()));
        if text.len() < 3 {
            topic.publish_text(format!("{text}."));
        }
    });

    topic.publish_text("x");

    client.expect(&["x", "a: x", "x.", "a: x.", "x..", "a: x.."])?;
    Ok(())
}

/// A message slot that aborts, closes and drops while its topic publishes.
#[test]
fn slots_may_disconnect_the_subscribers() -> Result<()> {
    let (server, [speaker, listener, last]) = server_with_clients()?;
    let topic = server.topic("a")?;
    for client in [&speaker, &listener, &last] {
        topic.subscribe(&client.socket)?;
    }
    let aborted = listener.socket.clone();
    speaker.socket.text_message_received().connect_to(&topic, move |topic, speaker, text| {
        aborted.abort();
        topic.publish_text(text);
        speaker.close_normally();
        topic.publish_text("the end");
    });

    let mut peer = speaker.peer;
    serve(move || {
        peer.send(masked_texts(&["hello"]))?;
        peer.expect_texts(&["hello"])?;
        peer.expect(&Frame::close(1000, ""))?;
        peer.close_back()
    })?;

    last.expect(&["hello", "the end"])?;
    wait_until(|| topic.subscriber_count() == 1)
}

/// A slot drops the program's handle in the middle of a publication.
#[test]
fn a_topic_may_be_dropped_while_it_publishes() -> Result<()> {
    let (server, [client]) = server_with_clients()?;
    let topic = server.topic("a")?;
    let kept: Rc<RefCell<Option<Topic>>> = Rc::default();
    let (dropped, calls) = (Rc::clone(&kept), Rc::new(Cell::new(0)));
    let called = Rc::clone(&calls);
    let connection = topic.published().connect(move |_topic, _message| {
        called.set(called.get() + 1);
        dropped.take();
    });
    topic.subscribe(&client.socket)?;
    kept.replace(Some(topic));

    let published = kept.borrow().clone();
    if let Some(topic) = published {
        ensure!(topic.publish_text("one") == 1);
        ensure!(topic.publish_text("two") == 1);
    }

    ensure!(calls.get() == 2 && kept.borrow().is_none());
    connection.disconnect();
    let client = client.expect(&["one", "two"])?;
    client.close()?;
    ensure!(server.topics().is_empty());
    Ok(())
}

/// A panic in a slot is caught: the subscription stands, the call returns.
#[test]
fn a_panic_in_a_slot_ends_no_subscription() -> Result<()> {
    let (server, [client, other]) = server_with_clients()?;
    let topic = server.topic("a")?;
    topic.subscribed().connect(|_topic, _socket| panic_in_slot());
    topic.published().connect(|_topic, _message| panic_in_slot());
    topic.unsubscribed().connect(|_topic, _socket| panic_in_slot());

    topic.subscribe(&client.socket)?;
    topic.subscribe(&other.socket)?;
    ensure!(topic.publish_text("hello") == 2);
    let client = client.expect(&["hello"])?;
    client.close()?;

    ensure!(topic.subscriber_count() == 1);
    other.expect(&["hello"])?;
    Ok(())
}

/// A queued slot keeps its topic until it has run.
#[test]
fn a_queued_slot_gets_its_topic() -> Result<()> {
    let (server, [client]) = server_with_clients()?;
    let recorder = Recorder::default();
    let watcher = recorder.clone();
    let topic = server.topic("a")?;
    topic.published().queued().connect(move |topic, message| {
        watcher.add(format!("{} {message:?}", topic.name()));
    });

    topic.publish_text("hello");
    drop((topic, server, client));

    recorder.wait_for(&["a Text(\"hello\")"])
}
