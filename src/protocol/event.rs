//! What the decoder reports.

use crate::close_code::CloseCode;

/// A whole message or a whole control frame, lent until the decoder goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
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
