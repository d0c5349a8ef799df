//! A part of a server: what it has of the whole, and what it reports to it.

use std::sync::{Arc, Weak};

use crate::event_loop::LoopHandle;
use crate::protocol::handshake::refusal::Refusal;
use crate::server::state::Inner;
use crate::server::threads::parts::Parts;
use crate::socket::{Counted, ThreadCount};
use crate::types::error::Error;
use crate::types::limit::LimitReached;
use crate::types::stats::RefusalReason;

impl Inner {
    /// Makes the part of a server in the thread of `event_loop`.
    pub(crate) fn part_of(
        whole: &Arc<Self>,
        event_loop: LoopHandle,
        count: Arc<ThreadCount>,
    ) -> Self {
        let configuration = whole.lock().configuration.clone();
        let of_whole = Some((Arc::downgrade(whole), count));
        let mut part = Self::with(configuration, whole.mode, event_loop, of_whole);
        part.topics = Arc::clone(&whole.topics);
        part.addresses = Arc::clone(&whole.addresses);
        part
    }

    /// Returns the parts, if the server hands its connections to them.
    pub(crate) fn parts(&self) -> Option<&Parts<Self>> {
        self.parts.get()?.serving()
    }

    /// Returns the server that this is a part of, unless it is gone.
    pub(crate) fn whole(&self) -> Option<Arc<Self>> {
        self.whole.as_ref().and_then(Weak::upgrade)
    }

    /// Counts and reports the failure of a handshake.
    ///
    /// A part does, and the whole on its own loop.
    pub(crate) fn report_handshake(&self, reason: RefusalReason, error: &Error) {
        self.counters.note_refused(reason);
        self.emit(|server| server.report(error));
        if let Some(whole) = self.whole() {
            let (server, error) = (Arc::clone(&whole), error.clone());
            whole.event_loop.run(move || server.emit(|server| server.report(&error)));
        }
    }

    /// Reports a limit that a client has reached.
    ///
    /// A part does, and the whole on its own loop.
    pub(crate) fn report_limit(&self, reached: LimitReached) {
        self.emit(|server| server.limit_reached.emit(&reached));
        if let Some(whole) = self.whole() {
            let server = Arc::clone(&whole);
            whole.event_loop.run(move || {
                server.emit(|server| server.limit_reached.emit(&reached));
            });
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
}
