//! The memory of topics and subscriptions.

use allocation_counter::measure;
use anyhow::Result;
use slotwork::{Topic, WebSocketServer};

use crate::clients::Clients;

pub(crate) fn run() -> Result<()> {
    let clients = Clients::open(SOCKETS)?;
    let mut topics = Ok(Vec::new());
    let seen = measure(|| topics = make_topics(&clients.server));
    let topics = topics?;
    // Without the handles, and the names.
    let handles = i64::try_from(topics.capacity() * size_of::<Topic>() + TOPICS * NAME)?;
    let topic = (seen.bytes_current - handles) / i64::try_from(TOPICS)?;
    println!("\n{topic} bytes a topic without subscribers, and its name");

    // The first subscription of a socket allocates the part of its state that few sockets need.
    let first = clients.server.topic("first")?;
    let subscribe_all = || {
        for socket in &clients.sockets {
            _ = first.subscribe(socket);
        }
    };
    let seen = measure(subscribe_all);
    println!(
        "{} bytes for the first topic of a socket",
        seen.bytes_current / i64::try_from(SOCKETS)?
    );
    for in_each in [10, 100, 1000] {
        let seen = measure(|| {
            for (number, socket) in clients.sockets.iter().enumerate() {
                for topic in topics.iter().cycle().skip(number * 7).take(in_each) {
                    _ = topic.subscribe(socket);
                }
            }
        });
        let count = i64::try_from(SOCKETS * in_each)?;
        println!(
            "{} bytes a subscription of {SOCKETS} sockets in {in_each} of {TOPICS} topics",
            seen.bytes_current / count
        );
        for socket in &clients.sockets {
            clients.server.unsubscribe_all(socket);
            _ = first.subscribe(socket);
        }
    }
    Ok(())
}

fn make_topics(server: &WebSocketServer) -> Result<Vec<Topic>> {
    let names = (0..TOPICS).map(|number| format!("{number:0NAME$}"));
    Ok(names.map(|name| server.topic(name)).collect::<Result<_, _>>()?)
}

const SOCKETS: usize = 1000;
const TOPICS: usize = 1000;
const NAME: usize = 20;
