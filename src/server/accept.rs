//! Accepts TCP connections and starts one handshake task for each.
//!
//! A slow or broken client never delays the next one: its handshake runs in a task of its own, and
//! its failure ends in `server_error`, not in the loop (Qt: `QWebSocketServer::serverError`).

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use log::debug;
use smol::future::FutureExt;

use crate::event_loop::{EventLoop, next_turn};
use crate::net::stream::{Incoming, Listener, Stream, TcpStream};
use crate::runtime::panics;
use crate::runtime::timers::Sleep;
use crate::server::opening::Newcomer;
use crate::server::state::{Inner, Listening};
use crate::types::error::Error;

/// Begins to accept, on the server's event loop, unless that has ended.
pub(crate) fn start(server: &Arc<Inner>, listener: &Arc<Listener>) -> Result<(), Error> {
    let closings = server.lock().closings;
    // It is dropped at once when the thread of the loop has ended.
    let guard = Accepting { server: Arc::downgrade(server), listener: Arc::clone(listener) };
    let is_begun = server.event_loop.run(move || match guard.listener.watch() {
        Ok(Some(incoming)) => {
            let accepting = async move {
                accept_all(Weak::clone(&guard.server), incoming, closings).await;
                drop(guard);
            };
            EventLoop::current().spawn(accepting).detach();
        }
        Ok(None) => {}
        Err(source) => {
            let server = guard.server.upgrade();
            drop(guard);
            if let Some(server) = server {
                server.emit(|server| server.report_accept_error(source));
            }
        }
    });
    if is_begun { Ok(()) } else { Err(Error::EventLoopEnded) }
}

/// Ends with the accepting task, which may be because its loop ends, or has ended before it began:
/// a port where nobody accepts would let clients wait for ever.
struct Accepting {
    server: Weak<Inner>,
    listener: Arc<Listener>,
}

impl Drop for Accepting {
    fn drop(&mut self) {
        self.listener.close();
        if let Some(server) = self.server.upgrade() {
            // The server may listen anew by now.
            let is_this = |current: &Listening| Arc::ptr_eq(&current.listener, &self.listener);
            let ended = server.lock().listening.take_if(|current| is_this(current));
            drop(ended);
        }
    }
}

/// Accepts until the listener is closed, which the server does at its end.
async fn accept_all(server: Weak<Inner>, mut incoming: Incoming, closings: u64) {
    let mut delay = None;
    let mut accepted = 0;
    while let Some(result) = next_connection(&server, &mut incoming).await {
        let Some(server) = server.upgrade() else { return };
        match result {
            Ok((stream, peer)) => {
                delay = None;
                server.begin_handshake(Newcomer {
                    stream: Stream::Tcp(stream),
                    received: Vec::new(),
                    peer,
                    closings,
                });
            }
            Err(source) if is_about_one_connection(&source) => {
                debug!("a connection ended before it was accepted: {source}");
            }
            Err(source) => {
                let wait = delay.map_or(SHORTEST_DELAY, |delay| LONGEST_DELAY.min(delay * 2));
                if delay.replace(wait).is_none() {
                    server.emit(|server| server.report_accept_error(source));
                }
                drop(server);
                Sleep::new(wait).or(poll_fn(|cx| incoming.poll_closed(cx))).await;
                continue;
            }
        }
        drop(server);
        accepted += 1;
        if accepted % ACCEPTED_PER_TURN == 0 {
            next_turn().await;
        }
    }
}

async fn next_connection(
    server: &Weak<Inner>,
    incoming: &mut Incoming,
) -> Option<io::Result<(TcpStream, SocketAddr)>> {
    poll_fn(|cx| {
        // Closed or not is looked at first, so that a server that was paused ends too.
        match incoming.poll_closed(cx) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending if server.upgrade().is_some_and(|server| server.lock().is_paused) => {
                Poll::Pending
            }
            Poll::Pending => incoming.poll_accept(cx),
        }
    })
    .await
}

impl Inner {
    fn report_accept_error(&self, source: io::Error) {
        let error = Error::AcceptFailed { source: Arc::new(source) };
        self.lock().error = Some(error.clone());
        self.accept_error.emit(&error);
    }

    /// Runs slots; a panic in one of them ends nothing but itself.
    pub(crate) fn emit(&self, emit: impl FnOnce(&Self)) {
        panics::catch("a slot of a server", || emit(self));
    }
}

/// Returns whether the error is that of the connection which was to be accepted: the next one may
/// be well. Some systems accept one that its peer has reset, and say then that it is not connected.
fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted, NotConnected,
    };
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted | NotConnected
    )
}

/// How long to wait before another try to accept, at first and at the most.
const SHORTEST_DELAY: Duration = Duration::from_millis(10);
const LONGEST_DELAY: Duration = Duration::from_millis(500);
/// How many connections are accepted before everybody else has a turn.
const ACCEPTED_PER_TURN: u32 = 64;
