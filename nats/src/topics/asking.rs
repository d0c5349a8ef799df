//! Kept messages: a node asks the others for the last message of a topic, and answers them.

use std::sync::Arc;
use std::time::Instant;

use slotwork::{PreparedMessage, Topic};

use crate::outbox::Outgoing;
use crate::shared::Shared;
use crate::subscriptions::Target;
use crate::topics::kept::{QUESTIONS, REPLIES};
use crate::topics::prefix::{Member, Prefix};

/// Subscribes the questions of other nodes, and the answers to those of this one.
pub(crate) fn listen(shared: &Shared) {
    if let Some(answers) = shared.questions.begin_listening() {
        shared.subscriptions.add(&answers, Target::Answers);
        shared.subscriptions.add(QUESTIONS, Target::Questions);
    }
}

impl Shared {
    /// Has the kept message of a topic fetched, for its first subscriber here.
    pub(crate) fn ask_for_last(
        &self,
        prefix: &Arc<Prefix>,
        topic: &str,
        subject: &str,
        relay: &dyn Member,
    ) {
        // Another server of this process may have it.
        let mut known = None;
        prefix.for_each_topic(topic, Some(relay), |topic| known = known.take().or(topic.last()));
        if let Some(message) = known {
            prefix.for_each_topic(topic, None, |topic| update(topic, &message));
        }
        self.questions.add(prefix, topic, subject);
        self.subscriptions.wake_up.notify_one();
    }

    /// Answers the question of another node, if a topic here keeps a message.
    pub(crate) fn answer(&self, subject: &str, reply: &str) {
        if !reply.starts_with(REPLIES) {
            return;
        }
        let Some((prefix, topic)) = self.prefixes.topic_of(subject) else { return };
        let mut last = None;
        prefix.for_each_topic(&topic, None, |topic| last = last.take().or(topic.last()));
        if let Some(message) = last {
            self.publish(Outgoing::of_prepared(reply.into(), &message));
        }
    }

    /// Delivers the answer of another node, if it is in time.
    pub(crate) fn take_answer(&self, number: u64, message: &PreparedMessage, arrived: Instant) {
        if let Some((prefix, topic)) = self.questions.open_at(number, arrived) {
            prefix.for_each_topic(&topic, None, |topic| update(topic, message));
        }
    }
}

/// Delivers a kept message, unless the topic keeps the same already.
fn update(topic: &Topic, message: &PreparedMessage) {
    let is_known = topic
        .last()
        .is_some_and(|last| last.kind() == message.kind() && last.payload() == message.payload());
    if topic.keeps_last() && !is_known {
        topic.deliver(message);
    }
}
