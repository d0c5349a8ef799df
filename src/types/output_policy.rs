//! The policy for back-pressure: messages over the limit of unsent output.

/// The policy for messages to a peer that reads too slowly (back-pressure).
///
/// Unsent output is queued in memory. The policy applies when it would exceed its limit
/// ([`WebSocket::set_output_limit`](crate::WebSocket::set_output_limit), 16 MiB), and to the socket
/// with the most queued output when the sockets of its loop exceed their budget
/// ([`EventLoop::set_memory_budget`](crate::EventLoop::set_memory_budget)); that socket is closed when
/// nothing, or not enough, can be dropped.
///
/// Messages are dropped whole, and only before their first byte is written; control frames, such as
/// pings and the close frame, are not dropped. The write timeout
/// ([`WebSocket::set_write_timeout`](crate::WebSocket::set_write_timeout), 30 s) applies with each
/// policy.
///
/// # Qt
///
/// Qt has no counterpart: its output is queued without a limit.
///
/// # Examples
///
/// A ticker: slow readers get fewer prices, but always the latest one.
///
/// ```
/// use slotwork::{OutputPolicy, SslMode, WebSocketServer};
///
/// let server = WebSocketServer::new("Ticker", SslMode::NonSecure);
/// server.set_output_policy(OutputPolicy::KeepLatest);
/// server.set_output_limit(64 * 1024);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OutputPolicy {
    /// The connection is closed, with [`Error::OutputLimit`](crate::Error::OutputLimit).
    #[default]
    Close,
    /// The new message is dropped; queued ones stay.
    DropNewest,
    /// The oldest queued messages are dropped until the new one fits.
    DropOldest,
    /// All queued messages are dropped; the new one takes their place.
    KeepLatest,
}
