//! Publishing: which sockets get a message, and in which order.

use std::thread;

use anyhow::{Result, anyhow, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{Message, MessageKind, PreparedMessage};

use support::raw_peer::{BINARY, TEXT, check_good_client};
use support::{echo_server, serve};

use crate::server::topics::server_with_clients;

/// RFC 6455 §5.6: text and binary messages, also empty and big ones.
#[test]
fn text_and_binary_messages_are_published() -> Result<()> {
    let (server, [client]) = server_with_clients()?;
    let topic = server.topic("a")?;
    topic.subscribe(&client.socket)?;
    let big = vec![7; 300_000];

    topic.publish_text("é");
    topic.publish_text("");
    topic.publish_binary([1, 2]);
    topic.publish_prepared(&PreparedMessage::binary(&big));

    let mut peer = client.peer;
    serve(move || {
        for (opcode, payload) in
            [(TEXT, "é".as_bytes()), (TEXT, b""), (BINARY, &[1, 2]), (BINARY, &big)]
        {
            let frame = peer.read_frame()?;
            ensure!(frame.opcode == opcode && frame.payload == payload, "{}", frame.opcode);
        }
        Ok(())
    })
}

#[test]
fn the_speaker_is_left_out() -> Result<()> {
    let (server, [speaker, listener, stranger]) = server_with_clients()?;
    let topic = server.topic("a")?;
    topic.subscribe(&speaker.socket)?;
    topic.subscribe(&listener.socket)?;
    let message = PreparedMessage::text("hello");

    ensure!(topic.publish_prepared_except(&message, &speaker.socket) == 1);
    ensure!(topic.publish_prepared_except(&message, &stranger.socket) == 2);
    ensure!(topic.publish_text("the end") == 2);

    speaker.expect(&["hello", "the end"])?;
    listener.expect(&["hello", "hello", "the end"])?;
    Ok(())
}

/// What a thread publishes and sends to the sockets of its loop keeps its order.
#[test]
fn messages_of_a_thread_keep_their_order() -> Result<()> {
    let (server, [client]) = server_with_clients()?;
    let (one, other) = (server.topic("a")?, server.topic("b")?);
    one.subscribe(&client.socket)?;
    other.subscribe(&client.socket)?;

    let mut expected = Vec::new();
    for number in 0..100 {
        one.publish_text(format!("a{number}"));
        client.socket.send_text_message(format!("direct {number}"));
        other.publish_text(format!("b{number}"));
        server.broadcast_text(format!("all {number}"));
        for name in ["a", "direct ", "b", "all "] {
            expected.push(format!("{name}{number}"));
        }
    }

    client.expect(&expected.iter().map(String::as_str).collect::<Vec<_>>())?;
    Ok(())
}

/// Subscribers on the same loop, and one of another server: all get one order.
#[test]
fn messages_of_several_threads_have_one_order_for_all() -> Result<()> {
    const COUNT: usize = 300;
    let (server, [one, other]) = server_with_clients()?;
    let topic = server.topic("a")?;
    topic.subscribe(&one.socket)?;
    topic.subscribe(&other.socket)?;

    let publishers = ["a", "b", "c"].map(|name| {
        let topic = topic.clone();
        thread::spawn(move || {
            (0..COUNT).for_each(|number| {
                assert_eq!(topic.publish_text(format!("{name}{number:03}")), 2);
            });
        })
    });
    // The loop's own thread publishes meanwhile.
    (0..COUNT).for_each(|number| _ = topic.publish_text(format!("d{number:03}")));
    let orders = serve(move || {
        let read = |mut peer: support::raw_peer::RawPeer| -> Result<Vec<String>> {
            let texts = (0..4 * COUNT).map(|_| Ok(String::from_utf8(peer.read_frame()?.payload)?));
            texts.collect()
        };
        Ok([read(one.peer)?, read(other.peer)?])
    })?;

    for publisher in publishers {
        publisher.join().map_err(|_| anyhow!("a publisher panicked"))?;
    }
    ensure!(orders[0] == orders[1]);
    for name in ["a", "b", "c", "d"] {
        let of_one: Vec<_> = orders[0].iter().filter(|text| text.starts_with(name)).collect();
        ensure!(of_one.is_sorted() && of_one.len() == COUNT, "{of_one:?}");
    }
    Ok(())
}

/// `published` has each message, also without subscribers.
#[test]
fn published_messages_are_emitted() -> Result<()> {
    let server = echo_server()?;
    let topic = server.topic("a")?;
    let published = SignalSpy::new(&topic.published());

    topic.publish_text("é");
    topic.publish_binary([0xFF]);
    topic.deliver(&PreparedMessage::text("delivered"));

    let expected = [Message::from("é"), Message::from(vec![0xFF]), Message::from("delivered")];
    ensure!(published.values() == expected);
    let port = server.server_port();
    serve(move || check_good_client(port))
}

#[test]
fn a_prepared_message_shows_its_kind_and_payload() {
    let text = PreparedMessage::text("é");
    let bytes = vec![1; 70_000];
    let binary = PreparedMessage::binary(&bytes);

    assert_eq!((text.kind(), text.payload()), (MessageKind::Text, "é".as_bytes()));
    assert_eq!((binary.kind(), binary.payload()), (MessageKind::Binary, &bytes[..]));
}
