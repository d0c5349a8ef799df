//! The names of topics, and how long a topic lasts.

use std::cell::Cell;
use std::rc::Rc;

use anyhow::{Result, ensure};
use slotwork::signals::Handle;
use slotwork::{Error, SslMode, Topic, WebSocketServer};

use crate::server::topics::server_with_clients;

fn server() -> WebSocketServer {
    WebSocketServer::new("Test Server", SslMode::NonSecure)
}

#[test]
fn names_have_1_to_255_bytes_and_no_control_characters() -> Result<()> {
    let server = server();
    let longest = "é".repeat(127) + "x";
    for name in ["a", " ", "prices/EURUSD", "*", "a.b>c", "Grüße 🙂", &longest] {
        ensure!(server.topic(name)?.name() == name);
    }

    for name in ["", "a\nb", "\0", "\u{7f}", "\u{85}", &(longest + "y")] {
        let Err(Error::InvalidTopicName(refused)) = server.topic(name) else {
            anyhow::bail!("{name:?} is allowed");
        };
        ensure!(name.starts_with(&refused) && refused.len() <= 255);
    }
    // 255 bytes end inside a character.
    let Err(Error::InvalidTopicName(refused)) = server.topic("é".repeat(1000)) else {
        anyhow::bail!("it is allowed");
    };
    ensure!(refused.len() == 254);
    Ok(())
}

/// A name is one topic, for its server alone, and has no wildcards.
#[test]
fn topics_are_equal_by_name_and_server() -> Result<()> {
    let (one, other) = (server(), server());

    let topic = one.topic("a/*")?;

    ensure!(topic == one.topic("a/*")?);
    ensure!(topic != one.topic("a/b")? && topic != one.topic("A/*")?);
    ensure!(topic != other.topic("a/*")?);
    Ok(())
}

#[test]
fn a_topic_lasts_while_something_holds_it() -> Result<()> {
    let (server, [client]) = server_with_clients()?;
    let is_kept = |server: &WebSocketServer| server.topics().iter().any(|it| it.name() == "a");

    let handle = server.topic("a")?;
    ensure!(is_kept(&server), "a handle");
    drop(handle);
    ensure!(!is_kept(&server), "nothing");

    server.topic("a")?.subscribe(&client.socket)?;
    ensure!(is_kept(&server), "a subscriber");
    server.unsubscribe_all(&client.socket);
    ensure!(!is_kept(&server), "no subscriber");

    let connection = server.topic("a")?.published().connect(|_topic, _message| {});
    ensure!(is_kept(&server), "a slot");
    connection.disconnect();
    ensure!(!is_kept(&server), "no slot");

    server.topic("a")?.set_keep_last(true);
    ensure!(!is_kept(&server), "settings alone");
    let topic = server.topic("a")?;
    topic.set_keep_last(true);
    topic.publish_text("kept");
    drop(topic);
    ensure!(is_kept(&server), "a kept message");
    server.topic("a")?.set_keep_last(false);
    ensure!(!is_kept(&server), "no kept message");
    Ok(())
}

/// The end of the last subscription, whichever call it is, ends no topic that has a handle.
#[test]
fn a_topic_with_a_handle_outlasts_its_subscriptions() -> Result<()> {
    let (server, [client]) = server_with_clients()?;
    let topic = server.topic("a")?;

    topic.subscribe(&client.socket)?;
    topic.unsubscribe(&client.socket);
    ensure!(server.topic("a")? == topic, "unsubscribe");
    topic.subscribe(&client.socket)?;
    server.unsubscribe_all(&client.socket);
    ensure!(server.topic("a")? == topic, "unsubscribe_all");
    topic.subscribe(&client.socket)?;
    client.close()?;
    ensure!(server.topic("a")? == topic, "the end of the socket");

    drop(topic);
    ensure!(server.topics().is_empty());
    Ok(())
}

/// Connects a slot, which ends with its receiver; what it has kept calls the program as it is
/// dropped.
fn connect_slot(topic: &Topic, call: impl FnOnce() + 'static) -> WebSocketServer {
    struct Call<F: FnOnce()>(Option<F>);
    impl<F: FnOnce()> Drop for Call<F> {
        fn drop(&mut self) {
            self.0.take().into_iter().for_each(|call| call());
        }
    }
    let receiver = server();
    let call = Call(Some(call));
    topic.subscribed().connect_to(&receiver, move |_receiver, _topic, _socket| _ = &call);
    receiver
}

/// The end of a slot calls the program, which uses the topic again just as it would end.
#[test]
fn a_topic_that_is_used_again_does_not_end() -> Result<()> {
    fn keep_a_message(topic: Option<Topic>) {
        let topic = topic.unwrap();
        topic.set_keep_last(true);
        topic.publish_text("kept");
    }
    let server = server();
    let by_list = server.topic("a")?;
    let listing = server.downgrade();
    drop(connect_slot(&by_list, move || {
        keep_a_message(listing.upgrade().and_then(|server| server.topics().pop()));
    }));
    drop(by_list);
    ensure!(server.topic("a")?.last().is_some(), "the list of all");
    server.topic("a")?.set_keep_last(false);

    let by_weak = server.topic("a")?;
    let weak = by_weak.downgrade();
    drop(connect_slot(&by_weak, move || keep_a_message(weak.upgrade())));
    drop(by_weak);
    ensure!(server.topic("a")?.last().is_some(), "a weak handle");
    server.topic("a")?.set_keep_last(false);

    ensure!(server.topics().is_empty());
    Ok(())
}

/// Topics that live by a slot alone are not looked through for each new name.
#[test]
fn topics_are_looked_through_when_their_number_has_doubled() -> Result<()> {
    let server = server();
    for number in 0..100 {
        server.topic(format!("slot {number}"))?.published().connect(|_topic, _message| {});
    }
    let is_visited = Rc::new(Cell::new(false));
    let visited = Rc::clone(&is_visited);
    let receiver = connect_slot(&server.topic("slot 0")?, move || visited.set(true));
    // Its slot is noticed when the topic is visited.
    drop(receiver);

    server.topic("new")?;
    ensure!(!is_visited.get());
    for number in 0..100 {
        server.topic(format!("more {number}"))?.published().connect(|_topic, _message| {});
    }
    ensure!(is_visited.get());
    Ok(())
}

/// Handles and subscriptions keep a topic also when its server is dropped.
#[test]
fn a_topic_outlives_its_server() -> Result<()> {
    let (server, [client]) = server_with_clients()?;
    let topic = server.topic("a")?;
    topic.subscribe(&client.socket)?;

    server.close();
    drop(server);

    ensure!(topic.publish_text("still here") == 1);
    client.expect(&["still here"])?;
    Ok(())
}

/// A program that lets clients name topics does not collect those that are not used.
#[test]
fn names_that_were_used_once_leave_nothing() -> Result<()> {
    let server = server();
    let kept = server.topic("kept")?;
    // A slot that has ended is noticed when topics are looked through.
    for number in 0..1000 {
        let topic = server.topic(format!("topic {number}"))?;
        topic.subscribed().connect(|_topic, _socket| {}).disconnect();
        topic.publish_text("");
    }

    ensure!(server.topics() == [kept]);
    Ok(())
}
