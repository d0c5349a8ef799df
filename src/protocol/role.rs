//! The two ends of a WebSocket connection, and who masks.

use crate::protocol::violation::Violation;

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

impl Role {
    /// Refuses a frame whose masking does not fit its direction.
    ///
    /// # Qt
    ///
    /// Qt accepts both directions masked or not (RCV-21).
    pub(crate) fn check_masking(self, is_masked: bool) -> Result<(), Violation> {
        // RFC 6455 §5.1: a client masks every frame, a server none; the other end closes with
        // 1002 when it sees otherwise.
        match (self, is_masked) {
            (Self::Server, true) | (Self::Client, false) => Ok(()),
            (Self::Server, false) => Err(Violation::UNMASKED_FRAME),
            (Self::Client, true) => Err(Violation::MASKED_FRAME),
        }
    }
}
