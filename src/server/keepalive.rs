//! Keepalive: pings idle clients, and ends connections without an answer.
//!
//! One task checks all clients of a server at intervals, a few in each turn of the loop. This costs
//! one byte per client, and nothing per message; a timer for each client would be a large part of
//! the memory of an idle connection.

use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use smol::future::FutureExt;

use crate::event_loop::{EventLoop, next_turn};
use crate::runtime::timers::Sleep;
use crate::server::WebSocketServer;
use crate::server::state::Inner;
use crate::session::PING_AFTER;
use crate::socket::{Clients, WebSocket};

/// Keepalive.
impl WebSocketServer {
    /// Sets how long a client may be idle before it is pinged; the default is 20 s.
    ///
    /// A client that has sent nothing for this long, at most a quarter longer, is sent a ping
    /// (RFC 6455 §5.5.2), ahead of unsent output. If it sends nothing for as long again after the
    /// ping has left, its socket emits [`error_occurred`](WebSocket::error_occurred) with
    /// [`Error::KeepaliveTimeout`] and disconnects. Progress of unsent output is a sign of life as
    /// well: a slow reader is not disconnected. The pongs that answer these pings are not emitted.
    /// `None` turns keepalive off.
    ///
    /// A new interval takes effect at once, also for connected clients. An interval of zero is
    /// raised to one millisecond.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: its programs send pings from a `QTimer`, or never notice.
    ///
    /// [`Error::KeepaliveTimeout`]: crate::Error::KeepaliveTimeout
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use slotwork::{SslMode, WebSocketServer};
    ///
    /// let server = WebSocketServer::new("Server", SslMode::NonSecure);
    /// // A proxy in front of the server closes connections that are idle for 10 s.
    /// server.set_keepalive_interval(Some(Duration::from_secs(5)));
    /// ```
    pub fn set_keepalive_interval(&self, interval: Option<Duration>) {
        let interval = interval.map(|interval| interval.max(SHORTEST_KEEPALIVE_INTERVAL));
        self.inner.set(|configuration| &mut configuration.keepalive_interval, interval);
    }

    /// Returns how long a client may be idle before it is pinged; `None` is off.
    #[must_use]
    pub fn keepalive_interval(&self) -> Option<Duration> {
        self.inner.lock().configuration.keepalive_interval
    }
}

impl Inner {
    /// Starts the keepalive task, which ends when there are no clients.
    pub(crate) fn start_keepalive(&self) {
        let clients = Arc::downgrade(&self.clients);
        self.event_loop.run(|| EventLoop::current().spawn(check_clients(clients)).detach());
    }
}

/// Checks the clients at intervals until there are none, or keepalive is off.
async fn check_clients(clients: Weak<Clients>) {
    while let Some(interval) =
        clients.upgrade().and_then(|clients| clients.next_keepalive_interval())
    {
        let check_interval = interval / u32::from(PING_AFTER);
        let elapsed = async {
            Sleep::new(check_interval).await;
            false
        };
        let changed = async {
            poll_fn(|cx| poll_changed(&clients, interval, cx)).await;
            true
        };
        if elapsed.or(changed).await {
            continue;
        }
        let mut place = 0;
        while let Some((sockets, next)) = some_sockets(&clients, place) {
            for socket in &sockets {
                socket.check_alive(check_interval);
            }
            drop(sockets);
            place = next;
            next_turn().await;
        }
    }
}

/// Waits until another interval is set, or the server is dropped.
fn poll_changed(clients: &Weak<Clients>, interval: Duration, cx: &Context<'_>) -> Poll<()> {
    clients.upgrade().map_or(Poll::Ready(()), |clients| clients.poll_other_interval(interval, cx))
}

fn some_sockets(clients: &Weak<Clients>, place: usize) -> Option<(Vec<WebSocket>, usize)> {
    clients.upgrade()?.some_sockets(place)
}

const SHORTEST_KEEPALIVE_INTERVAL: Duration = Duration::from_millis(1);
