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
/// `T` is the state that the handles of a topic share. The set keeps each topic, and drops those that
/// nothing else holds when there are many of them.
pub(crate) struct Topics<T: Named> {
    names: Mutex<Names<T>>,
    /// The queues of the loops on which subscribers live.
    queues: Mutex<Vec<Arc<T::Queue>>>,
    relay: Mutex<Option<CurrentRelay>>,
    has_relay: AtomicBool,
    /// The maximum for one socket.
    limit: AtomicUsize,
}

struct Names<T> {
    topics: HashSet<Entry<T>>,
    /// So many topics are looked through for those that nothing holds.
    sweep_at: usize,
}

/// The relay that was set last.
#[derive(Clone)]
pub(crate) struct CurrentRelay {
    pub(crate) relay: Arc<dyn TopicRelay>,
    /// How many were set, this one included.
    pub(crate) number: u32,
}

/// A topic as the set has it: equal to its name.
struct Entry<T>(Arc<T>);

/// A value with a name.
pub(crate) trait Named {
    /// What waits for one loop.
    type Queue;

    fn name(&self) -> &str;

    /// Notes a new holder, which has its hold already.
    ///
    /// Returns false when the topic has ended.
    fn note_look_up(&self) -> bool;
}

impl<T: Named> Topics<T> {
    /// Returns the topic of this name, which `make` makes.
    ///
    /// Also those that nothing else holds, when it is time to look through them.
    pub(crate) fn get(&self, name: &str, make: impl FnOnce() -> T) -> (Arc<T>, Vec<Arc<T>>) {
        let mut names = self.lock();
        if let Some(entry) = names.topics.get(name) {
            return (entry.look_up(), Vec::new());
        }
        let unheld = names.begin_sweep();
        let topic = Arc::new(make());
        names.topics.insert(Entry(Arc::clone(&topic)));
        (topic, unheld)
    }

    /// Returns the topic of this name, if there is one.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<T>> {
        self.lock().topics.get(name).map(Entry::look_up)
    }

    /// Returns all topics, those that nothing holds included.
    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        self.lock().topics.iter().map(Entry::look_up).collect()
    }

    /// Removes a topic that only the caller holds, if `end` does end it.
    pub(crate) fn remove_unheld(&self, topic: &Arc<T>, end: impl FnOnce(&T) -> bool) {
        let mut names = self.lock();
        // The set and the caller.
        if Arc::strong_count(topic) > HELD_BY_CALLER {
            return;
        }
        let is_this =
            names.topics.get(topic.name()).is_some_and(|known| Arc::ptr_eq(&known.0, topic));
        let removed = if is_this && end(topic) { names.topics.take(topic.name()) } else { None };
        drop(names);
        drop(removed);
    }

    /// Notes how many topics are left when those have ended that nothing held.
    ///
    /// Others live by a kept message or a slot: the next time to look is when the set has doubled.
    pub(crate) fn end_sweep(&self) {
        let mut names = self.lock();
        names.sweep_at = (names.topics.len() * 2).max(MIN_SWEEP);
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
        let is_unused = |queue: &mut Arc<T::Queue>| Arc::strong_count(queue) == 1;
        let unused: Vec<_> = queues.extract_if(.., is_unused).collect();
        let queue = Arc::new(make());
        queues.push(Arc::clone(&queue));
        drop(queues);
        // With the sockets of what waits there.
        drop(unused);
        queue
    }

    /// Sets the relay, and returns the former one, to be dropped unlocked.
    pub(crate) fn set_relay(&self, relay: Arc<dyn TopicRelay>) -> Option<CurrentRelay> {
        let mut current = self.relay.lock();
        let number = current.as_ref().map_or(0, |former| former.number) + 1;
        let former = current.replace(CurrentRelay { relay, number });
        self.has_relay.store(true, Ordering::Release);
        former
    }

    /// Returns the relay, if one was set; none is ever taken away.
    pub(crate) fn relay(&self) -> Option<CurrentRelay> {
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
    /// Returns the topics that nothing else holds, if the set has doubled.
    fn begin_sweep(&mut self) -> Vec<Arc<T>> {
        if self.topics.len() < self.sweep_at {
            return Vec::new();
        }
        let is_unheld = |topic: &&Arc<T>| Arc::strong_count(topic) == 1;
        let topics = self.topics.iter().map(|Entry(topic)| topic);
        let unheld = topics.filter(is_unheld).map(Arc::clone).collect();
        // Until the end of the sweep.
        self.sweep_at = self.topics.len() * 2;
        unheld
    }
}

impl<T: Named> Entry<T> {
    /// Returns the topic, with the note that it is held.
    fn look_up(&self) -> Arc<T> {
        let topic = Arc::clone(&self.0);
        topic.note_look_up();
        topic
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
