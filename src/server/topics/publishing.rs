//! Publishing: messages for all subscribers of a topic, here and through the relay.

use std::mem;
use std::sync::Arc;

use crate::protocol::frames::opcode::MessageKind;
use crate::protocol::prepared_message::PreparedMessage;
use crate::runtime::panics;
use crate::server::topics::registry::{CurrentRelay, Named};
use crate::server::topics::state::{Inner, Publication, RelayReport, State, TopicHandOver};
use crate::server::topics::subscriptions::Subscriptions;
use crate::server::topics::topic::Topic;
use crate::socket::WebSocket;
use crate::types::message::Message;

/// Publishing.
impl Topic {
    /// Sends a text message to all subscribers.
    ///
    /// Returns for how many it was queued. It is encoded once. All subscribers get the messages of
    /// a topic in the same order, from whichever threads they are published, and what one thread
    /// publishes in several topics in its order. Subscribers that live on the loop of the calling
    /// thread have it in their output when this returns. Those of other threads get it by one
    /// posted call for each thread; they count although their output policy may still drop it.
    /// What waits for a busy loop has no limit; only a [conflated](Self::set_conflated) message
    /// that is the last in front of the next one of its topic is replaced by that.
    ///
    /// [`published`](Self::published) is emitted before this returns.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: its programs send to each socket of a list.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{Error, SslMode, WebSocketServer};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let server = WebSocketServer::new("Prices", SslMode::NonSecure);
    /// let prices = server.topic("prices/EURUSD")?;
    /// server.new_connection().connect_to(&prices, |prices, server, ()| {
    ///     while let Some(socket) = server.next_pending_connection() {
    ///         // Fails when the client has left already.
    ///         _ = prices.subscribe(&socket);
    ///     }
    /// });
    ///
    /// assert_eq!(prices.publish_text("1.0831"), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn publish_text(&self, message: impl AsRef<str>) -> usize {
        self.publish_prepared(&PreparedMessage::text(message))
    }

    /// Sends a binary message to all subscribers.
    ///
    /// Otherwise as [`publish_text`](Self::publish_text).
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    pub fn publish_binary(&self, message: impl AsRef<[u8]>) -> usize {
        self.publish_prepared(&PreparedMessage::binary(message))
    }

    /// Sends a message that is encoded already to all subscribers.
    ///
    /// Otherwise as [`publish_text`](Self::publish_text).
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    pub fn publish_prepared(&self, message: &PreparedMessage) -> usize {
        self.inner.publish(message, None, Inner::relay)
    }

    /// Sends a message to all subscribers but one, usually its sender.
    ///
    /// Otherwise as [`publish_text`](Self::publish_text). The socket need not be subscribed.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{PreparedMessage, Topic, WebSocket};
    ///
    /// fn speak(room: &Topic, speaker: &WebSocket, text: &str) {
    ///     room.publish_prepared_except(&PreparedMessage::text(text), speaker);
    /// }
    /// ```
    pub fn publish_prepared_except(&self, message: &PreparedMessage, except: &WebSocket) -> usize {
        self.inner.publish(message, Some(except), Inner::relay)
    }

    /// Sends a message that has arrived through a relay to all subscribers.
    ///
    /// As [`publish_prepared`](Self::publish_prepared), but that no [`TopicRelay`](crate::TopicRelay)
    /// is called.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    #[expect(clippy::must_use_candidate, reason = "it acts; the number is rarely needed")]
    pub fn deliver(&self, message: &PreparedMessage) -> usize {
        self.inner.publish(message, None, |_topic, _message| {})
    }

    /// Sets whether new subscribers get the last message first; the default is not.
    ///
    /// The messages from then on are kept, one at a time. A new subscriber gets the kept one and
    /// then each later one, without a gap and none of them twice. The topic lasts as long as it
    /// keeps a message; `false` drops it.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    pub fn set_keep_last(&self, keeps_last: bool) {
        let mut state = self.inner.lock();
        state.keeps_last = keeps_last;
        let dropped = if keeps_last { None } else { state.last.take() };
        drop(state);
        drop(dropped);
    }

    /// Returns whether new subscribers get the last message first.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    #[must_use]
    pub fn keeps_last(&self) -> bool {
        self.inner.lock().keeps_last
    }

    /// Returns the kept message; `None` without [`set_keep_last`](Self::set_keep_last).
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
    /// let prices = server.topic("prices/EURUSD")?;
    /// prices.set_keep_last(true);
    /// prices.publish_text("1.0831");
    ///
    /// let last = prices.last();
    /// assert_eq!(last.as_ref().map(|message| message.payload()), Some(&b"1.0831"[..]));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn last(&self) -> Option<PreparedMessage> {
        self.inner.lock().last.as_deref().cloned()
    }

    /// Sets whether slow readers get the latest message alone; the default is not.
    ///
    /// While the kernel takes no more output of a subscriber, or over 64 KiB wait for it, at most
    /// one message of the topic waits: a new one takes the place of the one before, so that a topic
    /// that changes often does not delay the others. A reader that keeps up gets each message that
    /// the thread of its loop publishes. Of those that another thread publishes in a row, with
    /// nothing of other topics between, it may get the last alone: they wait for the loop.
    /// The messages of one topic arrive in order, those of different conflated topics need not.
    /// [`conflated_messages`](WebSocket::conflated_messages) counts the messages replaced.
    ///
    /// It works with each [`OutputPolicy`](crate::OutputPolicy), which decides when the latest
    /// messages of all topics together exceed the output limit. A small
    /// [`send buffer`](WebSocket::set_send_buffer) keeps old messages out of the kernel.
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
    /// for instrument in ["EURUSD", "EURGBP"] {
    ///     let prices = server.topic(format!("prices/{instrument}"))?;
    ///     prices.set_conflated(true);
    ///     prices.set_keep_last(true);
    ///     prices.publish_text("unknown");
    /// }
    /// assert_eq!(server.topics().len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_conflated(&self, is_conflated: bool) {
        self.inner.lock().set_conflated(is_conflated);
    }

    /// Returns whether slow readers get the latest message alone.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    #[must_use]
    pub fn is_conflated(&self) -> bool {
        self.inner.lock().key.is_some()
    }
}

