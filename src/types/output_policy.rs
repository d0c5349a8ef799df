//! What becomes of messages for a peer that reads too slowly.

/// What becomes of messages for a peer that reads too slowly.
///
/// While a peer does not read, or the network is slow, what is sent to it waits in memory. Over a
/// limit ([`WebSocket::set_output_limit`](crate::WebSocket::set_output_limit), 16 MiB) one of these
/// is done. The same holds for the socket that holds most when all of its loop hold too much together
/// ([`EventLoop::set_memory_budget`](crate::EventLoop::set_memory_budget)), but that it is ended when
/// nothing, or not enough, can be dropped.
///
/// Messages are dropped whole, and never one of which a part was written already; control
/// frames, such as pings and the close frame, are not dropped. A peer that takes nothing at all for
/// 10 s is given up in any case.
///
/// # Qt
///
/// Qt has no counterpart: there output waits without a limit.
///
/// # Examples
///
/// A ticker: who reads slowly gets fewer prices, but the latest one.
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
    /// The connection is ended, with [`Error::OutputLimit`](crate::Error::OutputLimit).
    #[default]
    Close,
    /// The message that is sent is dropped; those that wait stay.
    DropNewest,
    /// Those that have waited longest are dropped until there is room for the one that is sent.
    DropOldest,
    /// All that wait are dropped; the one that is sent waits in their place.
    KeepLatest,
}
