//! Ends a server together with its clients.

use std::future::poll_fn;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use smol::future::FutureExt;

use crate::event_loop::EventLoop;
use crate::runtime::timers::Sleep;
use crate::server::keepalive;
use crate::server::state::Inner;
use crate::socket::WebSocket;
use crate::types::close_code::CloseCode;

impl Inner {
    /// Stops accepting, asks all clients to close, and emits `closed` when they are gone.
    pub(crate) fn shut_down(self: &Arc<Self>, timeout: Duration) {
        if mem::replace(&mut self.lock().is_shutting_down, true) {
            return;
        }
        // Nobody takes a pending socket any more; its closing is waited for as well.
        let (_, pending) = self.stop_accepting();
        for socket in pending {
            if self.clients.insert(&socket) {
                keepalive::start(&self.event_loop, &self.clients);
            }
            socket.start_reading();
        }
        let server = Arc::clone(self);
        let see_off = move || EventLoop::current().spawn(see_off(server, timeout)).detach();
        if !self.event_loop.run(see_off) {
            // Its thread has ended, and the connections with it.
            self.lock().is_shutting_down = false;
            self.emit_closed();
        }
    }

    /// Emits `closed` from the event loop, or at once when that has ended.
    pub(crate) fn emit_closed(self: &Arc<Self>) {
        let server = Arc::clone(self);
        if !self.event_loop.post_if_running(move || server.closed.emit(&())) {
            self.emit(|server| server.closed.emit(&()));
        }
    }
}

async fn see_off(server: Arc<Inner>, timeout: Duration) {
    for socket in server.clients.sockets() {
        socket.close(CloseCode::GOING_AWAY, "server shut down");
    }
    let gone = poll_fn(|cx| server.clients.poll_empty(cx));
    gone.or(Sleep::new(timeout)).await;
    server.clients.sockets().iter().for_each(WebSocket::abort);
    poll_fn(|cx| server.clients.poll_empty(cx)).await;
    server.lock().is_shutting_down = false;
    server.emit(|server| server.closed.emit(&()));
}
