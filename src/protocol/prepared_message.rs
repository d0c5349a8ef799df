//! Messages for many sockets, encoded once.

use std::fmt;
use std::sync::Arc;
#[cfg(feature = "compression")]
use std::sync::OnceLock;

use crate::protocol::frames::frame::Frame;
#[cfg(feature = "compression")]
use crate::protocol::frames::frame_header::ReservedBits;
use crate::protocol::frames::opcode::MessageKind;

/// A message that is encoded once and can be sent to many sockets.
///
/// Clones share the bytes, and so do the sockets that send them; less than 16 KiB are copied where
/// they wait behind others. For clients with compression it is compressed once, and they share that.
/// It goes out as one frame, unless a socket's own [`set_outgoing_frame_size`] is smaller.
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
    /// Absent where it must not be compressed.
    #[cfg(feature = "compression")]
    compressed: Option<Arc<CompressedFrame>>,
}

/// The frame for clients with compression, made for the first of them.
///
/// It is `None` inside if compression does not make the message shorter.
#[cfg(feature = "compression")]
type CompressedFrame = OnceLock<Option<Arc<[u8]>>>;

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

    /// Has the message sent without compression, whatever was agreed on.
    ///
    /// For messages that mix a secret with text that others may choose: the length of compressed data
    /// reveals whether they are alike.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::PreparedMessage;
    ///
    /// let message = PreparedMessage::text("the token of the session").uncompressed();
    /// ```
    #[cfg(feature = "compression")]
    #[must_use]
    pub fn uncompressed(self) -> Self {
        Self { compressed: None, ..self }
    }

    fn new(kind: MessageKind, payload: &[u8]) -> Self {
        let mut bytes = Vec::new();
        Frame::message(kind, payload).write_to(&mut bytes, None);
        let payload_start = bytes.len() - payload.len();
        Self {
            kind,
            frame: bytes.into(),
            payload_start,
            #[cfg(feature = "compression")]
            compressed: Some(Arc::default()),
        }
    }

    /// Returns whether the message is text or binary.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{MessageKind, PreparedMessage};
    ///
    /// assert_eq!(PreparedMessage::binary([1, 2]).kind(), MessageKind::Binary);
    /// ```
    #[must_use]
    pub fn kind(&self) -> MessageKind {
        self.kind
    }

    /// Returns the payload: the bytes of a binary message, or the UTF-8 of a text.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::PreparedMessage;
    ///
    /// assert_eq!(PreparedMessage::text("hello").payload(), b"hello");
    /// ```
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.frame.get(self.payload_start..).unwrap_or_default()
    }

    /// Returns the frame as a server sends it.
    pub(crate) fn frame(&self) -> &Arc<[u8]> {
        &self.frame
    }

    /// Returns whether it may be compressed.
    #[cfg(feature = "compression")]
    pub(crate) fn is_compressible(&self) -> bool {
        self.compressed.is_some()
    }

    /// Returns the frame as a server sends it to clients with compression.
    ///
    /// `None` if the message is not to be compressed, or does not become shorter. `compress` gets
    /// the payload, and calls its argument with the compressed one; it is called once, whatever
    /// number of clients and threads there are.
    #[cfg(feature = "compression")]
    pub(crate) fn compressed(
        &self,
        compress: impl FnOnce(&[u8], &mut dyn FnMut(&[u8])),
    ) -> Option<&Arc<[u8]>> {
        let frame = self.compressed.as_deref()?.get_or_init(|| {
            let mut bytes = Vec::new();
            compress(self.payload(), &mut |payload| {
                let reserved = ReservedBits::RSV1;
                Frame { reserved, ..Frame::message(self.kind, payload) }.write_to(&mut bytes, None);
            });
            (!bytes.is_empty()).then(|| bytes.into())
        });
        frame.as_ref()
    }
}

impl fmt::Debug for PreparedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PreparedMessage({:?}, {} bytes)", self.kind, self.payload().len())
    }
}
