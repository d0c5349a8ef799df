//! A part of a server: what it has of the whole, and what it reports to it.

use std::sync::{Arc, Weak};

use crate::event_loop::LoopHandle;
use crate::protocol::handshake::refusal::Refusal;
use crate::protocol::prepared_message::PreparedMessage;
use crate::server::state::Inner;
use crate::server::threads::parts::Parts;
use crate::socket::{Counted, ThreadCount, WebSocket};
use crate::types::error::Error;
use crate::types::output::SendStatus;

impl Inner {
    /// Makes the part of a server in the thread of `event_loop`.
    pub(crate) fn part_of(
        whole: &Arc<Self>,
        event_loop: LoopHandle,
        count: Arc<ThreadCount>,
    ) -> Self {
        let configuration = whole.lock().configuration.clone();
        Self::with(configuration, whole.mode, event_loop, Some((Arc::downgrade(whole), count)))
    }

    /// Returns the parts, if the server hands its connections to them.
    pub(crate) fn parts(&self) -> Option<&Parts<Self>> {
        self.parts.get()?.serving()
    }

    /// Returns the server that this is a part of, unless it is gone.
    pub(crate) fn whole(&self) -> Option<Arc<Self>> {
        self.whole.as_ref().and_then(Weak::upgrade)
    }

    /// Reports the failure of a handshake: a part, and the whole on its own loop.
    pub(crate) fn report_handshake(&self, error: &Error) {
        self.emit(|server| server.report(error));
        if let Some(whole) = self.whole() {
            let (server, error) = (Arc::clone(&whole), error.clone());
            whole.event_loop.run(move || server.emit(|server| server.report(&error)));
        }
    }

    /// Fails when the limit of the whole for connections is reached.
    ///
    /// `check` gets the limit of those that are counted: others are from before the threads.
    pub(crate) fn check_whole(
        &self,
        counted: Option<&Counted>,
        check: impl FnOnce(&Counted, usize) -> bool,
    ) -> Result<(), Refusal> {
        let (Some(counted), Some(whole)) = (counted, self.whole()) else { return Ok(()) };
        let state = whole.lock();
        let (limit, others) = (state.configuration.max_connections, state.pending.len());
        drop(state);
        let Some(limit) = limit else { return Ok(()) };
        let others = others + whole.clients.len();
        if check(counted, limit.saturating_sub(others)) {
            return Ok(());
        }
        Err(Refusal::TooManyConnections { limit })
    }

    /// Returns the clients of this server, and of all its parts.
    pub(crate) fn all_clients(&self) -> Vec<WebSocket> {
        let mut clients = self.clients.sockets();
        for server in self.parts().map(Parts::servers).into_iter().flatten() {
            clients.extend(server.clients.sockets());
        }
        clients
    }

    /// Sends a message to the clients of this server and of all its parts.
    ///
    /// Returns for how many clients it was queued here, or handed to a part.
    pub(crate) fn broadcast(&self, message: &PreparedMessage) -> usize {
        let mut count = self.broadcast_here(message);
        for part in self.parts().map(Parts::running).into_iter().flatten() {
            // A client that has its 101 by now is among those of the part when the call is made.
            if part.count.connections() == 0 {
                continue;
            }
            let clients = part.server.upgrade().map_or(0, |server| server.clients.len());
            let (server, message) = (Weak::clone(&part.server), message.clone());
            let is_handed = part.event_loop.run(move || {
                if let Some(server) = server.upgrade() {
                    server.broadcast_here(&message);
                }
            });
            count += if is_handed { clients } else { 0 };
        }
        count
    }

    fn broadcast_here(&self, message: &PreparedMessage) -> usize {
        let clients = self.clients.sockets();
        clients.iter().filter(|client| client.send_prepared(message) == SendStatus::Queued).count()
    }
}
