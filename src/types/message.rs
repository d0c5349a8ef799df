//! Received messages, frames and pongs as values.

use std::time::Duration;

/// A message that owns its payload, for a [`MessageStream`](crate::MessageStream).
///
/// # Qt
///
/// Qt has no counterpart: messages are the arguments of `textMessageReceived()` and
/// `binaryMessageReceived()`.
///
/// # Examples
///
/// ```
/// use slotwork::Message;
///
/// assert_eq!(Message::from("hello"), Message::Text("hello".into()));
/// assert_eq!(Message::from(vec![1, 2]), Message::Binary(vec![1, 2]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Message {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

/// A frame of a text message, as [`text_frame_received`] reports it.
///
/// A character that is split between two frames is reported whole with the second one.
///
/// # Qt
///
/// The arguments of `QWebSocket::textFrameReceived()`.
///
/// [`text_frame_received`]: crate::WebSocket::text_frame_received
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TextFrame {
    /// The payload.
    pub text: String,
    /// Whether it is the last frame of its message.
    pub is_last_frame: bool,
}

/// A frame of a binary message, as [`binary_frame_received`] reports it.
///
/// # Qt
///
/// The arguments of `QWebSocket::binaryFrameReceived()`.
///
/// [`binary_frame_received`]: crate::WebSocket::binary_frame_received
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BinaryFrame {
    /// The payload.
    pub bytes: Vec<u8>,
    /// Whether it is the last frame of its message.
    pub is_last_frame: bool,
}

/// A received pong (RFC 6455 §5.5.3).
///
/// # Qt
///
/// The arguments of `QWebSocket::pong()`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pong {
    /// The time since the last ping; `None` when none was sent.
    pub elapsed: Option<Duration>,
    /// The payload, which repeats that of the ping.
    pub payload: Vec<u8>,
}

impl Message {
    /// Returns the text; `None` for a binary message.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// Returns the bytes: the payload of a binary message, or the UTF-8 of a text.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&[u8]> for Message {
    fn from(bytes: &[u8]) -> Self {
        Self::Binary(bytes.into())
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes)
    }
}
