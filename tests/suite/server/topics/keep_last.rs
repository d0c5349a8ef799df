//! The kept message: a new subscriber gets it first, and then each later one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use slotwork::{MessageKind, PreparedMessage, SslMode, WebSocketServer};

use support::raw_peer::RawPeer;
use support::{serve, wait_until};

use crate::server::topics::{clients_of, server_with_clients};

#[test]
fn a_new_subscriber_gets_the_last_message_first() -> Result<()> {
    let (server, [early, late]) = server_with_clients()?;
    let topic = server.topic("a")?;
    topic.publish_text("before");
    ensure!(!topic.keeps_last() && topic.last().is_none());
    topic.set_keep_last(true);
    topic.subscribe(&early.socket)?;

    topic.publish_text("one");
    topic.publish_prepared_except(&PreparedMessage::text("two"), &early.socket);
    topic.subscribe(&late.socket)?;
    topic.subscribe(&late.socket)?;
    topic.publish_text("three");

    early.expect(&["one", "three"])?;
    late.expect(&["two", "three"])?;
    let last = topic.last().context("nothing was kept")?;
    ensure!(last.payload() == b"three" && last.kind() == MessageKind::Text);
    Ok(())
}

/// What a relay delivers is kept too.
#[test]
fn a_delivered_message_is_kept_until_keeping_ends() -> Result<()> {
    let server = WebSocketServer::new("Test Server", SslMode::NonSecure);
    let topic = server.topic("a")?;
    topic.set_keep_last(true);

    topic.deliver(&PreparedMessage::binary([1]));
    ensure!(topic.last().is_some_and(|last| last.payload() == [1]));
    topic.set_keep_last(false);

    ensure!(topic.last().is_none());
    topic.publish_text("not kept");
    ensure!(topic.last().is_none());
    Ok(())
}

/// A storm of another thread: each newcomer gets the kept message and then each later one once.
#[test]
fn newcomers_during_a_storm_miss_nothing_and_get_nothing_twice() -> Result<()> {
    let (server, clients) = server_with_clients::<12>()?;
    let topic = server.topic("a")?;
    topic.set_keep_last(true);
    topic.publish_text("0");
    let (has_ended, latest) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (storm, is_over, read) = (topic.clone(), Arc::clone(&has_ended), Arc::clone(&latest));
    let publisher = thread::spawn(move || {
        let mut number = 0_u64;
        while !is_over.load(Ordering::Relaxed) {
            // No more than the readers keep up with.
            if number < read.load(Ordering::Relaxed) + 1000 {
                number += 1;
                storm.publish_text(number.to_string());
            } else {
                thread::yield_now();
            }
        }
        storm.publish_text("the end");
    });

    let mut readers = Vec::new();
    for client in clients {
        let before = topic.last();
        topic.subscribe(&client.socket)?;
        let latest = Arc::clone(&latest);
        readers.push(thread::spawn(move || read_until_the_end(client.peer, &latest)));
        // Some more, so that the next newcomer meets other messages.
        wait_until(|| {
            topic.last().map(|it| it.payload().to_vec())
                != before.as_ref().map(|it| it.payload().to_vec())
        })?;
    }
    has_ended.store(true, Ordering::Relaxed);
    wait_until(|| readers.iter().all(thread::JoinHandle::is_finished))?;

    publisher.join().map_err(|_| anyhow!("the publisher panicked"))?;
    for reader in readers {
        let numbers = reader.join().map_err(|_| anyhow!("a reader panicked"))??;
        let first = *numbers.first().context("nothing came")?;
        ensure!(numbers.iter().copied().eq(first..first + numbers.len() as u64), "{numbers:?}");
    }
    Ok(())
}

fn read_until_the_end(mut peer: RawPeer, latest: &AtomicU64) -> Result<Vec<u64>> {
    let mut numbers = Vec::new();
    loop {
        let text = String::from_utf8(peer.read_frame()?.payload)?;
        if text == "the end" {
            return Ok(numbers);
        }
        let number = text.parse()?;
        latest.fetch_max(number, Ordering::Relaxed);
        numbers.push(number);
    }
}

/// The kept message of a conflated topic is sent to a newcomer as well.
#[test]
fn conflated_topics_keep_their_last_message() -> Result<()> {
    let (server, [early]) = server_with_clients()?;
    let topic = server.topic("a")?;
    topic.set_keep_last(true);
    topic.set_conflated(true);
    topic.subscribe(&early.socket)?;
    topic.publish_text("1.0831");

    let [late] = clients_of(&server)?;
    topic.subscribe(&late.socket)?;
    topic.publish_text("1.0832");

    early.expect(&["1.0831", "1.0832"])?;
    let late = late.expect(&["1.0831", "1.0832"])?;
    let mut peer = late.peer;
    serve(move || peer.close(1000, "").map(drop))
}
