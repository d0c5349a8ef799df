//! Kept messages: a node asks the others for those of a topic, and answers them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use slotwork::{PreparedMessage, Topic};

use crate::outbox::Outgoing;
use crate::shared::Shared;
use crate::subscriptions::Target;
use crate::topics::kept::{questions_of, replies_of};
use crate::topics::prefix::{Member, Prefix};

/// Subscribes the questions of other nodes, and the answers to those of this one.
pub(crate) fn listen(shared: &Shared, prefix: &Prefix) {
    if prefix.begin_listening() {
        let answers = shared.questions.subject_of_answers(prefix);
        shared.subscriptions.add(&answers, Target::Answers);
        shared.subscriptions.add(&questions_of(prefix), Target::Questions);
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
        if let Some(message) = prefix.last_of(topic, Some(relay)) {
            prefix.for_each_topic(topic, None, |topic| {
                if topic.keeps_last() && topic.last().is_none() {
                    topic.deliver(&message);
                }
            });
        }
        self.questions.add(prefix, topic, subject);
        self.subscriptions.wake_up.notify_one();
    }

    /// Answers the question of another node, if a topic here keeps a message.
    pub(crate) fn answer(&self, subject: &str, reply: &str) {
        let Some((prefix, topic)) = self.prefixes.topic_of(subject) else { return };
        if !reply.starts_with(&replies_of(&prefix)) {
            return;
        }
        if let Some(message) = prefix.last_of(&topic, None) {
            let since = prefix.kept_time(&topic);
            self.publish(Outgoing { since, ..Outgoing::of_prepared(reply.into(), &message) });
        }
    }

    /// Delivers the answer of another node.
    ///
    /// Only if it is in time, and newer than what is kept here.
    /// An answer without an age is the oldest.
    pub(crate) fn take_answer(
        &self,
        number: u64,
        message: &PreparedMessage,
        arrived: Instant,
        age: Option<Duration>,
    ) {
        let Some((prefix, topic)) = self.questions.open_at(number, arrived) else { return };
        let time = age.and_then(|age| arrived.checked_sub(age));
        // A time may be that of a topic that has ended since.
        let known = prefix.kept_time(&topic).filter(|_| prefix.last_of(&topic, None).is_some());
        let is_newer = time > known;
        let mut is_kept = false;
        prefix.for_each_topic(&topic, None, |topic| {
            if topic.keeps_last() && (is_newer || topic.last().is_none()) {
                is_kept = true;
                update(topic, message);
            }
        });
        if is_kept && (is_newer || known.is_none()) {
            prefix.note_kept(&topic, time);
        }
    }
}

/// Delivers a kept message, unless the topic keeps the same already.
fn update(topic: &Topic, message: &PreparedMessage) {
    let is_known = topic
        .last()
        .is_some_and(|last| last.kind() == message.kind() && last.payload() == message.payload());
    if !is_known {
        topic.deliver(message);
    }
}
