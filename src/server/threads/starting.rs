//! Starts the threads of a server, with a part and its setup in each.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::available_parallelism;

use crate::event_loop::EventLoop;
use crate::event_loop::event_thread::EventThread;
use crate::server::WebSocketServer;
use crate::server::state::Inner;
use crate::server::threads::parts::{Part, Parts};
use crate::types::error::Error;

impl Inner {
    /// Starts threads one after the other, with a setup in each.
    ///
    /// Connections are handed to them when all are set up. 0 is the number of cores. The first
    /// failure ends the threads that have started.
    pub(crate) fn start_threads<W: 'static, E: From<Error> + Send + 'static>(
        self: &Arc<Self>,
        count: usize,
        setup: impl Fn(&WebSocketServer) -> Result<W, E> + Send + Sync + 'static,
    ) -> Result<Vec<EventThread>, E> {
        if self.whole.is_some() {
            return Err(Error::PartOfServer.into());
        }
        if self.event_loop.has_ended() {
            return Err(Error::EventLoopEnded.into());
        }
        let starting = Starting::begin(self)?;
        let count = NonZeroUsize::new(count);
        let count = count.or_else(|| available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        let name = self.lock().configuration.name.clone();
        let setup = Arc::new(setup);

        let mut threads = Vec::with_capacity(count);
        for number in 0..count {
            let (whole, setup) = (Arc::clone(self), Arc::clone(&setup));
            let name = format!("{name} {number}");
            threads.push(EventThread::try_spawn(name.trim_start(), move || {
                let (part, end) = whole.add_part();
                drop(whole);
                let worker = setup(&part)?;
                // In this order they are dropped at the thread's end.
                Ok::<_, E>((end, worker, part))
            })?);
        }
        starting.finish();
        if let Some(parts) = self.parts() {
            self.warn_of_lost_slots(parts);
        }
        Ok(threads)
    }

    /// Makes the part of this thread.
    fn add_part(self: &Arc<Self>) -> (WebSocketServer, PartEnd) {
        let parts = self.parts.get_or_init(Parts::default);
        let event_loop = EventLoop::current().handle();
        let count = parts.new_count();
        let inner = Arc::new(Self::part_of(self, event_loop.clone(), Arc::clone(&count)));
        let (counters, clients) = (Arc::clone(&inner.counters), Arc::clone(&inner.clients));
        let server = Arc::downgrade(&inner);
        let part = Arc::new(Part::new(event_loop, server, count, counters, clients));
        // Added first: what is set from here on is copied to it once more.
        parts.add(Arc::clone(&part));
        inner.copy_configuration(self);
        (WebSocketServer { inner }, PartEnd(part))
    }
}

/// Keeps a server from accepting while its threads start.
struct Starting<'a> {
    server: &'a Arc<Inner>,
    has_finished: bool,
}

impl<'a> Starting<'a> {
    /// Fails when the server has threads already, or had some.
    fn begin(server: &'a Arc<Inner>) -> Result<Self, Error> {
        if !server.parts.get_or_init(Parts::default).begin() {
            return Err(Error::AlreadyThreaded);
        }
        server.lock().pause.by_start = true;
        Ok(Self { server, has_finished: false })
    }

    fn finish(mut self) {
        self.has_finished = true;
    }
}

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        if let Some(parts) = self.server.parts.get() {
            if self.has_finished {
                parts.start_serving();
            } else {
                parts.give_up();
            }
        }
        let mut state = self.server.lock();
        state.pause.by_start = false;
        if let Some(listening) = &state.listening {
            listening.listener.wake();
        }
    }
}

/// Ends a part with the loop of its thread, also after a panic.
struct PartEnd(Arc<Part<Inner>>);

impl Drop for PartEnd {
    fn drop(&mut self) {
        self.0.end();
    }
}
