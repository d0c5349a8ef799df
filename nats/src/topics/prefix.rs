//! The servers of this process whose topics have the same prefix.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use async_nats::Subject;
use slotwork::{PreparedMessage, Topic, WebSocketServer};

use crate::subjects::{subject_of_topic, topic_of_subject};
use crate::topics::kept_times::KeptTimes;

/// The prefixes of a bridge, by their subjects.
#[derive(Default)]
pub(crate) struct Prefixes(Mutex<HashMap<String, Arc<Prefix>>>);

/// The relay of a server, as the prefix knows it.
pub(crate) trait Member: Send + Sync {
    fn server(&self) -> Option<WebSocketServer>;

    /// Ends the subscriptions of the single topics.
    fn release_topics(&self);
}

/// A prefix, with the relays of its servers.
pub(crate) struct Prefix {
    subject: Box<str>,
    /// Copied at a change.
    relays: Mutex<Members>,
    /// One subscription receives all topics.
    has_all: AtomicBool,
    /// Questions for kept messages, and answers, are subscribed.
    is_listening: AtomicBool,
    kept_times: KeptTimes,
}

type Members = Arc<[Weak<dyn Member>]>;

impl Prefixes {
    pub(crate) fn get(&self, subject: &str) -> Arc<Prefix> {
        let mut prefixes = lock(&self.0);
        let prefix = prefixes.entry(subject.to_owned()).or_insert_with(|| {
            Arc::new(Prefix {
                subject: subject.into(),
                relays: Mutex::new(Arc::new([])),
                has_all: AtomicBool::new(false),
                is_listening: AtomicBool::new(false),
                kept_times: KeptTimes::default(),
            })
        });
        Arc::clone(prefix)
    }

    /// Returns the prefix and the topic of a subject.
    pub(crate) fn topic_of(&self, subject: &str) -> Option<(Arc<Prefix>, String)> {
        let prefixes = lock(&self.0);
        let found = |prefix: &Arc<Prefix>| Some((Arc::clone(prefix), prefix.topic_of(subject)?));
        prefixes.values().find_map(found)
    }
}

impl Prefix {
    pub(crate) fn subject(&self) -> &str {
        &self.subject
    }

    /// Returns the subject of all topics.
    pub(crate) fn subject_of_all(&self) -> String {
        format!("{}.>", self.subject)
    }

    /// Returns whether questions and answers are to be subscribed now: once.
    pub(crate) fn begin_listening(&self) -> bool {
        !self.is_listening.swap(true, Ordering::AcqRel)
    }

    /// Notes the publication time of the message that a topic keeps.
    ///
    /// `None` is not known.
    pub(crate) fn note_kept(&self, topic: &str, time: Option<Instant>) {
        self.kept_times.note(topic, time, |name| self.is_kept(name));
    }

    /// Returns when a kept message was published, if that is known.
    pub(crate) fn kept_time(&self, topic: &str) -> Option<Instant> {
        self.kept_times.get(topic)
    }

    /// Returns the message that a topic keeps, on any server but one.
    pub(crate) fn last_of(
        &self,
        name: &str,
        except: Option<&dyn Member>,
    ) -> Option<PreparedMessage> {
        let mut last = None;
        self.for_each_topic(name, except, |topic| last = last.take().or_else(|| topic.last()));
        last
    }

    fn is_kept(&self, name: &str) -> bool {
        let mut is_kept = false;
        self.for_each_topic(name, None, |topic| is_kept |= topic.keeps_last());
        is_kept
    }

    pub(crate) fn subject_of(&self, topic: &str) -> Subject {
        subject_of_topic(&self.subject, topic).into()
    }

    pub(crate) fn topic_of(&self, subject: &str) -> Option<String> {
        topic_of_subject(&self.subject, subject)
    }

    pub(crate) fn add(&self, relay: Weak<dyn Member>) {
        self.set_relays(|former| former.chain([relay]).collect());
    }

    pub(crate) fn remove_dropped(&self) {
        self.set_relays(|former| former.collect());
    }

    /// Returns whether one subscription receives all topics.
    pub(crate) fn has_all(&self) -> bool {
        self.has_all.load(Ordering::Acquire)
    }

    /// Ends the subscriptions of single topics: one receives all from now on.
    ///
    /// Returns its subject, unless it was subscribed before.
    pub(crate) fn receive_all(&self) -> Option<String> {
        if self.has_all.swap(true, Ordering::AcqRel) {
            return None;
        }
        for relay in self.relays().iter().filter_map(Weak::upgrade) {
            relay.release_topics();
        }
        Some(self.subject_of_all())
    }

    /// Sends a message to the subscribers of all servers, or of all but one.
    pub(crate) fn deliver(
        &self,
        name: &str,
        message: &PreparedMessage,
        except: Option<&dyn Member>,
    ) {
        let mut is_kept = false;
        self.for_each_topic(name, except, |topic| {
            is_kept |= topic.keeps_last();
            topic.deliver(message);
        });
        if is_kept {
            self.note_kept(name, Some(Instant::now()));
        }
    }

    /// Calls a closure with the topics of this name, of all servers but one.
    pub(crate) fn for_each_topic(
        &self,
        name: &str,
        except: Option<&dyn Member>,
        mut call: impl FnMut(&Topic),
    ) {
        for relay in self.relays().iter().filter_map(Weak::upgrade) {
            let is_wanted =
                except.is_none_or(|except| !std::ptr::addr_eq(&raw const *relay, except));
            if is_wanted
                && let Some(server) = relay.server()
                && let Some(topic) = server.find_topic(name)
            {
                call(&topic);
            }
        }
    }

    /// Returns whether there is more than one server.
    pub(crate) fn has_several(&self) -> bool {
        lock(&self.relays).len() > 1
    }

    fn relays(&self) -> Members {
        Arc::clone(&lock(&self.relays))
    }

    /// Replaces the relays; `make` gets those that are not dropped.
    fn set_relays(&self, make: impl FnOnce(&mut dyn Iterator<Item = Weak<dyn Member>>) -> Members) {
        let mut relays = lock(&self.relays);
        let former = Arc::clone(&relays);
        let mut living = former.iter().filter(|relay| relay.strong_count() > 0).cloned();
        *relays = make(&mut living);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code of others runs under the locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
