//! Subscriptions: their beginning, their end, their limit.

use std::net::{TcpListener, TcpStream};

use anyhow::{Context, Result, ensure};
use slotwork::{Error, Role, SocketState, Topic, WebSocket};

use support::raw_peer::RawPeer;
use support::recorder::Recorder;
use support::{echo_server, wait_until};

use crate::server::topics::{Client, clients_of, server_with_clients};

#[test]
fn a_socket_subscribes_once_and_leaves_once() -> Result<()> {
    let (server, [one, other]) = server_with_clients()?;
    let topic = server.topic("a")?;

    ensure!(topic.subscribe(&one.socket)?);
    ensure!(!topic.subscribe(&one.socket)?);
    ensure!(topic.subscribe(&other.socket)?);
    ensure!(topic.subscriber_count() == 2);
    ensure!(topic.publish_text("both") == 2);
    ensure!(topic.unsubscribe(&one.socket));
    ensure!(!topic.unsubscribe(&one.socket));
    ensure!(topic.publish_text("one") == 1);

    ensure!(topic.subscribers() == std::slice::from_ref(&other.socket));
    one.socket.send_text_message("the end");
    other.expect(&["both", "one"])?;
    one.expect(&["both", "the end"])?;
    Ok(())
}

/// `unsubscribed` is emitted before `disconnected`, whichever way a connection ends.
#[test]
fn a_subscription_ends_with_the_connection() -> Result<()> {
    type End = fn(Client) -> Result<()>;
    let ends: [(&str, End); 4] = [
        ("the peer closes", Client::close),
        ("the peer resets", |client| client.peer.reset()),
        ("abort", |client| {
            client.socket.abort();
            Ok(())
        }),
        ("close", |client| {
            client.socket.close_normally();
            wait_until(|| client.socket.state() == SocketState::Closing)?;
            drop(client.peer);
            Ok(())
        }),
    ];
    for (way, end) in ends {
        let (server, [client, stays]) = server_with_clients()?;
        let recorder = Recorder::default();
        for name in ["a", "b"] {
            let topic = server.topic(name)?;
            topic.subscribe(&client.socket)?;
            topic.subscribe(&stays.socket)?;
            let watcher = recorder.clone();
            topic.unsubscribed().connect(move |topic, socket| {
                watcher.add(format!("left, {}", topic.subscriber_count()));
                assert!(!topic.subscribers().contains(socket));
            });
        }
        let (watcher, asked) = (recorder.clone(), server.clone());
        client.socket.disconnected().connect(move |socket, ()| {
            watcher.add(format!("disconnected, in {}", asked.topics_of(socket).len()));
        });

        end(client)?;

        recorder.wait_for_disconnected(1).context(way)?;
        recorder.check(&["left, 1", "left, 1", "disconnected, in 0"]).context(way)?;
        ensure!(server.topic("a")?.publish_text(way) == 1);
        stays.expect(&[way])?;
    }
    Ok(())
}

#[test]
fn a_socket_that_is_not_connected_cannot_subscribe() -> Result<()> {
    let (server, [client]) = server_with_clients()?;
    let topic = server.topic("a")?;
    client.socket.close_normally();

    let closing = topic.subscribe(&client.socket);
    let unconnected = topic.subscribe(&WebSocket::new());

    ensure!(matches!(closing, Err(Error::NotConnected)), "{closing:?}");
    ensure!(matches!(unconnected, Err(Error::NotConnected)), "{unconnected:?}");
    ensure!(topic.subscriber_count() == 0 && topic.publish_text("for none") == 0);
    Ok(())
}

/// A program that lets clients name topics is not exhausted by one of them.
#[test]
fn the_topics_of_a_socket_are_limited() -> Result<()> {
    let (server, [client]) = server_with_clients()?;
    ensure!(server.max_topics() == 10_000);
    server.set_max_topics(3);
    let subscribe = |number: i32| server.topic(number.to_string())?.subscribe(&client.socket);
    for number in 0..3 {
        subscribe(number)?;
    }

    let refused = subscribe(3);
    ensure!(matches!(refused, Err(Error::TooManyTopics { limit: 3 })), "{refused:?}");
    ensure!(!subscribe(0)?, "it is subscribed already");
    server.topic("1")?.unsubscribe(&client.socket);

    ensure!(subscribe(3)?);
    ensure!(server.topics_of(&client.socket).len() == 3);
    Ok(())
}

