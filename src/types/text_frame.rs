//! A frame of a text message.

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
