//! The relay of a server: what its topics report.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use async_nats::Subject;
use slotwork::signals::Handle;
use slotwork::{PreparedMessage, TopicRelay, WeakWebSocketServer, WebSocketServer};

use crate::outbox::Outgoing;
use crate::shared::Shared;
use crate::subscriptions::{Kind, Target};
use crate::topics::prefix::{Member, Prefix};

/// Carries the messages of one server's topics to the other nodes.
///
/// The server holds it; it holds the server weakly.
pub(crate) struct Relay {
    shared: Arc<Shared>,
    prefix: Arc<Prefix>,
    server: WeakWebSocketServer,
    /// The topics with subscribers, with their subjects.
    topics: Mutex<HashMap<Box<str>, Subject>>,
}

impl Relay {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        prefix: Arc<Prefix>,
        server: &WebSocketServer,
    ) -> Arc<Self> {
        let relay = Arc::new(Self {
            shared: Arc::clone(shared),
            prefix,
            server: server.whole().downgrade(),
            topics: Mutex::default(),
        });
        let member: Weak<Self> = Arc::downgrade(&relay);
        relay.prefix.add(member);
        relay
    }

    fn subject_of(&self, topic: &str) -> Subject {
        let known = self.topics().get(topic).cloned();
        known.unwrap_or_else(|| self.prefix.subject_of(topic))
    }

    fn keeps_last(&self, topic: &str) -> bool {
        let topic = self.server().and_then(|server| server.find_topic(topic));
        topic.is_some_and(|topic| topic.keeps_last())
    }

    /// Ends the question for the kept message of a topic without subscribers.
    fn end_question(&self, topic: &str, subject: &str) {
        if self.shared.questions.are_open() && !self.is_wanted_elsewhere(topic) {
            self.shared.questions.end(subject);
        }
    }

    /// Returns whether another server of this process has subscribers of a topic.
    fn is_wanted_elsewhere(&self, topic: &str) -> bool {
        let mut is_wanted = false;
        self.prefix.for_each_topic(topic, Some(self), |topic| {
            is_wanted |= topic.subscriber_count() > 0;
        });
        is_wanted
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<Box<str>, Subject>> {
        // No code of others runs under the lock.
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member for Relay {
    fn server(&self) -> Option<WebSocketServer> {
        self.server.upgrade()
    }

    fn release_topics(&self) {
        let subjects: Vec<_> = self.topics().values().cloned().collect();
        for subject in subjects {
            self.shared.subscriptions.release_now(&subject, Kind::Topic);
        }
    }
}

impl TopicRelay for Relay {
    fn published(&self, topic: &str, message: &PreparedMessage) {
        if self.shared.has_ended() {
            return;
        }
        if self.prefix.has_several() {
            self.prefix.deliver(topic, message, Some(self));
        }
        if self.keeps_last(topic) {
            self.prefix.note_kept(topic, Some(Instant::now()));
        }
        let subject = self.subject_of(topic);
        self.shared.questions.end(&subject);
        self.shared.publish(Outgoing::of_prepared(subject, message));
    }

    fn subscribed(&self, topic: &str) {
        if self.shared.has_ended() {
            return;
        }
        let subject = self.prefix.subject_of(topic);
        let is_new = match self.topics().entry(topic.into()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(entry) => {
                entry.insert(subject.clone());
                true
            }
        };
        if is_new && !self.prefix.has_all() {
            let target = Target::Topic { prefix: Arc::clone(&self.prefix), name: topic.into() };
            self.shared.subscriptions.add(&subject, target);
        }
        if self.keeps_last(topic) {
            self.shared.ask_for_last(&self.prefix, topic, &subject, self);
        }
    }

    fn unsubscribed(&self, topic: &str) {
        let Some(subject) = self.topics().remove(topic) else { return };
        if !self.prefix.has_all() {
            self.shared.subscriptions.release(&subject, Kind::Topic);
        }
        self.end_question(topic, &subject);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if !self.prefix.has_all() {
            self.release_topics();
        }
        let topics = mem::take(&mut *self.topics());
        for (topic, subject) in topics {
            self.end_question(&topic, &subject);
        }
        self.prefix.remove_dropped();
    }
}

#[cfg(test)]
mod tests {
    use slotwork::SslMode;

    use crate::topics::prefix::Prefixes;

    use super::*;

    /// As without a connection, in which no question is sent.
    #[test]
    fn a_topic_without_subscribers_has_no_question() {
        let shared = Arc::new(Shared::new());
        let server = WebSocketServer::new("Rates", SslMode::NonSecure);
        let relay = Relay::new(&shared, Prefixes::default().get("rates"), &server);
        let topic = server.topic("EURUSD").unwrap();
        topic.set_keep_last(true);

        relay.subscribed("EURUSD");
        assert!(shared.questions.are_open());
        relay.unsubscribed("EURUSD");

        assert!(!shared.questions.are_open());
        assert!(shared.subscriptions.next_change(Instant::now()).is_none());
        relay.subscribed("EURUSD");
        drop(relay);
        assert!(!shared.questions.are_open());
        assert!(shared.subscriptions.next_change(Instant::now()).is_none());
    }
}
