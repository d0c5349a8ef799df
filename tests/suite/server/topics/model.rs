//! Threads that publish, subscribe and disconnect at random, against a model.

use std::thread;

use anyhow::{Result, anyhow, ensure};
use slotwork::{PreparedMessage, Topic, WebSocket};

use support::raw_peer::{CLOSE, RawPeer};
use support::wait_until;

use crate::server::topics::{Client, server_with_clients};

const TOPICS: usize = 4;
const CLIENTS: usize = 8;
const STEPS: usize = 400;

/// What is expected of a client: which numbers of which topics reach it, by thread.
#[derive(Default)]
struct Expected {
    is_subscribed: [bool; TOPICS],
    messages: Vec<String>,
}

/// Each thread has two clients that it alone subscribes, and publishes into all topics. So it knows
/// which of its own messages each of its clients gets; of the others each arrives at most once.
#[test]
fn threads_that_publish_and_subscribe_at_random_agree_with_a_model() -> Result<()> {
    for seed in 0..4 {
        let (server, clients) = server_with_clients::<CLIENTS>()?;
        let topics: Vec<_> =
            (0..TOPICS).map(|number| server.topic(number.to_string())).collect::<Result<_, _>>()?;
        let sockets: Vec<_> = clients.iter().map(|client| client.socket.clone()).collect();
        let reading: Vec<_> = clients
            .into_iter()
            .map(|Client { peer, .. }| thread::spawn(move || read_all(peer)))
            .collect();

        let threads: Vec<_> = (0..CLIENTS / 2)
            .map(|name| {
                let pair = sockets[2 * name..][..2].to_vec();
                let topics = topics.clone();
                let random = Random(seed * 100 + name as u64 + 1);
                thread::spawn(move || act(name, random, &topics, &pair))
            })
            .collect();
        wait_until(|| threads.iter().all(thread::JoinHandle::is_finished))?;
        for topic in &topics {
            // On the loop's thread it is behind all that was published.
            topic.subscribe(&sockets[0])?;
            topic.unsubscribe(&sockets[0]);
        }
        for socket in &sockets {
            socket.close_normally();
        }
        wait_until(|| reading.iter().all(thread::JoinHandle::is_finished))?;

        wait_until(|| topics.iter().all(|topic| topic.subscriber_count() == 0))?;
        let mut received = Vec::new();
        for reader in reading {
            received.push(reader.join().map_err(|_| anyhow!("a reader panicked"))??);
        }
        for (name, thread) in threads.into_iter().enumerate() {
            let expected = thread.join().map_err(|_| anyhow!("a thread panicked"))?;
            for (place, expected) in expected.into_iter().enumerate() {
                let texts = &received[2 * name + place];
                let prefix = format!("{name} ");
                let own: Vec<_> = texts.iter().filter(|it| it.starts_with(&prefix)).collect();
                ensure!(
                    own.iter().copied().eq(&expected.messages),
                    "{own:?}, not {:?}",
                    expected.messages
                );
                let mut once = texts.clone();
                once.sort_unstable();
                once.dedup();
                ensure!(once.len() == texts.len(), "a message came twice");
            }
        }
        drop(server);
    }
    Ok(())
}

/// Acts at random; returns what the clients have to get of this thread.
fn act(name: usize, mut random: Random, topics: &[Topic], sockets: &[WebSocket]) -> [Expected; 2] {
    let mut expected = [Expected::default(), Expected::default()];
    for step in 0..STEPS {
        let number = random.below(TOPICS);
        let (topic, place) = (&topics[number], random.below(2));
        match random.below(4) {
            0 => {
                let is_new = topic.subscribe(&sockets[place]).unwrap();
                assert_eq!(is_new, !expected[place].is_subscribed[number]);
                expected[place].is_subscribed[number] = true;
            }
            1 => {
                let was_subscribed = topic.unsubscribe(&sockets[place]);
                assert_eq!(was_subscribed, expected[place].is_subscribed[number]);
                expected[place].is_subscribed[number] = false;
            }
            kind => {
                let text = format!("{name} {step} in {number}");
                let message = PreparedMessage::text(&text);
                let except = (kind == 2).then_some(place);
                match except {
                    Some(place) => topic.publish_prepared_except(&message, &sockets[place]),
                    None => topic.publish_prepared(&message),
                };
                for (other, expected) in expected.iter_mut().enumerate() {
                    if expected.is_subscribed[number] && except != Some(other) {
                        expected.messages.push(text.clone());
                    }
                }
            }
        }
    }
    expected
}

/// Reads texts until the close frame.
fn read_all(mut peer: RawPeer) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    loop {
        let frame = peer.read_frame()?;
        if frame.opcode == CLOSE {
            peer.close_back()?;
            return Ok(texts);
        }
        texts.push(String::from_utf8(frame.payload)?);
    }
}

/// A generator of random numbers (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}
