//! A received pong.

use std::time::Duration;

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
