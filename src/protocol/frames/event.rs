//! The events of the decoder.

use crate::types::close_code::CloseCode;

/// A whole message or a whole control frame, lent until the decoder goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    /// A message.
    Message {
        /// The whole of it.
        message: Data<'a>,
        /// Where in it the last frame begins, in bytes; 0 when there was only one.
        last_frame: usize,
    },
    /// A message that was compressed; its frames are not reported.
    #[cfg(feature = "compression")]
    Inflated(Data<'a>),
    /// A frame of an incomplete message; reported only when that is enabled.
    Frame(Data<'a>),
    /// A ping; at most 125 bytes.
    Ping(&'a [u8]),
    /// A pong; at most 125 bytes.
    Pong(&'a [u8]),
    /// A close frame; the last event of a connection.
    Close {
        /// The close code, or `None` when the frame was empty (reported as 1005).
        code: Option<CloseCode>,
        /// The close reason; at most 123 bytes.
        reason: &'a str,
    },
}

/// The payload of messages and their frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Data<'a> {
    /// Text. A character that is cut by the end of a frame comes with the next one.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

impl Data<'_> {
    /// Returns how many bytes it has.
    #[cfg(feature = "compression")]
    pub(crate) const fn len(self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Returns what lies from the position `start` on.
    pub(crate) fn since(self, start: usize) -> Self {
        match self {
            Self::Text(text) => Self::Text(text.get(start..).unwrap_or_default()),
            Self::Binary(bytes) => Self::Binary(bytes.get(start..).unwrap_or_default()),
        }
    }
}

impl<'a> From<Data<'a>> for Event<'a> {
    /// A message of one frame.
    fn from(message: Data<'a>) -> Self {
        Self::Message { message, last_frame: 0 }
    }
}