#[test]
fn the_topics_of_a_socket_are_known_for_each_server() -> Result<()> {
    let (one, [client]) = server_with_clients()?;
    let other = echo_server()?;
    for (server, names) in [(&one, &["a", "b", "c"][..]), (&other, &["a", "d"])] {
        for name in names {
            server.topic(name)?.subscribe(&client.socket)?;
        }
    }

    let topics = one.topics_of(&client.socket);
    let mut names: Vec<_> = topics.iter().map(Topic::name).collect();
    names.sort_unstable();
    ensure!(names == ["a", "b", "c"]);
    ensure!(one.unsubscribe_all(&client.socket) == 3);

    ensure!(one.topics_of(&client.socket).is_empty());
    ensure!(other.topics_of(&client.socket).len() == 2);
    ensure!(other.topic("a")?.publish_text("of the other server") == 1);
    client.expect(&["of the other server"])?;
    Ok(())
}

/// A client has a topic of a server too, and is not subscribed any more when it is opened again.
#[test]
fn a_client_subscribes_until_its_end() -> Result<()> {
    let server = echo_server()?;
    let topic = server.topic("a")?;
    let (client, recorder) = support::recorded_client();
    client.open(server.server_url())?;
    wait_until(|| client.is_valid())?;
    topic.subscribe(&client)?;

    ensure!(topic.publish_text("echoed") == 1);
    wait_until(|| recorder.lines().iter().any(|line| line.contains("echoed")))?;
    client.close_normally();
    client.open(server.server_url())?;
    recorder.wait_for_disconnected(1)?;
    wait_until(|| client.is_valid())?;

    ensure!(topic.subscriber_count() == 0 && server.topics_of(&client).is_empty());
    ensure!(topic.subscribe(&client)?);
    Ok(())
}

/// The handshake was done elsewhere: the socket has no server.
#[test]
fn a_socket_without_a_server_subscribes() -> Result<()> {
    let server = echo_server()?;
    let topic = server.topic("a")?;
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let peer = RawPeer::of(TcpStream::connect(listener.local_addr()?)?)?;
    let socket = WebSocket::from_upgraded(listener.accept()?.0, &[], Role::Server)?;

    topic.subscribe(&socket)?;

    ensure!(topic.publish_text("hello") == 1);
    let client = Client { socket, peer }.expect(&["hello"])?;
    client.peer.reset()?;
    wait_until(|| topic.subscriber_count() == 0)
}

/// Each place is used again: sockets come and go in many topics at once.
#[test]
fn subscriptions_are_kept_apart() -> Result<()> {
    let (server, clients) = server_with_clients::<5>()?;
    let names: Vec<_> = (0..40).map(|number| format!("topic {number}")).collect();
    let is_in =
        |round: usize, client: usize, topic: usize| (round + 1) * (client + 2) % 7 > topic % 5;
    for round in 0..20 {
        for (number, name) in names.iter().enumerate() {
            let topic = server.topic(name)?;
            for (place, client) in clients.iter().enumerate() {
                if is_in(round, place, number) {
                    topic.subscribe(&client.socket)?;
                } else {
                    topic.unsubscribe(&client.socket);
                }
            }
        }
        for (number, name) in names.iter().enumerate() {
            let subscribers = server.topic(name)?.subscribers();
            for (place, client) in clients.iter().enumerate() {
                let count = subscribers.iter().filter(|it| **it == client.socket).count();
                ensure!(count == usize::from(is_in(round, place, number)), "{name}, {round}");
            }
        }
    }
    let [first, ..] = clients;
    first.close()?;
    ensure!(names.iter().all(|name| server.topic(name).is_ok_and(|it| it.subscriber_count() < 5)));
    let [late] = clients_of(&server)?;
    ensure!(server.topics_of(&late.socket).is_empty());
    Ok(())
}
