//! Subscribes what topics and signals want, and reads what arrives.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Instant;

use async_nats::{Client, Message, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use slotwork::{MessageKind, PreparedMessage};
use tokio::task::{AbortHandle, unconstrained};
use tokio::time::sleep_until;

use crate::inbox::Incoming;
use crate::outbox::{age_of, kind_of};
use crate::shared::Shared;
use crate::subscriptions::{Change, Key, Kind, Target};
use crate::topics::kept::{SentQuestion, question_of_reply, topic_of_question};

/// Makes and ends subscriptions, until the client ends.
pub(super) async fn subscribe(shared: Arc<Shared>, client: Client) {
    let mut subscribing = Subscribing { shared, client, forwards: HashMap::new() };
    loop {
        let subscriptions = &subscribing.shared.subscriptions;
        match subscriptions.next_change(Instant::now()) {
            Some(Change::Subscribe(key, target)) => {
                if subscribing.begin(key, target).await.is_err() {
                    return;
                }
            }
            Some(Change::Unsubscribe(key)) => subscribing.end(&key),
            None => {
                let end = subscriptions.next_end();
                if subscribing.ask().await.is_err() {
                    return;
                }
                let time = end.unwrap_or_else(Instant::now);
                tokio::select! {
                    () = subscribing.shared.subscriptions.wake_up.notified() => {}
                    () = sleep_until(time.into()), if end.is_some() => {}
                }
            }
        }
    }
}

struct Subscribing {
    shared: Arc<Shared>,
    client: Client,
    /// The tasks that read the subscriptions.
    forwards: HashMap<Key, Forward>,
}

/// A task that reads a subscription, and ends with this.
struct Forward(AbortHandle);

/// The client has ended.
struct ClientEnded;

impl Subscribing {
    async fn begin(&mut self, key: Key, target: Target) -> Result<(), ClientEnded> {
        if let Entry::Vacant(entry) = self.forwards.entry(key) {
            let subject = entry.key().subject.to_string();
            let subscriber = self.client.subscribe(subject).await.map_err(|_| ClientEnded)?;
            let counted = Counted::new(&self.shared);
            let forward = forward(counted, subscriber, target);
            // The inbox has the bound, not the client: what arrived is taken at once.
            entry.insert(Forward(tokio::spawn(unconstrained(forward)).abort_handle()));
        }
        Ok(())
    }

    fn end(&mut self, key: &Key) {
        // A slot may have been connected while the subscription had no users.
        let is_wanted = key.kind == Kind::Signal
            && self.shared.remote_signals.of_subject(&key.subject).iter().any(|it| it.renew());
        if !is_wanted {
            self.forwards.remove(key);
        }
    }

    /// Sends the questions for kept messages, behind the subscriptions of their topics.
    async fn ask(&self) -> Result<(), ClientEnded> {
        while self.shared.is_ready(&self.client)
            && let Some(question) = self.shared.questions.next()
        {
            let SentQuestion { subject, reply } = question;
            let sent = self.client.publish_with_reply(subject, reply, Bytes::new()).await;
            sent.map_err(|_| ClientEnded)?;
        }
        Ok(())
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Reads a subscription.
async fn forward(counted: Counted, mut subscriber: Subscriber, target: Target) {
    while let Some(message) = subscriber.next().await {
        if let Some(item) = incoming(&counted.0, &target, &message) {
            counted.0.receive(item);
        }
    }
}

/// Counts a subscription as being read.
struct Counted(Arc<Shared>);

impl Counted {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.forwards.send_modify(|count| *count += 1);
        Self(Arc::clone(shared))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.forwards.send_modify(|count| *count -= 1);
    }
}

/// Returns what the loop gets for a message; `None` if it is not valid.
fn incoming(shared: &Shared, target: &Target, message: &Message) -> Option<Incoming> {
    match target {
        Target::Topic { prefix, name } => Some(Incoming::Topic {
            prefix: Arc::clone(prefix),
            name: Arc::clone(name),
            message: prepared(shared, message)?,
            is_of_all: false,
        }),
        Target::Topics(prefix) => {
            let Some(name) = prefix.topic_of(&message.subject) else {
                shared.lose_in(1, "a subject is not that of a topic");
                return None;
            };
            Some(Incoming::Topic {
                prefix: Arc::clone(prefix),
                name: name.into(),
                message: prepared(shared, message)?,
                is_of_all: true,
            })
        }
        // Copied: the payload would keep the client's whole buffer.
        Target::Signal(subject) => {
            Some(Incoming::Signal { subject: Arc::clone(subject), json: message.payload.to_vec() })
        }
        Target::Questions => Some(Incoming::Question {
            subject: topic_of_question(&message.subject)?.to_owned(),
            reply: message.reply.as_ref()?.to_string(),
        }),
        // The server answers, with a status, when no node keeps messages.
        Target::Answers if message.status.is_some() => None,
        Target::Answers => Some(Incoming::Answer {
            number: question_of_reply(&message.subject)?,
            message: prepared(shared, message)?,
            arrived: Instant::now(),
            age: age_of(message.headers.as_ref()),
        }),
    }
}

fn prepared(shared: &Shared, message: &Message) -> Option<PreparedMessage> {
    if kind_of(message.headers.as_ref()) == MessageKind::Binary {
        return Some(PreparedMessage::binary(&message.payload));
    }
    let Ok(text) = std::str::from_utf8(&message.payload) else {
        shared.lose_in(1, "a text is not UTF-8");
        return None;
    };
    Some(PreparedMessage::text(text))
}
