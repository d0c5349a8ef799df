//! The relay of a server: what its topics report.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use async_nats::Subject;
use slotwork::signals::Handle;
use slotwork::{
    PreparedMessage, Topic, TopicRelay, WeakTopic, WeakWebSocketServer, WebSocketServer,
};

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
    /// The topics with subscribers, by their names.
    topics: Mutex<Topics>,
}

type Topics = HashMap<Box<str>, Subscribed>;

/// A topic with subscribers.
#[derive(Clone)]
struct Subscribed {
    subject: Subject,
    topic: WeakTopic,
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

    /// Returns a topic that is published, unless it has ended, and its subject.
    fn look_up(&self, name: &str) -> (Option<Topic>, Subject) {
        let known = self.topics().get(name).cloned();
        match known {
            Some(Subscribed { subject, topic }) => (topic.upgrade(), subject),
            None => (self.find_topic(name), self.prefix.subject_of(name)),
        }
    }

    fn find_topic(&self, name: &str) -> Option<Topic> {
        self.server()?.find_topic(name)
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

    fn topics(&self) -> MutexGuard<'_, Topics> {
        // No code of others runs under the lock.
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member for Relay {
    fn server(&self) -> Option<WebSocketServer> {
        self.server.upgrade()
    }

    fn release_topics(&self) {
        let topics: Vec<_> = self.topics().values().cloned().collect();
        for Subscribed { subject, .. } in topics {
            self.shared.subscriptions.release_now(&subject, Kind::Topic);
        }
    }
}

impl TopicRelay for Relay {
    fn published(&self, name: &str, message: &PreparedMessage) {
        if self.shared.has_ended() {
            return;
        }
        if self.prefix.has_several() {
            self.prefix.deliver(name, message, Some(self));
        }
        let (topic, subject) = self.look_up(name);
        if topic.is_some_and(|topic| topic.keeps_last()) {
            self.prefix.note_kept(name, Some(Instant::now()));
        }
        self.shared.questions.end(&subject);
        self.shared.publish(Outgoing::of_prepared(subject, message));
    }

    fn subscribed(&self, name: &str) {
        if self.shared.has_ended() {
            return;
        }
        // Its subscriber holds it.
        let Some(topic) = self.find_topic(name) else { return };
        let subject = self.prefix.subject_of(name);
        let is_new = match self.topics().entry(name.into()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(entry) => {
                entry.insert(Subscribed { subject: subject.clone(), topic: topic.downgrade() });
                true
            }
        };
        if is_new && !self.prefix.has_all() {
            let target = Target::Topic { prefix: Arc::clone(&self.prefix), name: name.into() };
            self.shared.subscriptions.add(&subject, target);
        }
        if topic.keeps_last() {
            self.shared.ask_for_last(&self.prefix, name, &subject, self);
        }
    }

    fn unsubscribed(&self, name: &str) {
        let Some(Subscribed { subject, .. }) = self.topics().remove(name) else { return };
        if !self.prefix.has_all() {
            self.shared.subscriptions.release(&subject, Kind::Topic);
        }
        self.end_question(name, &subject);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if !self.prefix.has_all() {
            self.release_topics();
        }
        let topics = mem::take(&mut *self.topics());
        for (name, Subscribed { subject, .. }) in topics {
            self.end_question(&name, &subject);
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
