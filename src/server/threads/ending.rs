//! The end of a server with threads: its shutdown, and the end of the threads.

use std::sync::Arc;
use std::time::Duration;

use crate::event_loop::EventLoop;
use crate::server::state::Inner;
use crate::server::threads::parts::Parts;

impl Inner {
    /// Closes all clients of all parts, and then emits `closed`.
    pub(crate) fn shut_down_parts(self: &Arc<Self>, parts: &Parts<Self>, timeout: Duration) {
        let shutdown = Arc::new(Shutdown(Arc::clone(self)));
        // The whole first: what it accepts later is not begun.
        for server in [Arc::clone(self)].into_iter().chain(parts.servers()) {
            let part = Arc::clone(&shutdown);
            server.close_clients(timeout, move || drop(part));
        }
    }

    /// Stops accepting, and lets each thread end when its clients have disconnected.
    pub(crate) fn end_threads(self: &Arc<Self>) {
        if self.stop() {
            self.emit_closed();
        }
        for part in self.parts.get().map(Parts::running).into_iter().flatten() {
            part.end();
            let server = part.server.upgrade();
            let is_ending = server.is_some_and(|server| {
                server.close_clients(GRACE_PERIOD, || EventLoop::current().quit())
            });
            if !is_ending {
                part.event_loop.quit();
            }
        }
    }
}

/// A shutdown of all parts.
///
/// Each holds it until its clients have disconnected, or its thread has ended.
struct Shutdown(Arc<Inner>);

impl Drop for Shutdown {
    fn drop(&mut self) {
        self.0.lock().is_shutting_down = false;
        self.0.emit_closed();
    }
}

/// How long clients may take for their closing handshakes when threads end.
const GRACE_PERIOD: Duration = Duration::from_secs(3);
