//! The relay: its calls for publications and subscribers.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Result, anyhow, ensure};
use slotwork::signals::Handle;
use slotwork::{PreparedMessage, TopicRelay, WeakWebSocketServer, WebSocketServer};

use support::panic_in_slot;

use crate::server::topics::server_with_clients;

/// A relay that records its calls.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, line: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn check(&self, expected: &[&str]) -> Result<()> {
        let lines = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        ensure!(lines == expected, "{lines:?}, not {expected:?}");
        Ok(())
    }
}

impl TopicRelay for Log {
    fn published(&self, topic: &str, message: &PreparedMessage) {
        self.add(format!("{topic}: {}", String::from_utf8_lossy(message.payload())));
    }

    fn subscribed(&self, topic: &str) {
        self.add(format!("+{topic}"));
    }

    fn unsubscribed(&self, topic: &str) {
        self.add(format!("-{topic}"));
    }
}

#[test]
fn a_relay_gets_the_first_and_the_last_subscriber_and_what_is_published() -> Result<()> {
    let (server, [one, other]) = server_with_clients()?;
    let log = Log::default();
    server.set_topic_relay(Arc::new(log.clone()));
    let topic = server.topic("a")?;

    topic.publish_text("without subscribers");
    topic.subscribe(&one.socket)?;
    topic.subscribe(&other.socket)?;
    topic.publish_prepared_except(&PreparedMessage::text("all but one"), &one.socket);
    topic.deliver(&PreparedMessage::text("from elsewhere"));
    topic.unsubscribe(&one.socket);
    other.expect(&["all but one", "from elsewhere"])?.close()?;

    log.check(&["a: without subscribers", "+a", "a: all but one", "-a"])?;
    one.socket.send_text_message("the end");
    one.expect(&["from elsewhere", "the end"])?;
    Ok(())
}

/// A slot that publishes in its own topic comes after the message it is called for.
#[test]
fn a_relay_gets_messages_in_the_order_of_the_subscribers() -> Result<()> {
    let (server, [client]) = server_with_clients()?;
    let log = Log::default();
    server.set_topic_relay(Arc::new(log.clone()));
    let topic = server.topic("a")?;
    topic.subscribe(&client.socket)?;
    topic.published().connect(|topic, message| {
        if message.as_text() == Some("question") {
            topic.publish_text("answer");
        }
    });

    topic.publish_text("question");
    topic.publish_prepared_except(&PreparedMessage::text("question"), &client.socket);

    log.check(&["+a", "a: question", "a: answer", "a: question", "a: answer"])?;
    client.expect(&["question", "answer", "answer"])?;
    Ok(())
}

/// A bridge that is set up late learns of the topics that have subscribers.
#[test]
fn a_new_relay_gets_the_topics_with_subscribers() -> Result<()> {
    let (server, [client]) = server_with_clients()?;
    server.topic("a")?.subscribe(&client.socket)?;
    let empty = server.topic("empty")?;
    let (first, second) = (Log::default(), Log::default());

    server.set_topic_relay(Arc::new(first.clone()));
    server.set_topic_relay(Arc::new(second.clone()));
    empty.subscribe(&client.socket)?;
    client.close()?;

    first.check(&["+a"])?;
    let mut lines = second.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    lines.sort_unstable();
    ensure!(lines == ["+a", "+empty", "-a", "-empty"], "{lines:?}");
    Ok(())
}

/// A relay that is set while the one before is called gets each topic once.
#[test]
fn a_relay_replaced_during_its_call_is_followed_by_one_report() -> Result<()> {
    struct Replaced(WeakWebSocketServer, Log);

    impl TopicRelay for Replaced {
        fn published(&self, _topic: &str, _message: &PreparedMessage) {}

        fn subscribed(&self, topic: &str) {
            self.1.add(format!("former +{topic}"));
            if let Some(server) = self.0.upgrade() {
                server.set_topic_relay(Arc::new(self.1.clone()));
            }
        }

        fn unsubscribed(&self, _topic: &str) {}
    }
    let (server, [client]) = server_with_clients()?;
    let log = Log::default();
    server.set_topic_relay(Arc::new(Replaced(server.downgrade(), log.clone())));

    server.topic("a")?.subscribe(&client.socket)?;
    server.topic("b")?.subscribe(&client.socket)?;
    server.topic("a")?.unsubscribe(&client.socket);

    log.check(&["former +a", "+a", "+b", "-a"])
}

/// No lock is held: a relay may call its topic, also for another server, and may panic.
#[test]
fn a_relay_may_use_the_topics() -> Result<()> {
    struct Mirror(WebSocketServer);
    impl TopicRelay for Mirror {
        fn published(&self, topic: &str, message: &PreparedMessage) {
            if let Ok(topic) = self.0.topic(format!("copy of {topic}")) {
                topic.deliver(message);
            }
        }

        fn subscribed(&self, topic: &str) {
            assert!(self.0.topic(topic).is_ok_and(|topic| topic.subscriber_count() == 1));
        }

        fn unsubscribed(&self, _topic: &str) {
            panic_in_slot()
        }
    }
    let (server, [client]) = server_with_clients()?;
    server.set_topic_relay(Arc::new(Mirror(server.clone())));
    let topic = server.topic("a")?;
    server.topic("copy of a")?.subscribe(&client.socket)?;
    topic.subscribe(&client.socket)?;

    topic.publish_text("hello");
    topic.unsubscribe(&client.socket);

    ensure!(topic.subscriber_count() == 0);
    client.expect(&["hello", "hello"])?;
    Ok(())
}

/// Two threads that subscribe and leave: the reports alternate, and end with the last state.
#[test]
fn reports_of_several_threads_alternate() -> Result<()> {
    let (server, clients) = server_with_clients::<2>()?;
    let log = Log::default();
    server.set_topic_relay(Arc::new(log.clone()));
    let topic = server.topic("a")?;

    let threads = clients.each_ref().map(|client| {
        let (topic, socket) = (topic.clone(), client.socket.clone());
        thread::spawn(move || {
            for _ in 0..300 {
                assert!(topic.subscribe(&socket).is_ok_and(|is_new| is_new));
                assert!(topic.unsubscribe(&socket));
            }
        })
    });
    for thread in threads {
        thread.join().map_err(|_| anyhow!("a thread panicked"))?;
    }

    let lines = log.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    ensure!(lines.len() >= 2 && lines.len() % 2 == 0);
    ensure!(lines.chunks(2).all(|pair| pair == ["+a", "-a"]), "{lines:?}");
    Ok(())
}
