//! The subscriptions that the topics and signals of this process want.
//!
//! `connection::subscribing` makes them at the server.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::topics::prefix::Prefix;

/// The wanted subscriptions.
///
/// Its size is that of the topics and signals in use, however often they change while nothing is
/// subscribed, as without a connection.
#[derive(Default)]
pub(crate) struct Subscriptions {
    wanted: Mutex<Wanted>,
    /// Wakes the task that subscribes.
    pub(crate) wake_up: Notify,
}

#[derive(Default)]
struct Wanted {
    wishes: HashMap<Key, Wish>,
    /// Those that are not begun yet, in their order.
    waiting: BTreeMap<u64, Key>,
    /// Those without users that were begun, in the order in which they end.
    ending: BTreeMap<(Instant, u64), Key>,
    next: u64,
}

/// A subject, and the use of it.
///
/// A topic and a signal may have one subject; each has a subscription of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) subject: Arc<str>,
    pub(crate) kind: Kind,
}

/// The use of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Topic,
    Signal,
    /// Questions for kept messages, and answers.
    Kept,
}

/// A subscription that some topics or signals of this process want.
struct Wish {
    target: Target,
    users: u32,
    state: WishState,
}

#[derive(Clone, Copy)]
enum WishState {
    Waiting(u64),
    /// The task that subscribes has it.
    Begun,
    Ending(Instant, u64),
}

/// The destination of what a subscription receives.
#[derive(Clone)]
pub(crate) enum Target {
    Topic {
        prefix: Arc<Prefix>,
        name: Arc<str>,
    },
    /// All topics of a prefix.
    Topics(Arc<Prefix>),
    Signal(Arc<str>),
    /// Questions for kept messages.
    Questions,
    Answers,
}

/// A step of the task that subscribes.
pub(crate) enum Change {
    Subscribe(Key, Target),
    Unsubscribe(Key),
}

impl Subscriptions {
    /// Adds a user of a subscription.
    pub(crate) fn add(&self, subject: &str, target: Target) {
        let is_new = self.lock().add(subject, target);
        if is_new {
            self.wake_up.notify_one();
        }
    }

    /// Removes a user; without users the subscription ends after [`GRACE`].
    ///
    /// At once, if it was not begun yet.
    pub(crate) fn release(&self, subject: &str, kind: Kind) {
        self.remove_user(subject, kind, GRACE);
    }

    /// Removes a user of a subscription that ends without users at once.
    pub(crate) fn release_now(&self, subject: &str, kind: Kind) {
        self.remove_user(subject, kind, Duration::ZERO);
    }

    fn remove_user(&self, subject: &str, kind: Kind, grace: Duration) {
        let key = Key { subject: subject.into(), kind };
        let is_ending = self.lock().remove_user(key, Instant::now() + grace);
        if is_ending {
            self.wake_up.notify_one();
        }
    }

    /// Returns the next step, if there is one at this time.
    pub(crate) fn next_change(&self, now: Instant) -> Option<Change> {
        self.lock().next_change(now)
    }

    /// Returns when the next subscription without users ends.
    pub(crate) fn next_end(&self) -> Option<Instant> {
        self.lock().ending.keys().next().map(|(time, _)| *time)
    }

    fn lock(&self) -> MutexGuard<'_, Wanted> {
        // No code of others runs under the lock.
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wanted {
    /// Returns whether the subscription is a new one.
    fn add(&mut self, subject: &str, target: Target) -> bool {
        let key = Key { subject: subject.into(), kind: target.kind() };
        match self.wishes.entry(key) {
            Entry::Occupied(mut entry) => {
                let wish = entry.get_mut();
                wish.users += 1;
                if let WishState::Ending(time, number) = wish.state {
                    wish.state = WishState::Begun;
                    self.ending.remove(&(time, number));
                }
                false
            }
            Entry::Vacant(entry) => {
                let number = self.next;
                self.next += 1;
                self.waiting.insert(number, entry.key().clone());
                entry.insert(Wish { target, users: 1, state: WishState::Waiting(number) });
                true
            }
        }
    }

    /// Returns whether the subscription is to end.
    fn remove_user(&mut self, key: Key, end: Instant) -> bool {
        let Entry::Occupied(mut entry) = self.wishes.entry(key) else { return false };
        let wish = entry.get_mut();
        wish.users = wish.users.saturating_sub(1);
        if wish.users > 0 {
            return false;
        }
        match wish.state {
            WishState::Waiting(number) => {
                self.waiting.remove(&number);
                entry.remove();
                false
            }
            WishState::Begun => {
                let number = self.next;
                self.next += 1;
                wish.state = WishState::Ending(end, number);
                self.ending.insert((end, number), entry.key().clone());
                true
            }
            WishState::Ending(..) => false,
        }
    }

    fn next_change(&mut self, now: Instant) -> Option<Change> {
        if let Some(first) = self.ending.first_entry()
            && first.key().0 <= now
        {
            let key = first.remove();
            self.wishes.remove(&key);
            return Some(Change::Unsubscribe(key));
        }
        let (_, key) = self.waiting.pop_first()?;
        let wish = self.wishes.get_mut(&key)?;
        wish.state = WishState::Begun;
        Some(Change::Subscribe(key, wish.target.clone()))
    }
}

impl Target {
    fn kind(&self) -> Kind {
        match self {
            Self::Topic { .. } | Self::Topics(_) => Kind::Topic,
            Self::Signal(_) => Kind::Signal,
            Self::Questions | Self::Answers => Kind::Kept,
        }
    }
}

/// How long a subscription outlives its last user.
///
/// A topic that is left and entered again costs nothing.
const GRACE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: &str = "rates";

