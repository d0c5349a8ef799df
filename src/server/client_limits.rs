//! How many connections a server has at a time, and what happens to those beyond.

use std::sync::Arc;

use crate::event_loop::EventLoop;
use crate::net::upgrade;
use crate::protocol::handshake::refusal::Refusal;
use crate::server::WebSocketServer;
use crate::server::opening::{Newcomer, refuse, refused};
use crate::server::state::{Inner, State};
use crate::types::ssl_mode::SslMode;

/// The most connections and handshakes of a server.
pub(crate) struct Capacity {
    max_connections: Option<usize>,
    max_handshakes: Option<usize>,
    /// Each connection that is being turned away holds one.
    turned_away: Arc<()>,
}

/// Capacity.
impl WebSocketServer {
    /// Sets the maximum number of open connections of this server.
    ///
    /// The default is `None`, no limit but the number of descriptors that the system allows. Sockets
    /// count from the end of their opening handshake, pending ones included, until they have
    /// disconnected. Further clients are answered with 503 and reported by
    /// [`server_error`](Self::server_error) with
    /// [`Error::TooManyConnections`](crate::Error::TooManyConnections). A limit below the
    /// present number closes no connection.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: `setMaxPendingConnections()` limits only those that no slot has taken.
    #[doc(alias = "maxConnections")]
    pub fn set_max_connections(&self, limit: Option<usize>) {
        self.inner.lock().capacity.max_connections = limit;
    }

    /// Returns the maximum number of open connections; `None` is no limit.
    #[must_use]
    pub fn max_connections(&self) -> Option<usize> {
        self.inner.lock().capacity.max_connections
    }

    /// Sets the maximum number of opening handshakes under way.
    ///
    /// The default is 4096; `None` sets no limit. A handshake is under way from TCP accept until the
    /// socket is pending or the refused client has read its answer, the time in which a verifier
    /// decides included. Further connections are answered with 503 before anything is read from them,
    /// over TLS closed without an answer (which would need a handshake), and reported by
    /// [`server_error`](Self::server_error) with
    /// [`Error::TooManyHandshakes`](crate::Error::TooManyHandshakes).
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    #[doc(alias = "maxHandshakes")]
    pub fn set_max_handshakes(&self, limit: Option<usize>) {
        self.inner.lock().capacity.max_handshakes = limit;
    }

    /// Returns the maximum number of opening handshakes under way; `None` is no limit.
    #[must_use]
    pub fn max_handshakes(&self) -> Option<usize> {
        self.inner.lock().capacity.max_handshakes
    }
}

impl Inner {
    /// Fails when a further connection would be one too many.
    pub(crate) fn check_room(&self) -> Result<(), Refusal> {
        let state = self.lock();
        if state.pending.len() >= state.max_pending {
            return Err(Refusal::TooManyPending);
        }
        match state.capacity.max_connections {
            Some(limit) if self.clients.len() + state.pending.len() >= limit => {
                Err(Refusal::TooManyConnections { limit })
            }
            _ => Ok(()),
        }
    }

    /// Ends a connection whose handshake would be one too many, after an answer if possible.
    pub(crate) fn turn_away(&self, newcomer: Newcomer, refusal: Refusal) {
        let (name, turned_away) = {
            let state = self.lock();
            (state.name.clone(), Arc::clone(&state.capacity.turned_away))
        };
        self.emit(|server| server.report(&refused(newcomer.peer, &refusal)));
        if self.mode == SslMode::Secure {
            return;
        }
        let Newcomer { mut stream, .. } = newcomer;
        if Arc::strong_count(&turned_away) > MOST_TURNED_AWAY {
            return upgrade::server::answer_at_once(&mut stream, &refusal, &name);
        }
        let answer = async move {
            refuse(&mut stream, &refusal, &name).await;
            drop(turned_away);
        };
        EventLoop::current().spawn(answer).detach();
    }
}

impl State {
    /// Returns why a further handshake would be one too many, if it would.
    pub(crate) fn refuses_handshakes(&self) -> Option<Refusal> {
        let limit = self.capacity.max_handshakes?;
        (self.handshakes.len() >= limit).then_some(Refusal::TooManyHandshakes { limit })
    }
}

impl Default for Capacity {
    fn default() -> Self {
        Self {
            max_connections: None,
            max_handshakes: Some(DEFAULT_MAX_HANDSHAKES),
            turned_away: Arc::default(),
        }
    }
}

/// More than come at a time when all clients of a big server connect again; they take a few MiB.
const DEFAULT_MAX_HANDSHAKES: usize = 4096;
/// How many of those that are turned away are given time to read their answer.
const MOST_TURNED_AWAY: usize = 256;
