//! Ends a server: `close` without its clients, `shutdown` with them.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use smol::future::FutureExt;

use crate::event_loop::EventLoop;
use crate::runtime::timers::Sleep;
use crate::server::WebSocketServer;
use crate::server::state::Inner;
use crate::server::threads::parts::Parts;
use crate::socket::WebSocket;
use crate::types::close_code::CloseCode;

/// Closing.
impl WebSocketServer {
    /// Stops listening and frees the port at once.
    ///
    /// Opening handshakes under way end, and pending sockets are closed with 1001. Sockets that
    /// were taken stay open. With [`serve_on_threads`](Self::serve_on_threads) this concerns all
    /// threads. [`closed`](Self::closed) follows from the event loop. Does nothing
    /// when the server does not listen.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{HostAddress, SslMode, WebSocketServer};
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// let server = WebSocketServer::new("Server", SslMode::NonSecure);
    /// server.listen(HostAddress::LocalHost, 0)?;
    /// let port = server.server_port();
    ///
    /// // The port is free at once.
    /// server.close();
    /// server.listen(HostAddress::LocalHost, port)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn close(&self) {
        if self.inner.stop() {
            self.inner.emit_closed();
        }
    }

    /// Closes the server and all its clients in order, within a timeout.
    ///
    /// The server stops listening and closes all its sockets, pending ones too, with
    /// [`CloseCode::GOING_AWAY`](crate::CloseCode::GOING_AWAY) and the reason `server shut down`.
    /// Connections that have not finished their closing handshakes when `timeout` has elapsed end with
    /// 1006. With [`serve_on_threads`](Self::serve_on_threads) this concerns all threads, and that of
    /// a part its own clients. [`closed`](Self::closed) is emitted when the last one has disconnected, also by a server that has no client or never
    /// listened, where [`close`](Self::close) emits nothing: each call is followed by the signal.
    ///
    /// After the timeout, peers can still read output that the operating system has taken by then,
    /// while the loop runs, for up to 2 minutes.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: `QWebSocketServer::close()` leaves the clients connected.
    ///
    /// # Examples
    ///
    /// Serves until Ctrl-C or SIGTERM; then clients are sent 1001, and have 3 s to answer.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use slotwork::{EventLoop, HostAddress, SslMode, WebSocketServer};
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// let server = WebSocketServer::new("Chat", SslMode::NonSecure);
    /// server.closed().connect(|_server, ()| EventLoop::current().quit());
    /// server.listen(HostAddress::Any, 1234)?;
    ///
    /// EventLoop::current().quit_on_signals()?;
    /// EventLoop::current().exec();
    /// server.shutdown(Duration::from_secs(3));
    /// EventLoop::current().exec();
    /// # Ok(())
    /// # }
    /// ```
    pub fn shutdown(&self, timeout: Duration) {
        self.inner.shut_down(timeout);
    }
}

impl Inner {
    /// Stops accepting, and closes pending sockets; returns whether it listened.
    pub(crate) fn stop(&self) -> bool {
        let (was_listening, pending) = self.stop_accepting();
        pending.iter().for_each(close_pending);
        for server in self.parts.get().map(Parts::servers).into_iter().flatten() {
            server.stop();
        }
        was_listening
    }

    /// Stops listening and ends all handshakes.
    ///
    /// Returns whether the server listened, and the pending sockets.
    pub(crate) fn stop_accepting(&self) -> (bool, VecDeque<WebSocket>) {
        let mut state = self.lock();
        state.closings += 1;
        let listening = state.listening.take();
        let handshakes = mem::take(&mut state.handshakes);
        let pending = mem::take(&mut state.pending);
        drop(state);

        if let Some(listening) = &listening {
            listening.listener.close();
        }
        drop(handshakes);
        (listening.is_some(), pending)
    }

    /// Stops accepting, closes all clients, and then emits `closed`.
    pub(crate) fn shut_down(self: &Arc<Self>, timeout: Duration) {
        if mem::replace(&mut self.lock().is_shutting_down, true) {
            return;
        }
        if let Some(parts) = self.parts() {
            return self.shut_down_parts(parts, timeout);
        }
        let server = Arc::clone(self);
        let is_closing = self.close_clients(timeout, move || {
            server.lock().is_shutting_down = false;
            server.emit(|server| server.closed.emit(&()));
        });
        if !is_closing {
            // Its thread has ended, and the connections with it.
            self.lock().is_shutting_down = false;
            self.emit_closed();
        }
    }

    /// Stops accepting, and closes all clients of this server.
    ///
    /// Then `done` is called on its loop. Returns false, and drops `done`, when the loop has ended.
    pub(crate) fn close_clients(
        self: &Arc<Self>,
        timeout: Duration,
        done: impl FnOnce() + Send + 'static,
    ) -> bool {
        // Pending sockets cannot be taken any more; their closing handshakes are awaited as well.
        let (_, pending) = self.stop_accepting();
        for socket in pending {
            if self.clients.insert(&socket) {
                self.start_keepalive();
            }
            socket.start_reading();
        }
        let server = Arc::clone(self);
        self.event_loop.run(move || {
            let closing = async move {
                close_clients(&server, timeout).await;
                done();
            };
            EventLoop::current().spawn(closing).detach();
        })
    }

    /// Emits `closed` from the event loop, or at once when that has ended.
    pub(crate) fn emit_closed(self: &Arc<Self>) {
        let server = Arc::clone(self);
        if !self.event_loop.post_if_running(move || server.closed.emit(&())) {
            self.emit(|server| server.closed.emit(&()));
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Closes all clients, and aborts those left at the timeout.
async fn close_clients(server: &Inner, timeout: Duration) {
    for socket in server.clients.sockets() {
        socket.close(CloseCode::GOING_AWAY, "server shut down");
    }
    let gone = poll_fn(|cx| server.clients.poll_empty(cx));
    gone.or(Sleep::new(timeout)).await;
    server.clients.sockets().iter().for_each(WebSocket::abort);
    poll_fn(|cx| server.clients.poll_empty(cx)).await;
}

/// Closes a pending socket.
pub(crate) fn close_pending(socket: &WebSocket) {
    socket.close(CloseCode::GOING_AWAY, "server closed");
    socket.start_reading();
}
