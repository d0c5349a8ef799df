//! The handle of a topic, with its signals.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Weak};

use slotwork_signals::{Handle, SharedSender, SignalRef};

use crate::server::topics::registry::Named;
use crate::server::topics::state::Inner;
use crate::socket::WebSocket;
use crate::types::message::Message;

/// A named group of sockets, to which messages are published.
///
/// [`WebSocketServer::topic`](crate::WebSocketServer::topic) returns it: a cheap handle, which any
/// thread may use. A subscription ends with the connection of its socket. A topic ends, with its
/// settings, when nothing holds it: no subscriber, no handle, no slot and no kept message.
///
/// With [`serve_on_threads`](crate::WebSocketServer::serve_on_threads) the topics of a part are
/// those of the whole server: a message reaches the subscribers of all threads.
///
/// # Qt
///
/// Qt has no counterpart. Its programs keep lists of sockets, and remove each one in a slot of
/// `disconnected()`.
///
/// # Examples
///
/// Rooms, named by the path of the URL:
///
/// ```
/// use slotwork::{CloseCode, PreparedMessage, SslMode, WebSocketServer};
///
/// let server = WebSocketServer::new("Rooms", SslMode::NonSecure);
/// server.new_connection().connect(|server, ()| {
///     while let Some(socket) = server.next_pending_connection() {
///         let Ok(room) = server.topic(socket.resource_name()) else {
///             socket.close(CloseCode::POLICY_VIOLATED, "not the name of a room");
///             continue;
///         };
///         if room.subscribe(&socket).is_ok() {
///             socket.text_message_received().connect_to(&room, |room, socket, text| {
///                 room.publish_prepared_except(&PreparedMessage::text(text), socket);
///             });
///         }
///     }
/// });
/// ```
#[derive(Clone)]
pub struct Topic {
    pub(crate) inner: Arc<Inner>,
}

/// A handle that does not keep its [`Topic`].
///
/// # Qt
///
/// What `QPointer` is used for.
#[derive(Clone)]
pub struct WeakTopic {
    inner: Weak<Inner>,
}

impl Topic {
    pub(crate) fn new(inner: Arc<Inner>) -> Self {
        Self { inner }
    }

    /// Returns the name.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    #[must_use]
    pub fn name(&self) -> &str {
        self.inner.name()
    }

    /// Emitted for each socket that subscribes, by the thread that subscribes it.
    ///
    /// Not for one that has left meanwhile. When a socket of another thread ends at that moment,
    /// [`unsubscribed`](Self::unsubscribed) may come alone, or first.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// Presence: the others learn of each newcomer.
    ///
    /// ```
    /// use slotwork::{Error, PreparedMessage, SslMode, WebSocketServer};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let server = WebSocketServer::new("Rooms", SslMode::NonSecure);
    /// let lobby = server.topic("lobby")?;
    /// lobby.subscribed().connect(|lobby, socket| {
    ///     let news = format!("{} are here", lobby.subscriber_count());
    ///     lobby.publish_prepared_except(&PreparedMessage::text(news), socket);
    /// });
    /// lobby.unsubscribed().connect(|lobby, _socket| {
    ///     lobby.publish_text(format!("{} are left", lobby.subscriber_count()));
    /// });
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn subscribed(&self) -> SignalRef<'_, Self, WebSocket> {
        SignalRef::new(self, &self.inner.signals().subscribed)
    }

    /// Emitted for each socket whose subscription has ended.
    ///
    /// Also when it has disconnected, before [`WebSocket::disconnected`] is emitted.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    #[must_use]
    pub fn unsubscribed(&self) -> SignalRef<'_, Self, WebSocket> {
        SignalRef::new(self, &self.inner.signals().unsubscribed)
    }

    /// Emitted for each message, when this thread's subscribers have it.
    ///
    /// Also for those that a relay delivers. A message is copied for it only if there are slots.
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
    /// prices.published().connect(|topic, message| {
    ///     println!("{}: {}", topic.name(), message.as_text().unwrap_or("(bytes)"));
    /// });
    /// prices.publish_text("1.0831");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn published(&self) -> SignalRef<'_, Self, Message> {
        SignalRef::new(self, &self.inner.signals().published)
    }
}

impl WeakTopic {
    /// Returns the topic, unless it has ended.
    ///
    /// # Qt
    ///
    /// `QPointer::data()`.
    #[must_use]
    pub fn upgrade(&self) -> Option<Topic> {
        self.inner.upgrade().filter(|topic| topic.note_look_up()).map(Topic::new)
    }
}

impl Handle for Topic {
    type Weak = WeakTopic;

    fn downgrade(&self) -> WeakTopic {
        WeakTopic { inner: Arc::downgrade(&self.inner) }
    }

    fn upgrade(weak: &WeakTopic) -> Option<Self> {
        weak.upgrade()
    }

    fn shared(&self) -> Option<SharedSender> {
        Some(SharedSender::new(self))
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        self.inner.end_if_unheld();
    }
}

/// Two handles are equal when they refer to the same topic.
impl PartialEq for Topic {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

impl Eq for Topic {}

impl Hash for Topic {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.inner).hash(state);
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.inner.lock().subscribers.len();
        write!(f, "Topic({:?}, {count} subscribers)", self.name())
    }
}

impl fmt::Debug for WeakTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WeakTopic").field(&self.upgrade()).finish()
    }
}
