//! Messages for many sockets, encoded once.

use std::fmt;
use std::sync::Arc;

use crate::protocol::frames::frame::Frame;
use crate::protocol::frames::opcode::MessageKind;

/// A message that is encoded once and can be sent to many sockets.
///
/// Clones share the bytes, and so do the sockets that send them; less than 16 KiB are copied where
/// they wait behind others. It goes out as one frame, unless a socket's own
/// [`set_outgoing_frame_size`] is smaller.
///
/// # Qt
///
/// Qt has no counterpart; it encodes a message anew for each socket.
///
/// # Examples
///
/// ```
/// use slotwork::{PreparedMessage, WebSocket, WebSocketServer};
///
/// fn send_to_others(server: &WebSocketServer, sender: &WebSocket, text: &str) {
///     let message = PreparedMessage::text(text);
///     for client in server.clients().iter().filter(|client| *client != sender) {
///         client.send_prepared(&message);
///     }
/// }
/// ```
///
/// [`set_outgoing_frame_size`]: crate::WebSocket::set_outgoing_frame_size
#[derive(Clone)]
pub struct PreparedMessage {
    kind: MessageKind,
    frame: Arc<[u8]>,
    payload_start: usize,
}

impl PreparedMessage {
    /// Encodes a text message.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{PreparedMessage, WebSocketServer};
    ///
    /// /// Sends to the clients that have subscribed.
    /// fn publish(server: &WebSocketServer, news: &str) {
    ///     # struct Subscription;
    ///     let message = PreparedMessage::text(news);
    ///     for client in server.clients() {
    ///         if client.data::<Subscription>().is_some() {
    ///             client.send_prepared(&message);
    ///         }
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn text(message: impl AsRef<str>) -> Self {
        Self::new(MessageKind::Text, message.as_ref().as_bytes())
    }

    /// Encodes a binary message.
    #[must_use]
    pub fn binary(message: impl AsRef<[u8]>) -> Self {
        Self::new(MessageKind::Binary, message.as_ref())
    }

    fn new(kind: MessageKind, payload: &[u8]) -> Self {
        let mut bytes = Vec::new();
        Frame::message(kind, payload).write_to(&mut bytes, None);
        let payload_start = bytes.len() - payload.len();
        Self { kind, frame: bytes.into(), payload_start }
    }

    pub(crate) fn kind(&self) -> MessageKind {
        self.kind
    }

    /// Returns the frame as a server sends it.
    pub(crate) fn frame(&self) -> &Arc<[u8]> {
        &self.frame
    }

    /// Returns what the message carries.
    pub(crate) fn payload(&self) -> &[u8] {
        self.frame.get(self.payload_start..).unwrap_or_default()
    }
}

impl fmt::Debug for PreparedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PreparedMessage({:?}, {} bytes)", self.kind, self.payload().len())
    }
}
