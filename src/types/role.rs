//! The two ends of a WebSocket connection.

/// The end of a connection that a socket is, for
/// [`WebSocket::from_upgraded`](crate::WebSocket::from_upgraded).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ends")]
pub enum Role {
    /// Accepts the opening handshake; receives masked frames and sends unmasked ones.
    Server,
    /// Begins the opening handshake; receives unmasked frames and sends masked ones.
    Client,
}
