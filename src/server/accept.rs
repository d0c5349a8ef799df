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

use crate::error::Error;
use crate::event_loop::{EventLoop, next_turn};
use crate::handshake::accept::{self, Failure};
use crate::handshake::refusal::Refusal;
use crate::panics;
use crate::server::inner::{Inner, Listening, send_away};
use crate::socket::{Accepted, WebSocket};
use crate::stream::{Incoming, Listener, Stream, TcpStream};
use crate::timers::Sleep;

/// Begins to accept, on the server's event loop.
pub(super) fn start(server: &Arc<Inner>, listener: &Arc<Listener>) {
    let (server_handle, listener) = (Arc::downgrade(server), Arc::clone(listener));
    server.event_loop.run(move || match listener.watch() {
        Ok(Some(incoming)) => {
            let guard = Accepting { server: Weak::clone(&server_handle), listener };
            let accepting = async move {
                accept_all(server_handle, incoming).await;
                drop(guard);
            };
            EventLoop::current().spawn(accepting).detach();
        }
        Ok(None) => {}
        Err(source) => {
            if let Some(server) = server_handle.upgrade() {
                server.lock().listening = None;
                server.emit(|server| server.report_accept_error(source));
            }
        }
    });
}

/// Ends with the accepting task, which may be because its loop ends: a port where nobody accepts
/// would let clients wait for ever.
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
async fn accept_all(server: Weak<Inner>, mut incoming: Incoming) {
    let mut delay = None;
    let mut accepted = 0;
    while let Some(result) = next_connection(&server, &mut incoming).await {
        let Some(server) = server.upgrade() else { return };
        match result {
            Ok((stream, peer)) => {
                delay = None;
                server.begin_handshake(Stream::Tcp(stream), peer);
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
    /// Starts the handshake of an accepted connection; the server keeps the task, to end it.
    fn begin_handshake(self: &Arc<Self>, stream: Stream, peer: SocketAddr) {
        let mut state = self.lock();
        if state.listening.is_none() {
            return;
        }
        let timeout = state.handshake_timeout;
        let number = state.next_handshake;
        state.next_handshake += 1;
        let server = Arc::downgrade(self);
        let task = EventLoop::current().spawn(async move {
            handshake(&server, stream, peer, timeout).await;
            if let Some(server) = server.upgrade() {
                server.forget_handshake(number);
            }
        });
        state.handshakes.insert(number, task);
    }

    fn forget_handshake(&self, number: u64) {
        let task = self.lock().handshakes.remove(&number);
        // It is this very task that runs; dropping its handle would cancel it.
        if let Some(task) = task {
            task.detach();
        }
    }

    fn has_room(&self) -> bool {
        let state = self.lock();
        state.pending.len() < state.max_pending
    }

    fn open(&self, stream: Stream, peer: SocketAddr, accepted: accept::Accepted) {
        let local = stream.local_address().unwrap_or(peer);
        let accept::Accepted { request, leftover } = accepted;
        let clients = Arc::clone(&self.clients);
        let accepted =
            Accepted { stream, request, leftover, mode: self.mode, peer, local, clients };
        let (socket, driver) = WebSocket::accepted(accepted);
        EventLoop::current().spawn(driver).detach();
        let mut state = self.lock();
        if state.listening.is_none() {
            // Another thread closed the server after this handshake was answered.
            drop(state);
            return send_away(&socket);
        }
        state.pending.push_back(socket);
        drop(state);
        self.emit(|server| server.new_connection.emit(&()));
    }

    fn report_accept_error(&self, source: io::Error) {
        let error = Error::Accept { source: Arc::new(source) };
        self.lock().error = Some(error.clone());
        self.accept_error.emit(&error);
    }

    /// Runs slots; a panic in one of them ends nothing but itself.
    pub(super) fn emit(&self, emit: impl FnOnce(&Self)) {
        panics::catch("a slot of a server", || emit(self));
    }
}

/// Makes a pending socket of a connection, or refuses it.
async fn handshake(
    server: &Weak<Inner>,
    mut stream: Stream,
    peer: SocketAddr,
    timeout: Option<Duration>,
) {
    let name = server.upgrade().map(|server| server.lock().name.clone()).unwrap_or_default();
    let mut admitted_by = None;
    let admit = |_: &_| {
        // Held until the socket is pending: a server that is dropped meanwhile closes it as well.
        admitted_by = server.upgrade().filter(|server| server.has_room());
        admitted_by.as_ref().map(drop).ok_or(Refusal::TooManyPending)
    };
    let accept = async { Some(accept::accept(&mut stream, &name, admit).await) };
    let outcome = match timeout {
        Some(timeout) => {
            let expire = async {
                Sleep::new(timeout).await;
                None
            };
            accept.or(expire).await
        }
        None => accept.await,
    };

    let report = |error: &Error| {
        if let Some(server) = server.upgrade() {
            server.emit(|server| server.report(error));
        }
    };
    match (outcome, timeout) {
        (Some(Ok(accepted)), _) => {
            if let Some(server) = admitted_by {
                server.open(stream, peer, accepted);
            }
        }
        (Some(Err(Failure::Refused(refusal))), _) => {
            report(&refused(peer, &refusal));
            refuse(&mut stream, &refusal, &name).await;
        }
        (Some(Err(Failure::Broken(source))), _) => {
            report(&Error::HandshakeBroken { peer, source: Arc::new(source) });
        }
        (Some(Err(Failure::Silent)), _) => debug!("{peer} connected and said nothing"),
        (None, timeout) => {
            report(&Error::HandshakeTimeout { peer, timeout: timeout.unwrap_or_default() });
            accept::answer_at_once(&mut stream, &Refusal::Timeout, &name);
        }
    }
}

/// Answers and lets go; a peer that does not listen is not waited for.
async fn refuse(stream: &mut Stream, refusal: &Refusal, server_name: &str) {
    let answer = accept::refuse(stream, refusal, server_name);
    answer.or(Sleep::new(REFUSAL_TIMEOUT)).await;
}

fn refused(peer: SocketAddr, refusal: &Refusal) -> Error {
    Error::HandshakeRefused {
        peer,
        status: refusal.status(),
        reason: refusal.to_string(),
        close_code: refusal.close_code(),
    }
}

/// Returns whether the error is that of the connection which was to be accepted: the next one may
/// be well.
fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// How long to wait before another try to accept, at first and at the most.
const SHORTEST_DELAY: Duration = Duration::from_millis(10);
const LONGEST_DELAY: Duration = Duration::from_millis(500);
/// How long a refused peer may take to read its answer.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(2);
/// How many connections are accepted before everybody else has a turn.
const ACCEPTED_PER_TURN: u32 = 64;
