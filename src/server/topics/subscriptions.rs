//! The topics that a socket is in, with its place in each.

use std::sync::Arc;

use crate::runtime::sync::{Mutex, MutexGuard};
use crate::server::topics::state::Inner;
use crate::server::topics::subscribers::{Place, grow, shrink};

/// The subscriptions of one socket.
///
/// Locked inside the lock of a topic, never around it.
#[derive(Default)]
pub(crate) struct Subscriptions(Mutex<SubscriptionList>);

/// The subscriptions in the order of the topics' addresses, for a binary search.
#[derive(Default)]
pub(crate) struct SubscriptionList(Vec<Subscription>);

struct Subscription {
    topic: Arc<Inner>,
    place: Place,
}

impl Subscriptions {
    pub(crate) fn lock(&self) -> MutexGuard<'_, SubscriptionList> {
        self.0.lock()
    }
}

impl SubscriptionList {
    /// Returns the index of a topic, or the one at which it would be.
    pub(crate) fn find(&self, topic: &Inner) -> Result<usize, usize> {
        let address = |topic: *const Inner| topic.addr();
        // The last one is what the end of a socket looks for.
        if let Some(last) = self.0.len().checked_sub(1)
            && self.0.get(last).is_some_and(|it| Arc::as_ptr(&it.topic) == topic)
        {
            return Ok(last);
        }
        self.0.binary_search_by_key(&address(topic), |it| address(Arc::as_ptr(&it.topic)))
    }

    /// Returns the socket's place in a topic, if it is subscribed.
    pub(crate) fn place(&self, topic: &Inner) -> Option<Place> {
        self.0.get(self.find(topic).ok()?).map(|it| it.place)
    }

    pub(crate) fn insert(&mut self, index: usize, topic: Arc<Inner>, place: Place) {
        grow(&mut self.0);
        self.0.insert(index.min(self.0.len()), Subscription { topic, place });
    }

    /// Removes the subscription of a topic.
    ///
    /// Returns its place, and the topic, to be dropped unlocked.
    pub(crate) fn remove(&mut self, topic: &Inner) -> Option<(Place, Arc<Inner>)> {
        let index = self.find(topic).ok()?;
        let removed = self.0.remove(index);
        shrink(&mut self.0);
        Some((removed.place, removed.topic))
    }

    /// Notes that the socket has another place in a topic.
    pub(crate) fn set_place(&mut self, topic: &Inner, place: Place) {
        let index = self.find(topic).ok();
        if let Some(subscription) = index.and_then(|index| self.0.get_mut(index)) {
            subscription.place = place;
        }
    }

    pub(crate) fn last(&self) -> Option<Arc<Inner>> {
        self.0.last().map(|it| Arc::clone(&it.topic))
    }

    pub(crate) fn topics(&self) -> Vec<Arc<Inner>> {
        self.0.iter().map(|it| Arc::clone(&it.topic)).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
