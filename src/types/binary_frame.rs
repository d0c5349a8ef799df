//! A frame of a binary message.

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
