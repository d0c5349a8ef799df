//! The tasks of opening handshakes, which end when their server is closed.
//!
//! Clients that send nothing may be many: until input arrives, a handshake is one small allocation.

use std::mem;
use std::pin::Pin;
use std::sync::Weak;
use std::task::{Context, Poll, ready};

use crate::event_loop::EventLoop;
#[cfg(feature = "tls")]
use crate::net::tls::ServerSide;
use crate::runtime::panics;
use crate::server::handshake_deadline::Deadline;
use crate::server::opening::Opening;
use crate::server::state::{Inner, State};

impl State {
    /// Starts the task of an opening handshake; the deadline begins.
    ///
    /// A connection that `begins_with_tls` does so if the server uses TLS.
    pub(crate) fn spawn_opening(&mut self, opening: Opening, begins_with_tls: bool) {
        let server = Weak::clone(&opening.server);
        #[cfg(not(feature = "tls"))]
        let _ = begins_with_tls;
        let waiting = Waiting {
            #[cfg(feature = "proxy-protocol")]
            expects_proxy_header: begins_with_tls && opening.expects_proxy_header(self),
            opening,
            deadline: Deadline::new(self.configuration.handshake_timeout),
            #[cfg(feature = "tls")]
            tls: if begins_with_tls { self.tls_server_side() } else { None },
        };
        self.spawn_stage(server, Stage::Waiting(waiting));
    }

    /// Starts the task of a handshake that another library has begun.
    pub(crate) fn spawn_adoption(
        &mut self,
        server: Weak<Inner>,
        rest: impl Future<Output = ()> + 'static,
    ) {
        self.spawn_stage(server, Stage::Running(Box::pin(rest)));
    }

    fn spawn_stage(&mut self, server: Weak<Inner>, stage: Stage) {
        let entry = self.handshakes.vacant_entry();
        let (number, closings) = (entry.key(), self.closings);
        entry.insert(EventLoop::spawn_guarded(OpeningTask { stage, server, number, closings }));
    }
}

impl Inner {
    /// Removes a handshake that has ended, unless closing the server has removed all.
    fn forget_handshake(&self, number: usize, closings: u64) {
        let mut state = self.lock();
        let is_listed = state.closings == closings;
        let task = if is_listed { state.handshakes.try_remove(number) } else { None };
        drop(state);
        // It is this very task that runs; dropping its handle would cancel it.
        if let Some(task) = task {
            task.detach();
        }
    }
}

/// The task of an opening handshake.
struct OpeningTask {
    stage: Stage,
    server: Weak<Inner>,
    /// Its place among the handshakes of the server.
    number: usize,
    closings: u64,
}

/// The stage of an opening handshake.
#[allow(clippy::large_enum_variant, reason = "a box would be one more for each connection")]
enum Stage {
    /// No input has arrived: nothing else is allocated.
    Waiting(Waiting),
    Running(Pin<Box<dyn Future<Output = ()>>>),
    Over,
}

/// A handshake without input.
struct Waiting {
    opening: Opening,
    deadline: Deadline,
    #[cfg(feature = "tls")]
    tls: Option<ServerSide>,
    #[cfg(feature = "proxy-protocol")]
    expects_proxy_header: bool,
}

impl Future for OpeningTask {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut progress = Poll::Ready(());
        // A panic ends this handshake alone.
        panics::catch("an opening handshake", || progress = self.stage.poll(cx));
        ready!(progress);
        self.stage = Stage::Over;
        if let Some(server) = self.server.upgrade() {
            server.forget_handshake(self.number, self.closings);
        }
        Poll::Ready(())
    }
}

impl Stage {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Self::Waiting(waiting) = self {
            ready!(waiting.poll(cx));
            if let Self::Waiting(waiting) = mem::replace(self, Self::Over) {
                *self = Self::Running(waiting.begin());
            }
        }
        if let Self::Running(rest) = self { rest.as_mut().poll(cx) } else { Poll::Ready(()) }
    }
}

impl Waiting {
    /// Waits for input; if the deadline has passed, the next step reports it.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.opening.poll_input(cx).is_ready() {
            return Poll::Ready(());
        }
        self.deadline.poll(cx)
    }

    /// Returns the rest of the handshake, with TLS or without: one allocation.
    fn begin(self) -> Pin<Box<dyn Future<Output = ()>>> {
        #[cfg(feature = "proxy-protocol")]
        if self.expects_proxy_header {
            return Box::pin(self.begin_behind_header());
        }
        #[cfg(feature = "tls")]
        if let Some(tls) = self.tls {
            return Box::pin(self.opening.upgrade_over_tls(tls, self.deadline));
        }
        Box::pin(self.opening.upgrade(self.deadline))
    }

    /// Reads the header of the proxy, and then does the rest.
    #[cfg(feature = "proxy-protocol")]
    async fn begin_behind_header(mut self) {
        if let Some(opening) = self.opening.read_proxy_header(&mut self.deadline).await {
            Self { opening, expects_proxy_header: false, ..self }.begin().await;
        }
    }
}
