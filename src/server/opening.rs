//! Opening handshakes of a server: from a TCP connection to a socket that waits to be taken.

use std::future::poll_fn;
use std::mem;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use log::debug;
use smol::future::FutureExt;

use crate::event_loop::EventLoop;
use crate::net::stream::Stream;
use crate::net::upgrade;
use crate::net::upgrade::server::{Agreement, Failure};
use crate::protocol::handshake::refusal::Refusal;
use crate::protocol::handshake::request::HandshakeRequest;
use crate::protocol::handshake::subprotocol::ChosenSubprotocol;
use crate::runtime::timers::Sleep;
use crate::server::shutdown::send_away;
use crate::server::state::Inner;
use crate::server::verifier;
use crate::server::verifier::opening_handshake::OpeningHandshake;
use crate::server::verifier::verdict::Grant;
use crate::socket::{Accepted, UserData, WebSocket};
use crate::types::error::Error;

/// A TCP connection whose peer is expected to begin an opening handshake.
pub(crate) struct Newcomer {
    pub(crate) stream: Stream,
    /// What was read from it already.
    pub(crate) received: Vec<u8>,
    pub(crate) peer: SocketAddr,
    /// How often the server had been closed when it came.
    pub(crate) closings: u64,
}

/// A client whose request was answered with 101.
struct Admitted {
    /// Held until the socket is pending: a server that is dropped meanwhile closes it as well.
    server: Arc<Inner>,
    request: HandshakeRequest,
    leftover: Vec<u8>,
    subprotocol: Option<ChosenSubprotocol>,
    data: Option<UserData>,
}

