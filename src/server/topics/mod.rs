//! Topics: named groups of sockets, to which a program publishes messages.
//!
//! `topic.rs` is the handle, `subscribing.rs` and `publishing.rs` are its methods, on the data of
//! `state.rs`. `subscribers.rs` has the sockets of a topic, `subscriptions.rs` the topics of a
//! socket, `registry.rs` the topics of a server. `delivery.rs` sends, each loop to its own sockets,
//! what other threads have put into its `loop_queue.rs`; what a slow peer does not take is conflated
//! in `session::output`.

pub(crate) mod delivery;
pub(crate) mod loop_queue;
pub(crate) mod publishing;
pub(crate) mod registry;
pub(crate) mod relay;
pub(crate) mod state;
pub(crate) mod subscribers;
pub(crate) mod subscribing;
pub(crate) mod subscriptions;
pub(crate) mod topic;

use std::sync::Arc;

use crate::server::WebSocketServer;
use crate::server::topics::relay::TopicRelay;
use crate::server::topics::subscribing::{all_topics, topic_of_name, topics_of, unsubscribe_all};
use crate::server::topics::topic::Topic;
use crate::socket::WebSocket;
use crate::types::error::Error;

/// Topics.
impl WebSocketServer {
    /// Returns the topic of this name, which is made when it is first named.
    ///
    /// Names are exact, without wildcards: 1 to 255 bytes without control characters. They belong
    /// to this server; a part of a server on several threads has the topics of the
    /// [`whole`](Self::whole).
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidTopicName`].
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{Error, SslMode, WebSocketServer};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let server = WebSocketServer::new("Prices", SslMode::NonSecure);
    /// let prices = server.topic("prices/EURUSD")?;
    ///
    /// assert_eq!(prices, server.topic("prices/EURUSD")?);
    /// assert!(matches!(server.topic(""), Err(Error::InvalidTopicName(_))));
    /// # Ok(())
    /// # }
    /// ```
    pub fn topic(&self, name: impl AsRef<str>) -> Result<Topic, Error> {
        topic_of_name(&self.inner.topics, name.as_ref())
    }

    /// Returns the topic of this name, unless nothing holds it.
    ///
    /// For relays, and for names of clients that may have no topic: unlike
    /// [`topic`](Self::topic) it makes none.
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
    /// let server = WebSocketServer::new("Prices", SslMode::NonSecure);
    /// assert_eq!(server.find_topic("prices/EURUSD"), None);
    ///
    /// let prices = server.topic("prices/EURUSD")?;
    /// assert_eq!(server.find_topic("prices/EURUSD"), Some(prices));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn find_topic(&self, name: impl AsRef<str>) -> Option<Topic> {
        self.inner.topics.find(name.as_ref()).map(Topic::new)
    }

    /// Returns the topics of this server, in no particular order.
    ///
    /// Those that something holds: a subscriber, a handle, a slot or a kept message.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    #[must_use]
    pub fn topics(&self) -> Vec<Topic> {
        all_topics(&self.inner.topics)
    }

    /// Returns the topics of this server to which a socket is subscribed.
    ///
    /// In no particular order. In slots of [`disconnected`](WebSocket::disconnected) there are none
    /// any more; [`Topic::unsubscribed`] has been emitted for each.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    #[must_use]
    pub fn topics_of(&self, socket: &WebSocket) -> Vec<Topic> {
        topics_of(&self.inner.topics, socket)
    }

    /// Ends all subscriptions of a socket to topics of this server.
    ///
    /// Returns how many there were.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    #[expect(clippy::must_use_candidate, reason = "it acts; the number is rarely needed")]
    pub fn unsubscribe_all(&self, socket: &WebSocket) -> usize {
        unsubscribe_all(&self.inner.topics, socket)
    }

    /// Sets in how many topics one socket may be; the default is 10,000.
    ///
    /// More are refused with [`Error::TooManyTopics`], so that clients that name their rooms do not
    /// exhaust the memory. It holds for all parts of a server on several threads.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    pub fn set_max_topics(&self, limit: usize) {
        self.inner.topics.set_max_topics(limit);
    }

    /// Returns in how many topics one socket may be.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    #[must_use]
    pub fn max_topics(&self) -> usize {
        self.inner.topics.max_topics()
    }

    /// Sets the relay, which carries messages to the servers of other processes.
    ///
    /// It replaces the former one, and is called for topics that have subscribers already.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    pub fn set_topic_relay(&self, relay: Arc<dyn TopicRelay>) {
        let former = self.inner.topics.set_relay(relay);
        drop(former);
        for topic in self.inner.topics.all() {
            topic.report_to_relay();
        }
    }
}
