//! The relay of a server: what its topics report.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_nats::Subject;
use slotwork::signals::Handle;
use slotwork::{PreparedMessage, TopicRelay, WeakWebSocketServer, WebSocketServer};

use crate::outbox::Outgoing;
use crate::shared::Shared;
use crate::subscriptions::Target;
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
            self.shared.subscriptions.release_now(&subject);
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
        let subject = self.subject_of(topic);
        self.shared.questions.note_newer(&subject);
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
        let keeps_last =
            |server: WebSocketServer| server.find_topic(topic)?.keeps_last().then_some(());
        if self.server().and_then(keeps_last).is_some() {
            self.shared.ask_for_last(&self.prefix, topic, &subject, self);
        }
    }

    fn unsubscribed(&self, topic: &str) {
        let Some(subject) = self.topics().remove(topic) else { return };
        if !self.prefix.has_all() {
            self.shared.subscriptions.release(&subject);
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if !self.prefix.has_all() {
            self.release_topics();
        }
        self.prefix.remove_dropped();
    }
}
