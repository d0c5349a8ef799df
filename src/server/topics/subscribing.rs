//! Subscribing: sockets enter topics and leave them, also at their end.

use std::sync::Arc;

use crate::runtime::panics;
use crate::server::topics::delivery::send_behind;
use crate::server::topics::registry::{HELD_BY_CALLER, Topics};
use crate::server::topics::state::{Inner, State, TopicQueue, TopicSignals};
use crate::server::topics::subscriptions::Subscriptions;
use crate::server::topics::topic::Topic;
use crate::socket::{Memberships, WebSocket};
use crate::types::error::Error;

/// Subscribers.
impl Topic {
    /// Subscribes a socket, until it disconnects or [`unsubscribe`](Self::unsubscribe) is called.
    ///
    /// Returns whether it is new: a socket that is subscribed already gets each message once. With
    /// [`set_keep_last`](Self::set_keep_last) the last message is sent to it first. Any connected
    /// socket can be subscribed: of this server, of another one, or a client. A client cannot
    /// subscribe by itself; the program decides, usually in a slot.
    ///
    /// [`subscribed`](Self::subscribed) is emitted before this returns.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: its programs keep lists of sockets.
    ///
    /// # Errors
    ///
    /// [`Error::NotConnected`] when the socket is not connected or is closing, and
    /// [`Error::TooManyTopics`] over the limit of
    /// [`set_max_topics`](crate::WebSocketServer::set_max_topics).
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{Error, WebSocket, WebSocketServer};
    ///
    /// fn join(server: &WebSocketServer, socket: &WebSocket, room: &str) -> Result<(), Error> {
    ///     let room = server.topic(room)?;
    ///     if room.subscribe(socket)? {
    ///         room.publish_text(format!("{} are here", room.subscriber_count()));
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn subscribe(&self, socket: &WebSocket) -> Result<bool, Error> {
        self.inner.subscribe(socket)
    }

    /// Ends the subscription of a socket; returns whether it had one.
    ///
    /// [`unsubscribed`](Self::unsubscribed) is emitted before this returns.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    #[expect(clippy::must_use_candidate, reason = "it acts; the result is rarely needed")]
    pub fn unsubscribe(&self, socket: &WebSocket) -> bool {
        self.inner.unsubscribe(socket)
    }

    /// Returns the sockets that are subscribed, in no particular order.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    #[must_use]
    pub fn subscribers(&self) -> Vec<WebSocket> {
        self.inner.lock().subscribers.sockets()
    }

    /// Returns the number of sockets that are subscribed.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{Error, SslMode, WebSocketServer};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let server = WebSocketServer::new("Rooms", SslMode::NonSecure);
    ///
    /// assert_eq!(server.topic("lobby")?.subscriber_count(), 0);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn subscriber_count(&self) -> usize {
        self.inner.lock().subscribers.len()
    }
}

impl Inner {
    fn subscribe(self: &Arc<Self>, socket: &WebSocket) -> Result<bool, Error> {
        // It allocates nothing for a socket that cannot subscribe.
        if !socket.is_valid() {
            return Err(Error::NotConnected);
        }
        let limit = self.topics.upgrade().map_or(usize::MAX, |topics| topics.max_topics());
        let queue = self.queue_of(socket).ok_or(Error::NotConnected)?;
        let mut state = self.lock();
        let Some(unused) = self.enter(&mut state, socket, queue, limit)? else { return Ok(false) };
        let hand_over = self.hand_over_last(&mut state, socket);
        drop(state);

        if let Some(hand_over) = hand_over {
            Self::deliver(hand_over);
        }
        drop(unused);
        // It may have ended meanwhile, on another thread.
        if let Some(signals) = self.used_signals()
            && self.has(socket)
        {
            panics::catch("a slot of a topic", || signals.subscribed.emit(socket));
        }
        self.report_to_relay();
        Ok(true)
    }

    /// Returns the queue of the loop on which a socket lives.
    fn queue_of(&self, socket: &WebSocket) -> Option<Arc<TopicQueue>> {
        let event_loop = socket.event_loop()?;
        let make = || TopicQueue::new(event_loop.clone());
        let is_same = |queue: &TopicQueue| queue.event_loop.is_of_same_loop(&event_loop);
        // Topics that outlive their server have a queue each.
        Some(match self.topics.upgrade() {
            Some(topics) => topics.queue(is_same, make),
            None => Arc::new(make()),
        })
    }

    fn has(&self, socket: &WebSocket) -> bool {
        let subscriptions = socket.memberships::<Subscriptions>();
        subscriptions.is_some_and(|subscriptions| subscriptions.lock().find(self).is_ok())
    }

