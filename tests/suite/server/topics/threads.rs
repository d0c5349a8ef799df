//! Topics of a server on several threads: those of the whole server.

use std::thread;

use anyhow::{Result, anyhow, ensure};
use slotwork::{HostAddress, ServerThreads, SslMode, WebSocketServer};

use support::raw_peer::{RawPeer, TEXT, masked};
use support::recorder::Recorder;
use support::{serve, wait_until};

/// A server on threads whose clients are subscribed to a topic when they are taken.
fn subscribing_server(count: usize) -> Result<(WebSocketServer, ServerThreads)> {
    let server = WebSocketServer::new("Test Server", SslMode::NonSecure);
    let threads = server.serve_on_threads(count, |part| {
        part.new_connection().connect(|part, ()| {
            while let Some(socket) = part.next_pending_connection() {
                let Ok(topic) = part.topic("a") else { return };
                assert!(topic.subscribe(&socket).is_ok());
                socket.text_message_received().connect_to(&topic, |topic, _socket, text| {
                    topic.publish_text(text);
                });
            }
        });
    })?;
    server.listen(HostAddress::LocalHost, 0)?;
    Ok((server, threads))
}

fn open(server: &WebSocketServer, count: usize) -> Result<Vec<RawPeer>> {
    let topic = server.topic("a")?;
    let port = server.server_port();
    let peers = serve(move || (0..count).map(|_| RawPeer::open(port)).collect::<Result<_>>())?;
    wait_until(|| topic.subscriber_count() == count)?;
    Ok(peers)
}

/// A slot of one part, the whole server and a foreign thread publish to the clients of all parts.
#[test]
fn a_message_reaches_the_subscribers_of_all_threads() -> Result<()> {
    let (server, _threads) = subscribing_server(3)?;
    let mut peers = open(&server, 6)?;
    let topic = server.topic("a")?;

    ensure!(topic.publish_text("of the server") == 6);
    peers.iter_mut().try_for_each(|peer| peer.expect_texts(&["of the server"]))?;
    peers[2].send(masked(TEXT, b"of a client"))?;
    peers.iter_mut().try_for_each(|peer| peer.expect_texts(&["of a client"]))?;
    let foreign = topic.clone();
    let count = thread::spawn(move || foreign.publish_text("of a thread")).join();

    ensure!(count.map_err(|_| anyhow!("the thread panicked"))? == 6);
    peers.iter_mut().try_for_each(|peer| peer.expect_texts(&["of a thread"]))?;
    ensure!(server.topics_of(&topic.subscribers()[0]) == [topic]);
    Ok(())
}

/// Clients of all threads publish at once, and all of them get one order.
#[test]
fn the_order_is_the_same_on_all_threads() -> Result<()> {
    const COUNT: usize = 150;
    let (server, _threads) = subscribing_server(3)?;
    let peers = open(&server, 6)?;

    let reading: Vec<_> = peers
        .into_iter()
        .enumerate()
        .map(|(name, mut peer)| {
            thread::spawn(move || -> Result<Vec<String>> {
                let texts = (0..COUNT).map(|number| format!("{name} {number:03}"));
                let frames: Vec<u8> = texts.flat_map(|it| masked(TEXT, it.as_bytes())).collect();
                peer.send(frames)?;
                let texts =
                    (0..6 * COUNT).map(|_| Ok(String::from_utf8(peer.read_frame()?.payload)?));
                texts.collect()
            })
        })
        .collect();
    let orders: Vec<_> = reading
        .into_iter()
        .map(|it| it.join().map_err(|_| anyhow!("a peer panicked"))?)
        .collect::<Result<_>>()?;

    ensure!(orders.iter().all(|order| *order == orders[0]));
    for name in 0..6 {
        let of_one: Vec<_> =
            orders[0].iter().filter(|it| it.starts_with(&name.to_string())).collect();
        ensure!(of_one.is_sorted() && of_one.len() == COUNT);
    }
    Ok(())
}

/// Slots of a topic run in the thread that connected them, with the counts of all parts.
#[test]
fn presence_is_that_of_all_threads() -> Result<()> {
    let (server, threads) = subscribing_server(2)?;
    let topic = server.topic("a")?;
    let recorder = Recorder::default();
    let (came, left) = (recorder.clone(), recorder.clone());
    topic.subscribed().connect(move |_topic, _socket| came.add("came"));
    topic.unsubscribed().connect(move |_topic, _socket| left.add("left"));

    let mut peers = open(&server, 2)?;
    let leaving = peers.pop();
    serve(move || leaving.map_or(Ok(()), RawPeer::reset))?;
    recorder.wait_for(&["came", "came", "left"])?;
    ensure!(topic.subscriber_count() == 1);
    // The end of the threads ends the subscriptions.
    drop(threads);

    recorder.wait_for(&["came", "came", "left", "left"])?;
    ensure!(topic.subscriber_count() == 0 && topic.publish_text("for none") == 0);
    Ok(())
}

/// A kept message is in front of each later one for newcomers of all threads.
#[test]
fn newcomers_of_all_threads_get_the_kept_message_first() -> Result<()> {
    const LAST: usize = 400;
    let (server, _threads) = subscribing_server(3)?;
    let topic = server.topic("a")?;
    topic.set_keep_last(true);
    topic.publish_text("0");
    let port = server.server_port();

    let reading: Vec<_> = (0..6)
        .map(|_| {
            thread::spawn(move || -> Result<Vec<usize>> {
                let mut peer = RawPeer::open(port)?;
                let mut numbers = Vec::new();
                while numbers.last() != Some(&LAST) {
                    numbers.push(String::from_utf8(peer.read_frame()?.payload)?.parse()?);
                }
                Ok(numbers)
            })
        })
        .collect();
    let storm = topic.clone();
    let publisher = thread::spawn(move || {
        (1..=LAST).for_each(|number| _ = storm.publish_text(number.to_string()));
    });
    wait_until(|| reading.iter().all(thread::JoinHandle::is_finished))?;

    publisher.join().map_err(|_| anyhow!("the publisher panicked"))?;
    for reader in reading {
        let numbers = reader.join().map_err(|_| anyhow!("a peer panicked"))??;
        ensure!(numbers.iter().copied().eq(numbers[0]..=LAST), "{numbers:?}");
    }
    Ok(())
}