    fn add(subscriptions: &Subscriptions, subject: &str) {
        subscriptions.add(subject, Target::Signal(subject.into()));
    }

    fn changes(subscriptions: &Subscriptions, now: Instant) -> String {
        let next = || subscriptions.next_change(now);
        let letters = std::iter::from_fn(next).map(|change| match change {
            Change::Subscribe(..) => 'S',
            Change::Unsubscribe(_) => 'U',
        });
        letters.collect()
    }

    /// Returns a time at which what is released now has ended.
    fn after_grace() -> Instant {
        Instant::now() + GRACE + Duration::from_secs(1)
    }

    #[test]
    fn a_subscription_outlives_its_last_user_by_5_seconds() {
        let (subscriptions, now) = (Subscriptions::default(), Instant::now());
        add(&subscriptions, RATES);
        assert_eq!(changes(&subscriptions, now), "S");

        subscriptions.release(RATES, Kind::Signal);

        assert_eq!(changes(&subscriptions, now), "");
        assert!(subscriptions.next_end().is_some_and(|end| end >= now + GRACE));
        assert_eq!(changes(&subscriptions, after_grace()), "U");
        assert_eq!(subscriptions.next_end(), None);
    }

    #[test]
    fn a_user_that_comes_back_keeps_the_subscription() {
        let (subscriptions, now) = (Subscriptions::default(), Instant::now());
        add(&subscriptions, RATES);
        assert_eq!(changes(&subscriptions, now), "S");
        subscriptions.release(RATES, Kind::Signal);
        add(&subscriptions, RATES);

        assert_eq!(changes(&subscriptions, after_grace()), "");
    }

    #[test]
    fn a_subscription_with_another_user_stays() {
        let (subscriptions, now) = (Subscriptions::default(), Instant::now());
        add(&subscriptions, RATES);
        add(&subscriptions, RATES);
        assert_eq!(changes(&subscriptions, now), "S");

        subscriptions.release_now(RATES, Kind::Signal);
        assert_eq!(changes(&subscriptions, after_grace()), "");
        subscriptions.release_now(RATES, Kind::Signal);

        assert_eq!(changes(&subscriptions, Instant::now()), "U");
    }

    /// As in an outage, in which nothing is subscribed.
    #[test]
    fn topics_that_are_entered_and_left_leave_nothing_behind() {
        let subscriptions = Subscriptions::default();
        add(&subscriptions, "begun");
        assert_eq!(changes(&subscriptions, Instant::now()), "S");

        for number in 0..1000 {
            let subject = format!("rooms.{number}");
            add(&subscriptions, &subject);
            subscriptions.release(&subject, Kind::Signal);
            subscriptions.release(&subject, Kind::Signal);
            subscriptions.release("begun", Kind::Signal);
            add(&subscriptions, "begun");
        }
        add(&subscriptions, "last");

        let wanted = subscriptions.lock();
        let sizes = (wanted.wishes.len(), wanted.waiting.len(), wanted.ending.len());
        assert_eq!(sizes, (2, 1, 0));
        drop(wanted);
        assert_eq!(changes(&subscriptions, after_grace()), "S");
    }

    #[test]
    fn a_topic_and_a_signal_of_one_subject_have_a_subscription_each() {
        let (subscriptions, now) = (Subscriptions::default(), Instant::now());
        add(&subscriptions, RATES);
        subscriptions.add(RATES, Target::Questions);
        assert_eq!(changes(&subscriptions, now), "SS");

        subscriptions.release_now(RATES, Kind::Signal);

        let change = subscriptions.next_change(Instant::now());
        let Some(Change::Unsubscribe(key)) = change else { panic!("no change") };
        assert_eq!((&*key.subject, key.kind), (RATES, Kind::Signal));
        assert_eq!(changes(&subscriptions, after_grace()), "");
    }
}