    /// Adds a socket to the subscribers, and the topic to its subscriptions.
    ///
    /// Returns `None` if it is one already, else a queue, to be dropped unlocked.
    fn enter(
        self: &Arc<Self>,
        state: &mut State,
        socket: &WebSocket,
        queue: Arc<TopicQueue>,
        limit: usize,
    ) -> Result<Option<Arc<TopicQueue>>, Error> {
        let subscriptions = socket.memberships_or_new::<Subscriptions>();
        let mut subscriptions = subscriptions.ok_or(Error::NotConnected)?.lock();
        let Err(index) = subscriptions.find(self) else { return Ok(None) };
        // The end of a socket takes this lock: it finds the new subscription, or is seen here.
        if !socket.is_valid() {
            return Err(Error::NotConnected);
        }
        if subscriptions.len() >= limit {
            return Err(Error::TooManyTopics { limit });
        }
        let (place, unused) = state.subscribers.add(socket.clone(), queue);
        subscriptions.insert(index, Arc::clone(self), place);
        Ok(Some(unused))
    }

    fn unsubscribe(self: &Arc<Self>, socket: &WebSocket) -> bool {
        let Some(subscriptions) = socket.memberships::<Subscriptions>() else { return false };
        let mut state = self.lock();
        let Some((place, topic)) = subscriptions.lock().remove(self) else { return false };
        let behind = state.subscribers.behind();
        let removed = state.subscribers.remove(place, |moved| {
            if let Some(subscriptions) = moved.memberships::<Subscriptions>() {
                subscriptions.lock().set_place(self, place);
            }
        });
        drop(state);
        drop((removed, topic));

        if let Some(behind) = behind {
            // What was published before is sent before this returns.
            send_behind(&behind);
        }
        if let Some(signals) = self.used_signals() {
            panics::catch("a slot of a topic", || signals.unsubscribed.emit(socket));
        }
        self.report_to_relay();
        true
    }

    /// Drops the topic when nothing holds it but the caller.
    ///
    /// That drops its own hold next.
    pub(crate) fn end_if_unheld(self: &Arc<Self>) {
        // Before the count: a hold that is added later changes both.
        let look_ups = self.look_ups();
        if Arc::strong_count(self) > HELD_BY_CALLER {
            return;
        }
        // Slots that have ended are dropped, which may call the program: no lock is held.
        let keeps_message = self.lock().last.is_some();
        if keeps_message || self.used_signals().is_some_and(TopicSignals::have_slots) {
            return;
        }
        if let Some(topics) = self.topics.upgrade() {
            topics.remove_unheld(self, |topic| topic.end(look_ups));
        }
    }
}

impl Memberships for Subscriptions {
    fn end(&self, socket: &WebSocket) {
        loop {
            // The lock is released: that of a topic comes first.
            let last = self.lock().last();
            let Some(topic) = last else { return };
            topic.unsubscribe(socket);
            topic.end_if_unheld();
        }
    }
}

/// Ends the subscriptions of a socket to these topics; returns how many there were.
pub(crate) fn unsubscribe_all(topics: &Arc<Topics<Inner>>, socket: &WebSocket) -> usize {
    topics_of(topics, socket).iter().filter(|topic| topic.unsubscribe(socket)).count()
}

/// Returns those of the topics that a socket is subscribed to.
pub(crate) fn topics_of(topics: &Arc<Topics<Inner>>, socket: &WebSocket) -> Vec<Topic> {
    let subscriptions = socket.memberships::<Subscriptions>();
    let all = subscriptions.map(|subscriptions| subscriptions.lock().topics()).unwrap_or_default();
    all.into_iter().filter(|topic| topic.is_of(topics)).map(Topic::new).collect()
}

/// Returns the topic of a name, which this makes.
///
/// # Errors
///
/// [`Error::InvalidTopicName`].
pub(crate) fn topic_of_name(topics: &Arc<Topics<Inner>>, name: &str) -> Result<Topic, Error> {
    let is_valid =
        !name.is_empty() && name.len() <= MAX_NAME && !name.chars().any(char::is_control);
    if !is_valid {
        let start = (0..=MAX_NAME).rev().find_map(|end| name.get(..end)).unwrap_or(name);
        return Err(Error::InvalidTopicName(start.to_owned()));
    }
    let (topic, unheld) = topics.get(name, || Inner::new(name, Arc::downgrade(topics)));
    let topic = Topic::new(topic);
    if !unheld.is_empty() {
        unheld.iter().for_each(Inner::end_if_unheld);
        topics.end_sweep();
    }
    Ok(topic)
}

/// Returns the topics that something holds.
pub(crate) fn all_topics(topics: &Topics<Inner>) -> Vec<Topic> {
    topics.all().iter().for_each(Inner::end_if_unheld);
    topics.all().into_iter().map(Topic::new).collect()
}

/// The maximum length of a name, in bytes.
const MAX_NAME: usize = 255;
