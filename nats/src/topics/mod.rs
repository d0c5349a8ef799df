//! Topics across nodes: `bridge_topics`, and what servers report to their bridge.

pub(crate) mod asking;
pub(crate) mod kept;
pub(crate) mod kept_times;
pub(crate) mod prefix;
pub(crate) mod relay;

use slotwork::WebSocketServer;

use crate::bridge::NatsBridge;
use crate::error::Error;
use crate::subjects::subject_of_name;
use crate::subscriptions::Target;
use crate::topics::relay::Relay;

/// Topics.
impl NatsBridge {
    /// Joins the topics of a server with those of the other nodes.
    ///
    /// A message that is published in a topic of this server reaches the subscribers of the topic
    /// of that name on all nodes, and on all servers of this process that have the same prefix. The
    /// topic `rooms/rust` is the subject `prefix.rooms.rust`. A topic is subscribed at NATS from
    /// its first subscriber on this server until 5 s after the last one; slots of `published` alone
    /// do not count. See [`subscribe_all`](Self::subscribe_all) for servers with many topics.
    ///
    /// Where a topic [keeps its last message](slotwork::Topic::set_keep_last), its first subscriber
    /// on this server has the kept message of another node fetched: whatever arrives within 200 ms,
    /// unless a message of the topic is faster, or what is kept here is as new. A message that was
    /// kept before this call counts as the oldest.
    ///
    /// It replaces the server's [`TopicRelay`](slotwork::TopicRelay), so a server has one prefix.
    /// Prefixes must not begin with one another: `chat` and `chat.staff` would share topics.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidName`] for a prefix that is empty, longer than 255 bytes or has control
    /// characters, and [`Error::Ended`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use slotwork::{SslMode, WebSocketServer};
    /// use slotwork_nats::{Error, NatsBridge, NatsOptions};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let server = WebSocketServer::new("Chat", SslMode::NonSecure);
    /// let bridge = NatsBridge::connect(NatsOptions::new("nats://10.0.0.1:4222"))?;
    /// bridge.bridge_topics(&server, "chat")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn bridge_topics(
        &self,
        server: &WebSocketServer,
        prefix: impl AsRef<str>,
    ) -> Result<(), Error> {
        let prefix = subject_of_name(prefix.as_ref())?;
        let shared = self.open_shared()?;
        let prefix = shared.prefixes.get(&prefix);
        asking::listen(shared, &prefix);
        let relay = Relay::new(shared, prefix, server);
        server.set_topic_relay(relay);
        Ok(())
    }

    /// Receives the messages of all topics of a prefix, with one subscription.
    ///
    /// For servers that have nearly all topics, or more than a few thousand: a subscription of a
    /// single topic takes about 6 KB. Messages of topics that this process does not have are
    /// received and dropped. Slots of [`published`](slotwork::Topic::published), and kept messages,
    /// then need no subscriber. Call it before the topics have subscribers: while it changes over,
    /// a message may be missed. It lasts as long as the bridge.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Errors
    ///
    /// As [`bridge_topics`](Self::bridge_topics).
    pub fn subscribe_all(&self, prefix: impl AsRef<str>) -> Result<(), Error> {
        let prefix = subject_of_name(prefix.as_ref())?;
        let shared = self.open_shared()?;
        let prefix = shared.prefixes.get(&prefix);
        if let Some(subject) = prefix.receive_all() {
            shared.subscriptions.add(&subject, Target::Topics(prefix));
        }
        Ok(())
    }
}
