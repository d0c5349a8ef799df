//! The two ends of a WebSocket connection, and who masks.

/// Which end of a connection a socket is; see
/// [`WebSocket::from_upgraded`](crate::WebSocket::from_upgraded).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ends")]
pub enum Role {
    /// Accepts the opening handshake; receives masked frames and sends unmasked ones.
    Server,
    /// Asks for the opening handshake; receives unmasked frames and sends masked ones.
    Client,
}
