//! The subscriptions that the topics and signals of this process want.
//!
//! `connection::subscribing` makes them at the server.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::topics::prefix::Prefix;

/// The wanted subscriptions by their subjects.
#[derive(Default)]
pub(crate) struct Subscriptions {
    wanted: Mutex<Wanted>,
    /// Wakes the task that subscribes.
    pub(crate) wake_up: Notify,
}

#[derive(Default)]
pub(crate) struct Wanted {
    by_subject: HashMap<Arc<str>, Wish>,
    /// The subjects that have changed, in their order.
    changed: VecDeque<Arc<str>>,
}

/// A subscription that some topics or signals of this process want.
struct Wish {
    target: Target,
    users: u32,
    /// When it ends, without users.
    end: Option<Instant>,
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
    Subscribe(Arc<str>, Target),
    Unsubscribe(Arc<str>),
    /// It is to be looked at again then.
    Later(Arc<str>, Instant),
}

impl Subscriptions {
    /// Adds a user of a subscription.
    pub(crate) fn add(&self, subject: &str, target: Target) {
        let subject: Arc<str> = subject.into();
        let mut wanted = self.lock();
        let new = Wish { target, users: 0, end: None };
        let wish = wanted.by_subject.entry(Arc::clone(&subject)).or_insert(new);
        wish.users += 1;
        wish.end = None;
        wanted.changed.push_back(subject);
        drop(wanted);
        self.wake_up.notify_one();
    }

    /// Removes a user; without users the subscription ends after [`GRACE`].
    pub(crate) fn release(&self, subject: &str) {
        self.remove_user(subject, |wanted| {
            if let Some(wish) = wanted.by_subject.get_mut(subject) {
                wish.end = Some(Instant::now() + GRACE);
            }
        });
    }

    /// Removes a user of a subscription that ends without users at once.
    pub(crate) fn release_now(&self, subject: &str) {
        self.remove_user(subject, |wanted| _ = wanted.by_subject.remove(subject));
    }

    fn remove_user(&self, subject: &str, end: impl FnOnce(&mut Wanted)) {
        let mut wanted = self.lock();
        let Some(wish) = wanted.by_subject.get_mut(subject) else { return };
        wish.users = wish.users.saturating_sub(1);
        if wish.users > 0 {
            return;
        }
        end(&mut wanted);
        wanted.changed.push_back(subject.into());
        drop(wanted);
        self.wake_up.notify_one();
    }

    /// Returns the step for one of the subjects that have changed.
    pub(crate) fn next_change(&self, now: Instant) -> Option<Change> {
        let mut wanted = self.lock();
        let subject = wanted.changed.pop_front()?;
        Some(wanted.change_of(subject, now))
    }

    /// Returns the step for a subject whose time has come.
    pub(crate) fn change_of(&self, subject: Arc<str>, now: Instant) -> Change {
        self.lock().change_of(subject, now)
    }

    fn lock(&self) -> MutexGuard<'_, Wanted> {
        // No code of others runs under the lock.
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wanted {
    fn change_of(&mut self, subject: Arc<str>, now: Instant) -> Change {
        let Some(wish) = self.by_subject.get(&subject) else { return Change::Unsubscribe(subject) };
        let Some(end) = wish.end else {
            return Change::Subscribe(subject, wish.target.clone());
        };
        if now < end {
            return Change::Later(subject, end);
        }
        self.by_subject.remove(&subject);
        Change::Unsubscribe(subject)
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

    fn add(subscriptions: &Subscriptions) {
        subscriptions.add(RATES, Target::Questions);
    }

    fn changes(subscriptions: &Subscriptions, now: Instant) -> String {
        let next = || subscriptions.next_change(now);
        let letters = std::iter::from_fn(next).map(|change| match change {
            Change::Subscribe(..) => 'S',
            Change::Unsubscribe(_) => 'U',
            Change::Later(..) => 'L',
        });
        letters.collect()
    }

    #[test]
    fn a_subscription_outlives_its_last_user_by_5_seconds() {
        let (subscriptions, now) = (Subscriptions::default(), Instant::now());
        add(&subscriptions);
        assert_eq!(changes(&subscriptions, now), "S");

        subscriptions.release(RATES);

        assert_eq!(changes(&subscriptions, now), "L");
        let after = now + GRACE + Duration::from_secs(1);
        assert!(matches!(subscriptions.change_of(RATES.into(), after), Change::Unsubscribe(_)));
    }

    #[test]
    fn a_user_that_comes_back_keeps_the_subscription() {
        let (subscriptions, now) = (Subscriptions::default(), Instant::now());
        add(&subscriptions);
        subscriptions.release(RATES);
        add(&subscriptions);

        let after = now + GRACE + Duration::from_secs(1);

        assert!(matches!(subscriptions.change_of(RATES.into(), after), Change::Subscribe(..)));
    }

    #[test]
    fn a_subscription_with_another_user_stays() {
        let (subscriptions, now) = (Subscriptions::default(), Instant::now());
        add(&subscriptions);
        add(&subscriptions);

        subscriptions.release_now(RATES);
        assert_eq!(changes(&subscriptions, now), "SS");
        subscriptions.release_now(RATES);

        assert_eq!(changes(&subscriptions, now), "U");
    }
}
