//! The statistics of servers, sockets and event loops.

use std::fmt;
use std::time::Duration;

/// The statistics of a server, returned by [`WebSocketServer::stats`].
///
/// The first three are current numbers, the others count from the server's creation on and never
/// decrease. Those of a server on several threads are sums over all threads.
///
/// # Qt
///
/// Qt has no counterpart.
///
/// [`WebSocketServer::stats`]: crate::WebSocketServer::stats
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// The open connections, pending ones included.
    pub connections: usize,
    /// The connections that wait for `next_pending_connection`.
    pub pending_connections: usize,
    /// The opening handshakes under way.
    pub handshakes: usize,
    /// The connections whose opening handshake has succeeded.
    pub accepted: u64,
    /// The clients that were refused, or whose opening handshake has failed.
    pub refused: RefusedClients,
    /// The messages received, without control frames.
    pub messages_received: u64,
    /// The messages that were accepted to be sent.
    ///
    /// Those that an output policy has dropped later, or that a connection has lost at its end, are
    /// among them; each recipient of a broadcast counts.
    pub messages_sent: u64,
    /// The bytes of the frames received, headers included, without those of TLS.
    pub bytes_received: u64,
    /// The bytes of frames that the operating system has taken, without those of TLS.
    pub bytes_sent: u64,
    /// The messages that output policies have dropped.
    pub dropped_messages: u64,
    /// The connections that ended because an idle client did not answer a ping.
    pub keepalive_timeouts: u64,
    /// The panics of slots of the server and of its sockets.
    pub slot_panics: u64,
}

/// The number of refused clients, by reason.
///
/// # Qt
///
/// Qt has no counterpart.
///
/// # Examples
///
/// ```
/// use slotwork::{RefusalReason, SslMode, WebSocketServer};
///
/// let server = WebSocketServer::new("Server", SslMode::NonSecure);
/// let refused = server.stats().refused;
/// assert_eq!(refused.count(RefusalReason::Origin), 0);
/// for (reason, count) in refused.by_reason() {
///     println!("refused_total{{reason=\"{reason}\"}} {count}");
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefusedClients {
    counts: [u64; RefusalReason::ALL.len()],
}

/// The reason for which a client was refused, or its opening handshake failed.
///
/// # Qt
///
/// Qt has no counterpart: `serverError()` has a close code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RefusalReason {
    /// The request is invalid or too large (HTTP 400, 405, 414, 431, 505).
    BadRequest,
    /// The request does not ask for a WebSocket connection (HTTP 426).
    UpgradeRequired,
    /// The origin of the web page is not allowed (HTTP 403).
    Origin,
    /// The verifier has rejected the request.
    Verifier,
    /// A verifier or a slot made no valid decision, such as after a panic (HTTP 500).
    NoDecision,
    /// The handshake was not finished in time (HTTP 408).
    Timeout,
    /// Too many connections are pending (HTTP 503).
    PendingConnections,
    /// Too many connections are open (HTTP 503).
    Connections,
    /// Too many connections are open from the client's address (HTTP 429).
    ConnectionsPerAddress,
    /// Too many opening handshakes are under way (HTTP 503).
    Handshakes,
    /// The TLS handshake has failed.
    Tls,
    /// The connection has ended in the middle of the handshake.
    Interrupted,
}

/// The statistics of one socket, returned by [`WebSocket::stats`].
///
/// Messages and bytes are counted for the server alone: an idle socket pays nothing for them.
///
/// # Qt
///
/// Qt has no counterpart.
///
/// [`WebSocket::stats`]: crate::WebSocket::stats
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketStats {
    /// The unsent output, in bytes with frame headers.
    pub bytes_to_write: usize,
    /// The messages dropped by the output policy since opening.
    pub dropped_messages: u64,
    /// The messages that later ones of their topics have replaced since opening.
    pub conflated_messages: u64,
    /// Whether nothing is read: by `pause_reading`, a rate, or a full queue.
    pub is_reading_held: bool,
}

/// The statistics of an event loop, returned by [`EventLoop::stats`].
///
/// A turn is the time from one poll of the operating system to the next: sockets that become ready in
/// it wait for its end. Turns are measured from the first call of [`EventLoop::stats`] on.
///
/// # Qt
///
/// Qt has no counterpart.
///
/// [`EventLoop::stats`]: crate::EventLoop::stats
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoopStats {
    /// The number of turns.
    pub turns: u64,
    /// The time in turns; for the rest of `elapsed` the loop has slept.
    pub busy: Duration,
    /// The longest turn.
    pub longest_turn: Duration,
    /// The longest time by which a timer or another deadline was late.
    pub longest_lag: Duration,
    /// The time since the measurement began.
    pub elapsed: Duration,
}

impl RefusedClients {
    /// Returns the number of clients refused for this reason.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{RefusalReason, WebSocketServer};
    ///
    /// fn is_scanned(server: &WebSocketServer) -> bool {
    ///     server.stats().refused.count(RefusalReason::BadRequest) > 1000
    /// }
    /// ```
    #[must_use]
    pub fn count(&self, reason: RefusalReason) -> u64 {
        self.counts.get(reason as usize).copied().unwrap_or_default()
    }

    /// Returns the number of all refused clients.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Returns all reasons with their counts.
    pub fn by_reason(&self) -> impl Iterator<Item = (RefusalReason, u64)> {
        RefusalReason::ALL.into_iter().zip(self.counts)
    }

    /// Adds to the number of clients refused for a reason.
    pub(crate) fn add(&mut self, reason: RefusalReason, count: u64) {
        if let Some(sum) = self.counts.get_mut(reason as usize) {
            *sum += count;
        }
    }
}

impl RefusalReason {
    /// All reasons, in the order of their numbers.
    pub(crate) const ALL: [Self; 12] = [
        Self::BadRequest,
        Self::UpgradeRequired,
        Self::Origin,
        Self::Verifier,
        Self::NoDecision,
        Self::Timeout,
        Self::PendingConnections,
        Self::Connections,
        Self::ConnectionsPerAddress,
        Self::Handshakes,
        Self::Tls,
        Self::Interrupted,
    ];

    /// Returns the reason as a name for labels, such as `bad_request`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::UpgradeRequired => "upgrade_required",
            Self::Origin => "origin",
            Self::Verifier => "verifier",
            Self::NoDecision => "no_decision",
            Self::Timeout => "timeout",
            Self::PendingConnections => "pending_connections",
            Self::Connections => "connections",
            Self::ConnectionsPerAddress => "connections_per_address",
            Self::Handshakes => "handshakes",
            Self::Tls => "tls",
            Self::Interrupted => "interrupted",
        }
    }
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_count_of_its_own() {
        let mut refused = RefusedClients::default();
        for (index, reason) in RefusalReason::ALL.into_iter().enumerate() {
            refused.add(reason, 1 << index);
        }

        for (index, (reason, count)) in refused.by_reason().enumerate() {
            assert_eq!((refused.count(reason), count), (1 << index, 1 << index), "{reason}");
        }
        assert_eq!(refused.total(), (1 << RefusalReason::ALL.len()) - 1);
    }

    /// Dashboards have these names: another one loses the history of a label.
    #[test]
    fn reasons_have_the_names_of_their_labels() {
        let names = RefusalReason::ALL.map(RefusalReason::as_str).join(" ");

        assert_eq!(
            names,
            "bad_request upgrade_required origin verifier no_decision timeout pending_connections \
             connections connections_per_address handshakes tls interrupted"
        );
        assert_eq!(format!("{:>5}", RefusalReason::Tls), "  tls");
    }
}
