//! Statistics of a server: the sums over its threads.

use crate::server::WebSocketServer;
use crate::server::state::Inner;
use crate::types::stats::ServerStats;

/// Statistics.
impl WebSocketServer {
    /// Returns the statistics of this server.
    ///
    /// Messages and bytes are counted at the end of each connection's turn, without locks and atomic
    /// operations; this call adds up what all threads have counted. It takes no lock for long, and its
    /// time does not depend on the number of clients. A part of a server on several threads returns its
    /// own statistics.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// The text format of Prometheus:
    ///
    /// ```
    /// use slotwork::{SslMode, WebSocketServer};
    ///
    /// fn metrics(server: &WebSocketServer) -> String {
    ///     let stats = server.stats();
    ///     let mut text = format!(
    ///         "chat_connections {}\nchat_messages_received_total {}\n",
    ///         stats.connections, stats.messages_received,
    ///     );
    ///     for (reason, count) in stats.refused.by_reason() {
    ///         text += &format!("chat_refused_total{{reason=\"{reason}\"}} {count}\n");
    ///     }
    ///     text
    /// }
    ///
    /// let server = WebSocketServer::new("Chat", SslMode::NonSecure);
    /// assert!(metrics(&server).contains("chat_refused_total{reason=\"origin\"} 0\n"));
    /// ```
    #[doc(alias = "metrics")]
    #[doc(alias = "prometheus")]
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        self.inner.stats()
    }
}

impl Inner {
    fn stats(&self) -> ServerStats {
        let mut stats = ServerStats::default();
        self.add_current_numbers(&mut stats);
        self.counters.add_to(&mut stats, self.clients.traffic().counts());
        if let Some(parts) = self.parts.get() {
            for server in parts.servers() {
                server.add_current_numbers(&mut stats);
            }
            // Those of threads that have ended still count.
            for part in parts.all() {
                part.counters.add_to(&mut stats, part.clients.traffic().counts());
            }
        }
        stats
    }

    fn add_current_numbers(&self, sums: &mut ServerStats) {
        let state = self.lock();
        sums.connections += self.clients.len() + state.pending.len();
        sums.pending_connections += state.pending.len();
        sums.handshakes += state.handshakes.len();
    }
}
