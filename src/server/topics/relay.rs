//! The relay of topics: carries messages to the servers of other processes.

use crate::protocol::prepared_message::PreparedMessage;

/// Carries what is published to the servers of other processes, as by a broker.
///
/// [`WebSocketServer::set_topic_relay`](crate::WebSocketServer::set_topic_relay) sets it. What
/// arrives from there is handed to [`Topic::deliver`](crate::Topic::deliver), which calls no relay.
///
/// The methods are called by the thread that publishes, subscribes or ends a subscription, outside
/// all locks. They must not wait, and may call the server. A panic is caught and reported.
///
/// # Qt
///
/// Qt has no counterpart.
///
/// # Examples
///
/// Two servers of one process; a broker would be between the two:
///
/// ```
/// use std::sync::Arc;
///
/// use slotwork::signals::Handle;
/// use slotwork::{PreparedMessage, SslMode, TopicRelay, WeakWebSocketServer, WebSocketServer};
///
/// // A server keeps its relay, so the relay keeps no server.
/// struct ToOther(WeakWebSocketServer);
///
/// impl TopicRelay for ToOther {
///     fn published(&self, topic: &str, message: &PreparedMessage) {
///         if let Some(server) = self.0.upgrade()
///             && let Ok(topic) = server.topic(topic)
///         {
///             topic.deliver(message);
///         }
///     }
///
///     fn subscribed(&self, topic: &str) {
///         println!("messages of {topic} are wanted here");
///     }
///
///     fn unsubscribed(&self, _topic: &str) {}
/// }
///
/// let one = WebSocketServer::new("One", SslMode::NonSecure);
/// let other = WebSocketServer::new("Other", SslMode::NonSecure);
/// one.set_topic_relay(Arc::new(ToOther(other.downgrade())));
/// other.set_topic_relay(Arc::new(ToOther(one.downgrade())));
/// ```
pub trait TopicRelay: Send + Sync {
    /// Called for each message published on this server, behind its own subscribers.
    ///
    /// In front of the slots of [`Topic::published`](crate::Topic::published). Messages of one thread
    /// come in their order; those of several threads may come in another order than to the
    /// subscribers.
    fn published(&self, topic: &str, message: &PreparedMessage);

    /// Called for the first subscriber of a topic on this server.
    ///
    /// Calls for one topic never overlap and are in turn with
    /// [`unsubscribed`](Self::unsubscribed); changes while one of them runs are combined.
    fn subscribed(&self, topic: &str);

    /// Called after the last subscriber of a topic on this server.
    fn unsubscribed(&self, topic: &str);
}
