//! The topics of a server by their names.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::runtime::sync::{Mutex, MutexGuard};
use crate::server::topics::relay::TopicRelay;

/// The topics of a server and of its parts.
///
/// `T` is the state that the handles of a topic share. The set keeps each topic, and drops those that nothing else holds when there are many of them.
pub(crate) struct Topics<T: Named> {
    names: Mutex<Names<T>>,
    /// The queues of the loops on which subscribers live.
    queues: Mutex<Vec<Arc<T::Queue>>>,
    relay: Mutex<Option<Arc<dyn TopicRelay>>>,
    has_relay: AtomicBool,
    /// The maximum for one socket.
    limit: AtomicUsize,
}

struct Names<T> {
    topics: HashSet<Entry<T>>,
    /// So many topics are looked through for those that nothing holds.
    sweep_at: usize,
}

/// A topic as the set has it: equal to its name.
struct Entry<T>(Arc<T>);

/// A value with a name.
pub(crate) trait Named {
    /// What waits for one loop.
    type Queue;

    fn name(&self) -> &str;

    /// Called under the lock of the names for each look-up.
    fn note_look_up(&self);
}

impl<T: Named> Topics<T> {
    /// Returns the topic of this name, which `make` makes.
    ///
    /// Also those that nothing else holds, when it is time to look through them.
    pub(crate) fn get(&self, name: &str, make: impl FnOnce() -> T) -> (Arc<T>, Vec<Arc<T>>) {
        let mut names = self.lock();
        if let Some(Entry(topic)) = names.topics.get(name) {
            topic.note_look_up();
            return (Arc::clone(topic), Vec::new());
        }
        let unheld = names.begin_sweep();
        let topic = Arc::new(make());
        names.topics.insert(Entry(Arc::clone(&topic)));
        (topic, unheld)
    }

    /// Returns all topics, those that nothing holds included.
    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        self.lock().topics.iter().map(|Entry(topic)| Arc::clone(topic)).collect()
    }

    /// Removes a topic that only the caller holds.
    ///
    /// `is_unchanged` is called under the lock of the names.
    pub(crate) fn remove_unheld(&self, topic: &Arc<T>, is_unchanged: impl FnOnce(&T) -> bool) {
        let mut names = self.lock();
        // The set and the caller. More can come only by a look-up.
        if Arc::strong_count(topic) > HELD_BY_CALLER || !is_unchanged(topic) {
            return;
        }
        let is_this =
            names.topics.get(topic.name()).is_some_and(|known| Arc::ptr_eq(&known.0, topic));
        let removed = if is_this { names.topics.take(topic.name()) } else { None };
        drop(names);
        drop(removed);
    }

    /// Returns the queue of a loop, which `is_wanted` recognizes, or a new one.
    pub(crate) fn queue(
        &self,
        is_wanted: impl Fn(&T::Queue) -> bool,
        make: impl FnOnce() -> T::Queue,
    ) -> Arc<T::Queue> {
        let mut queues = self.queues.lock();
        if let Some(known) = queues.iter().find(|queue| is_wanted(queue)) {
            return Arc::clone(known);
        }
        queues.retain(|queue| Arc::strong_count(queue) > 1);
        let queue = Arc::new(make());
        queues.push(Arc::clone(&queue));
        queue
    }

    /// Sets the relay, and returns the former one, to be dropped unlocked.
    pub(crate) fn set_relay(&self, relay: Arc<dyn TopicRelay>) -> Option<Arc<dyn TopicRelay>> {
        let former = self.relay.lock().replace(relay);
        self.has_relay.store(true, Ordering::Release);
        former
    }

    pub(crate) fn relay(&self) -> Option<Arc<dyn TopicRelay>> {
        if !self.has_relay.load(Ordering::Acquire) {
            return None;
        }
        self.relay.lock().clone()
    }

    pub(crate) fn max_topics(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    pub(crate) fn set_max_topics(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Names<T>> {
        self.names.lock()
    }
}

impl<T: Named> Names<T> {
    /// Returns the topics that nothing else holds, if the set has doubled since.
    fn begin_sweep(&mut self) -> Vec<Arc<T>> {
        if self.topics.len() < self.sweep_at {
            return Vec::new();
        }
        let is_unheld = |topic: &&Arc<T>| Arc::strong_count(topic) == 1;
        let topics = self.topics.iter().map(|Entry(topic)| topic);
        let unheld: Vec<_> = topics.filter(is_unheld).map(Arc::clone).collect();
        self.sweep_at = ((self.topics.len() - unheld.len()) * 2).max(MIN_SWEEP);
        unheld
    }
}

impl<T: Named> Default for Topics<T> {
    fn default() -> Self {
        let names = Names { topics: HashSet::new(), sweep_at: MIN_SWEEP };
        Self {
            names: Mutex::new(names),
            queues: Mutex::new(Vec::new()),
            relay: Mutex::new(None),
            has_relay: AtomicBool::new(false),
            limit: AtomicUsize::new(MAX_TOPICS),
        }
    }
}

impl<T: Named> fmt::Debug for Topics<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topics").finish_non_exhaustive()
    }
}

impl<T: Named> Borrow<str> for Entry<T> {
    fn borrow(&self) -> &str {
        self.0.name()
    }
}

impl<T: Named> Hash for Entry<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.name().hash(state);
    }
}

impl<T: Named> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0.name() == other.0.name()
    }
}

impl<T: Named> Eq for Entry<T> {}

/// The default maximum of topics in which one socket is.
const MAX_TOPICS: usize = 10_000;
/// The holders of a topic that only one caller and the set hold.
pub(crate) const HELD_BY_CALLER: usize = 2;
const MIN_SWEEP: usize = 64;
