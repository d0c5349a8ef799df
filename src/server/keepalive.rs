//! Finds the clients whose connections are dead: their peers have gone without a word.
//!
//! One task looks at all clients of a server again and again, a few in each turn of the loop. This
//! costs a client one byte, and nothing per message; a timer for each would cost more than much
//! else that an idle connection needs.

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
    /// A client from which nothing has come for this long, at most a quarter longer, is sent a ping
    /// (RFC 6455 §5.5.2), in front of the output that waits. When nothing comes for as long again,
    /// counted from when the ping has left, its socket emits
    /// [`error_occurred`](WebSocket::error_occurred) with [`Error::KeepaliveTimeout`] and
    /// disconnects. Progress of output that waits is a sign of life as well: a slow reader is not
    /// ended. The pongs that answer these pings are not emitted. `None` turns it off.
    ///
    /// A new interval counts at once, also for the clients that are connected. An interval of zero
    /// counts as one of a millisecond.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: its programs send pings from a `QTimer`, or never notice.
    ///
    /// [`Error::KeepaliveTimeout`]: crate::Error::KeepaliveTimeout
    pub fn set_keepalive_interval(&self, interval: Option<Duration>) {
        let interval = interval.map(|interval| interval.max(SHORTEST_KEEPALIVE_INTERVAL));
        if self.inner.clients.set_keepalive_interval(interval) {
            self.inner.start_keepalive();
        }
    }

    /// Returns how long a client may be idle before it is pinged; `None` when it is not.
    #[must_use]
    pub fn keepalive_interval(&self) -> Option<Duration> {
        self.inner.clients.keepalive_interval()
    }
}

impl Inner {
    /// Starts the keepalive task, which ends when there is no client.
    pub(crate) fn start_keepalive(&self) {
        let clients = Arc::downgrade(&self.clients);
        self.event_loop.run(|| EventLoop::current().spawn(watch(clients)).detach());
    }
}

async fn watch(clients: Weak<Clients>) {
    while let Some(interval) = clients.upgrade().and_then(|clients| clients.go_on_watching()) {
        let look = interval / u32::from(PING_AFTER);
        let pass = async {
            Sleep::new(look).await;
            false
        };
        let change = async {
            poll_fn(|cx| poll_changed(&clients, interval, cx)).await;
            true
        };
        if pass.or(change).await {
            continue;
        }
        let mut place = 0;
        while let Some((sockets, next)) = some_sockets(&clients, place) {
            for socket in &sockets {
                socket.check_alive(look);
            }
            drop(sockets);
            place = next;
            next_turn().await;
        }
    }
}

/// Waits until another interval is set, or the server is gone.
fn poll_changed(clients: &Weak<Clients>, interval: Duration, cx: &Context<'_>) -> Poll<()> {
    clients.upgrade().map_or(Poll::Ready(()), |clients| clients.poll_other_interval(interval, cx))
}

fn some_sockets(clients: &Weak<Clients>, place: usize) -> Option<(Vec<WebSocket>, usize)> {
    clients.upgrade()?.some_sockets(place)
}

const SHORTEST_KEEPALIVE_INTERVAL: Duration = Duration::from_millis(1);