impl Inner {
    /// Sends a message to all subscribers but one, relays it, and emits `published`.
    fn publish(
        self: &Arc<Self>,
        message: &PreparedMessage,
        except: Option<&WebSocket>,
        relay: impl FnOnce(&Self, &PreparedMessage),
    ) -> usize {
        let mut state = self.lock();
        let former = state.keep(message);
        let publication = state.publication(message);
        let except = except.and_then(|socket| {
            let subscriptions = socket.memberships::<Subscriptions>()?;
            Some((socket, subscriptions.lock().place(self)?))
        });
        let replaces = |former: &Publication| former.key.is_some() && former.key == publication.key;
        let hand_over = state.subscribers.publish(&publication, except, replaces);
        drop(state);
        drop(former);

        let count = Self::deliver(hand_over);
        // In front of the slots, which may publish again.
        relay(self, message);
        if let Some(signals) = self.used_signals()
            && signals.published.slot_count() > 0
        {
            let message = owned(message);
            panics::catch("a slot of a topic", || signals.published.emit(&message));
        }
        count
    }

    /// Hands the kept message over to a new subscriber.
    ///
    /// The lock is still held: the message is in front of each later one.
    pub(crate) fn hand_over_last(
        &self,
        state: &mut State,
        socket: &WebSocket,
    ) -> Option<TopicHandOver> {
        let last = state.publication(state.last.as_deref()?);
        let place = socket.memberships::<Subscriptions>()?.lock().place(self)?;
        Some(state.subscribers.send_to(place, &last))
    }

    /// Hands a published message to the relay, if there is one.
    fn relay(&self, message: &PreparedMessage) {
        if let Some(current) = self.topics.upgrade().and_then(|topics| topics.relay()) {
            panics::catch("a relay of topics", || current.relay.published(self.name(), message));
        }
    }

    /// Reports to the relay whether there are subscribers, if that has changed.
    ///
    /// One thread at a time reports, until the relay knows the latest change.
    pub(crate) fn report_to_relay(&self) {
        let Some(topics) = self.topics.upgrade() else { return };
        while let Some(CurrentRelay { relay, number }) = topics.relay()
            && let Some(has_subscribers) = self.begin_report(number)
        {
            panics::catch("a relay of topics", || {
                if has_subscribers {
                    relay.subscribed(self.name());
                } else {
                    relay.unsubscribed(self.name());
                }
            });
            self.lock().relay_report.is_under_way = false;
        }
    }

    fn begin_report(&self, relay: u32) -> Option<bool> {
        self.lock().begin_report(relay)
    }
}

impl State {
    /// Keeps a message, if the topic does; returns the former one.
    fn keep(&mut self, message: &PreparedMessage) -> Option<PreparedMessage> {
        if !self.keeps_last {
            return None;
        }
        let Some(last) = &mut self.last else {
            self.last = Some(Box::new(message.clone()));
            return None;
        };
        Some(mem::replace(&mut **last, message.clone()))
    }

    /// Begins a report to the relay of this number, if it does not know the latest.
    ///
    /// Returns whether there are subscribers. A relay that was replaced gets no more reports, and a
    /// new one knows of no subscribers.
    fn begin_report(&mut self, relay: u32) -> Option<bool> {
        let has_subscribers = self.subscribers.len() > 0;
        let report = &mut self.relay_report;
        let is_known = report.relay == relay && report.has_subscribers;
        if report.is_under_way || relay < report.relay || is_known == has_subscribers {
            return None;
        }
        *report = RelayReport { has_subscribers, relay, is_under_way: true };
        Some(has_subscribers)
    }
}

/// Returns the message for slots.
fn owned(message: &PreparedMessage) -> Message {
    let payload = message.payload().to_vec();
    match message.kind() {
        // It was made of a text.
        MessageKind::Text => Message::Text(String::from_utf8(payload).unwrap_or_default()),
        MessageKind::Binary => Message::Binary(payload),
    }
}