impl Inner {
    /// Starts the handshake of a connection; the server keeps the task, to end it.
    pub(crate) fn begin_handshake(self: &Arc<Self>, newcomer: Newcomer) {
        let mut state = self.lock();
        if state.closings != newcomer.closings {
            return;
        }
        if let Some(refusal) = state.refuses_handshakes() {
            drop(state);
            return self.turn_away(newcomer, refusal);
        }
        let (mut timeout, name) = (TimeLimit::new(state.handshake_timeout), state.name.clone());
        let number = state.next_handshake;
        state.next_handshake += 1;
        let server = Arc::downgrade(self);
        #[cfg(feature = "tls")]
        let tls = state.tls_server_side();
        let task = EventLoop::current().spawn(async move {
            // Until something has come, nothing but this waits.
            timeout.keep(poll_fn(|cx| newcomer.poll_begun(cx))).await;
            #[cfg(feature = "tls")]
            let newcomer = Box::pin(newcomer.secure(&server, tls, &mut timeout)).await;
            #[cfg(not(feature = "tls"))]
            let newcomer = Some(newcomer);
            if let Some(newcomer) = newcomer {
                Box::pin(newcomer.shake_hands(&server, &name, &mut timeout)).await;
            }
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
}

impl Newcomer {
    /// Waits until the peer has sent something, or has ended.
    fn poll_begun(&self, cx: &Context<'_>) -> Poll<()> {
        if self.received.is_empty() { self.stream.poll_readable(cx) } else { Poll::Ready(()) }
    }

    /// Makes a pending socket of the connection, or refuses it.
    async fn shake_hands(
        mut self,
        server: &Weak<Inner>,
        server_name: &str,
        timeout: &mut TimeLimit,
    ) {
        let Some(limits) = server.upgrade().map(|server| server.lock().head_limits) else { return };
        let received = mem::take(&mut self.received);
        let head = {
            let head = pin!(upgrade::server::read_request(&mut self.stream, &received, limits));
            timeout.keep(head).await
        };
        let outcome = match head {
            Some(Ok(head)) => timeout.keep(Box::pin(self.accept(head, server, server_name))).await,
            Some(Err(failure)) => Some(Err(failure)),
            None => None,
        };

        let peer = self.peer;
        match outcome {
            Some(Ok(admitted)) => self.open(admitted),
            Some(Err(Failure::Refused(refusal))) => {
                report(server, &refused(peer, &refusal));
                refuse(&mut self.stream, &refusal, server_name).await;
            }
            Some(Err(Failure::Broken(source))) => {
                report(server, &Error::HandshakeBroken { peer, source: Arc::new(source) });
            }
            Some(Err(Failure::Silent)) => debug!("{peer} connected and said nothing"),
            Some(Err(Failure::Closed)) => debug!("{peer} waited when the server was closed"),
            None => {
                report(server, &timeout.error(peer));
                upgrade::server::answer_at_once(&mut self.stream, &Refusal::Timeout, server_name);
            }
        }
    }

    /// Answers a request with 101, if the server admits it; what came behind it is kept.
    async fn accept(
        &mut self,
        (request, leftover): (HandshakeRequest, Vec<u8>),
        server: &Weak<Inner>,
        server_name: &str,
    ) -> Result<Admitted, Failure> {
        let handshake = OpeningHandshake::new(
            request.clone(),
            self.peer,
            #[cfg(feature = "tls")]
            self.stream.tls_session(),
        );
        let admitted = admit(server, handshake, self.closings);
        // A verifier does not wait for a client that has gone.
        let ended = poll_fn(|cx| self.stream.poll_ended(cx).map(|end| Err(Failure::Broken(end))));
        let (server, Grant { data, headers }) = admitted.or(ended).await?;
        let subprotocol = server.choose_subprotocol(&request);
        let agreement = Agreement {
            subprotocol: subprotocol.and_then(|chosen| chosen.name(&request)),
            server_name,
            headers: &headers,
        };
        upgrade::server::upgrade(&mut self.stream, &request, &agreement).await?;
        Ok(Admitted { server, request, leftover, subprotocol, data })
    }

    fn open(self, admitted: Admitted) {
        let Self { stream, peer, closings, .. } = self;
        let Admitted { server, request, leftover, subprotocol, data } = admitted;
        let (mode, clients) = (server.mode, Arc::clone(&server.clients));
        let settings = server.lock().socket_settings;
        let accepted =
            Accepted { stream, request, leftover, subprotocol, mode, peer, clients, settings };
        let (socket, driver) = WebSocket::accepted(accepted);
        if let Some(data) = data {
            socket.attach(data);
        }
        EventLoop::spawn_guarded(driver);
        let mut state = server.lock();
        if state.closings != closings {
            // Another thread closed the server after this handshake was answered.
            drop(state);
            return send_away(&socket);
        }
        state.pending.push_back(socket);
        drop(state);
        server.emit(|server| server.new_connection.emit(&()));
    }
}

/// Decides about a request that is right; returns the server, which is held until the socket is
/// pending: one that is dropped meanwhile closes it as well.
async fn admit(
    server: &Weak<Inner>,
    handshake: OpeningHandshake,
    closings: u64,
) -> Result<(Arc<Inner>, Grant), Failure> {
    // Slots run in between, which may close the server or drop its last handle.
    let still_open = || {
        let server = server.upgrade().filter(|server| server.lock().closings == closings);
        server.ok_or(Failure::Closed)
    };
    let open = still_open()?;
    open.check_room()?;
    open.check_origin(handshake.request())?;
    drop(open);
    let grant = verifier::ask(still_open()?, handshake).await?;
    let open = still_open()?;
    // Others may have taken the room meanwhile.
    open.check_room()?;
    Ok((open, grant))
}

/// The time for the whole opening handshake, with what comes before it.
pub(crate) struct TimeLimit {
    timeout: Option<Duration>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl TimeLimit {
    fn new(timeout: Option<Duration>) -> Self {
        Self { timeout, sleep: timeout.map(|timeout| Box::pin(Sleep::new(timeout))) }
    }

    /// Waits for a part of it; `None` when the time is over.
    ///
    /// The part is pinned already: a future that is handed from one to another takes room in both.
    pub(crate) fn keep<T>(
        &mut self,
        mut part: impl Future<Output = T> + Unpin,
    ) -> impl Future<Output = Option<T>> {
        poll_fn(move |cx| match (Pin::new(&mut part).poll(cx), &mut self.sleep) {
            (Poll::Ready(outcome), _) => Poll::Ready(Some(outcome)),
            (Poll::Pending, Some(sleep)) => sleep.as_mut().poll(cx).map(|()| None),
            (Poll::Pending, None) => Poll::Pending,
        })
    }

    pub(crate) fn error(&self, peer: SocketAddr) -> Error {
        Error::HandshakeTimeout { peer, timeout: self.timeout.unwrap_or_default() }
    }
}

/// Reports why a newcomer was not admitted, if there still is a server.
pub(crate) fn report(server: &Weak<Inner>, error: &Error) {
    if let Some(server) = server.upgrade() {
        server.emit(|server| server.report(error));
    }
}

/// Answers and lets go; a peer that does not listen is not waited for.
pub(crate) async fn refuse(stream: &mut Stream, refusal: &Refusal, server_name: &str) {
    let answer = upgrade::server::refuse(stream, refusal, server_name);
    answer.or(Sleep::new(REFUSAL_TIMEOUT)).await;
}

pub(crate) fn refused(peer: SocketAddr, refusal: &Refusal) -> Error {
    match *refusal {
        Refusal::TooManyConnections { limit } => Error::TooManyConnections { peer, limit },
        Refusal::TooManyHandshakes { limit } => Error::TooManyHandshakes { peer, limit },
        _ => Error::HandshakeRefused {
            peer,
            status: refusal.status(),
            reason: refusal.to_string(),
            close_code: refusal.close_code(),
        },
    }
}

/// How long a refused peer may take to read its answer.
pub(crate) const REFUSAL_TIMEOUT: Duration = Duration::from_secs(2);
