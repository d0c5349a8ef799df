//! The answer to a ping.

use std::time::Duration;

/// A pong that came in (RFC 6455 §5.5.3).
///
/// # Qt
///
/// The arguments of `QWebSocket::pong()`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pong {
    /// The time since the last ping; `None` when none was sent.
    pub elapsed: Option<Duration>,
    /// What the ping carried.
    pub payload: Vec<u8>,
}
