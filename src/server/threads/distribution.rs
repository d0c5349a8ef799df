//! Distributes new connections among the threads, each before its handshake.
//!
//! The thread that accepts chooses the part with the fewest connections and posts one call to it.
//! The connection is registered with the reactor of that part alone.

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use log::{debug, warn};

use crate::event_loop::EventLoop;
use crate::net::stream::{AcceptedStream, ForeignStream};
use crate::protocol::handshake::refusal::Refusal;
use crate::server::handover::{Newcomer, Start};
use crate::server::opening::Taken;
use crate::server::state::Inner;
use crate::server::threads::parts::{Part, Parts};
use crate::socket::Counted;
use crate::types::error::Error;

impl Inner {
    /// Starts the handshake of an accepted connection, here or in a part.
    pub(crate) fn start_accepted(
        self: &Arc<Self>,
        stream: AcceptedStream,
        peer: SocketAddr,
        closings: u64,
    ) -> io::Result<()> {
        let Some(parts) = self.parts() else {
            let taken = Taken::uncounted(stream.watch()?, peer, closings);
            self.start_opening(taken, Vec::new(), true);
            return Ok(());
        };
        let start = Start::Opening { received: Vec::new(), begins_with_tls: true };
        let newcomer = Newcomer { stream: ForeignStream::accepted(stream), peer, start };
        self.distribute(parts, newcomer, closings);
        Ok(())
    }

    /// Hands a connection to the part with the fewest.
    pub(crate) fn distribute(
        self: &Arc<Self>,
        parts: &Parts<Self>,
        newcomer: Newcomer,
        closings: u64,
    ) {
        self.warn_of_lost_slots(parts);
        let limit = self.lock().configuration.max_handshakes;
        let Some((part, counted)) = parts.choose(limit) else {
            return self.close_without_threads(newcomer);
        };
        let overflow = limit.filter(|_| counted.is_none());
        let mut place = None;
        if let Some(limit) = overflow {
            place = parts.overflow_place();
            if place.is_none() {
                let peer = newcomer.peer;
                drop(newcomer);
                let client = self.lock().client_before_request(peer);
                return self.report_refusal(peer, client, &Refusal::TooManyHandshakes { limit });
            }
        }
        let call = Call {
            _place: place,
            newcomer: Some(newcomer),
            counted: overflow
                .map_or(Ok(counted), |limit| Err(Refusal::TooManyHandshakes { limit })),
            whole: Arc::downgrade(self),
            closings,
        };
        let called = Arc::clone(&part);
        part.event_loop.run(move || call.make(&called));
    }

    /// Closes a connection, and the listener, as all threads have ended.
    fn close_without_threads(self: &Arc<Self>, newcomer: Newcomer) {
        debug!("{} is closed: the threads of the server have ended", newcomer.peer);
        drop(newcomer);
        if self.stop() {
            self.emit_closed();
        }
        let server = Arc::clone(self);
        self.event_loop.run(move || {
            server.emit(|server| server.report(&Error::EventLoopEnded));
        });
    }

    /// Logs a warning, once, when slots wait for connections that the parts get.
    pub(crate) fn warn_of_lost_slots(&self, parts: &Parts<Self>) {
        if self.new_connection.slot_count() == 0 || !parts.begin_warning() {
            return;
        }
        let name = self.lock().configuration.name.clone();
        warn!(
            "a slot of new_connection of {name:?} is not called, as the server has threads: \
             connect it in the setup of serve_on_threads"
        );
    }
}

/// The call that a part gets for each connection.
///
/// When its thread ends before, another part gets the connection.
struct Call {
    newcomer: Option<Newcomer>,
    /// Its place among those over the limit of handshakes.
    _place: Option<Arc<()>>,
    /// An error when too many handshakes are under way: the part answers.
    counted: Result<Option<Counted>, Refusal>,
    whole: Weak<Inner>,
    /// The `closings` of the whole server when the connection arrived.
    closings: u64,
}

impl Call {
    /// Starts the handshake, in the thread of `part`.
    fn make(mut self, part: &Part<Inner>) {
        if EventLoop::current().is_quitting() {
            // A handshake that began here would end with the thread.
            return part.end();
        }
        let (Some(part), Some(whole)) = (part.server.upgrade(), self.whole.upgrade()) else {
            return;
        };
        // Read first: a server that is closed from here on closes its parts after itself.
        let closings = part.lock().closings;
        let is_open = whole.lock().closings == self.closings;
        drop(whole);
        let Some(newcomer) = self.newcomer.take().filter(|_| is_open) else { return };
        let counted = mem::replace(&mut self.counted, Ok(None));
        part.begin(newcomer, closings, counted);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let Some(newcomer) = self.newcomer.take() else { return };
        let Some(whole) = self.whole.upgrade() else { return };
        // It no longer counts for the thread that has ended.
        self.counted = Ok(None);
        if whole.lock().closings != self.closings {
            return;
        }
        if let Some(parts) = whole.parts() {
            whole.distribute(parts, newcomer, self.closings);
        }
    }
}
