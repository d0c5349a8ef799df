//! Opening handshakes of a server: from a connection to a pending socket.
//!
//! The steps in order: the limit of handshakes (`client_limits.rs`), input arrives, TLS (`tls.rs`),
//! the request is read, the limit of connections, origin (`origins/`), verifier (`verifier/`), the
//! limit again, subprotocol (`subprotocols.rs`), answer, pending socket.

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
use crate::net::upgrade::server::Failure;
use crate::protocol::handshake::agreement::Agreement;
use crate::protocol::handshake::refusal::Refusal;
use crate::protocol::handshake::request::HandshakeRequest;
use crate::protocol::handshake::subprotocol::ChosenSubprotocol;
use crate::runtime::timers::Sleep;
use crate::server::shutdown::close_pending;
use crate::server::state::Inner;
use crate::server::verifier::opening_handshake::OpeningHandshake;
use crate::server::verifier::verdict::Acceptance;
use crate::socket::{Accepted, UserData, WebSocket};
use crate::types::error::Error;

/// The opening handshake of one client.
pub(crate) struct Opening {
    pub(crate) server: Weak<Inner>,
    /// For the `Server` header of the answer.
    pub(crate) server_name: String,
    /// The server's `closings` when the connection was accepted.
    pub(crate) closings: u64,
    pub(crate) peer: SocketAddr,
    pub(crate) stream: Stream,
    /// Input that was read and not used yet.
    pub(crate) received: Vec<u8>,
}

impl Inner {
    /// Starts the opening handshake of a connection.
    ///
    /// `received` is input that was read from it before. The server keeps the task, and ends it
    /// when it is closed. A connection that `begins_with_tls` does so if the server uses TLS.
    pub(crate) fn start_opening(
        self: &Arc<Self>,
        stream: Stream,
        peer: SocketAddr,
        received: Vec<u8>,
        closings: u64,
        begins_with_tls: bool,
    ) {
        let mut state = self.lock();
        if state.closings != closings {
            return;
        }
        let (server, server_name) = (Arc::downgrade(self), state.name.clone());
        let opening = Opening { server, server_name, closings, peer, stream, received };
        if let Err(refusal) = state.check_handshakes() {
            drop(state);
            return self.refuse_overflow(opening, refusal, begins_with_tls);
        }
        let mut deadline = Deadline::new(state.handshake_timeout);
        #[cfg(feature = "tls")]
        let tls = if begins_with_tls { state.tls_server_side() } else { None };
        let number = state.next_handshake;
        state.next_handshake += 1;
        let server = Arc::downgrade(self);
        let task = EventLoop::current().spawn(async move {
            // Until input arrives, only this future and the deadline are allocated. If that has
            // passed, the next step reports it.
            deadline.limit(poll_fn(|cx| opening.poll_input(cx))).await;
            #[cfg(feature = "tls")]
            let opening = Box::pin(opening.start_tls(tls, &mut deadline)).await;
            #[cfg(not(feature = "tls"))]
            let opening = Some(opening);
            // Moved as a whole: a value bound by a pattern would take room in the task.
            if let Some(upgrade) = opening.map(|opening| Box::pin(opening.upgrade(&mut deadline))) {
                upgrade.await;
            }
            if let Some(server) = server.upgrade() {
                server.forget_handshake(number);
            }
        });
        state.handshakes.insert(number, task);
    }

    /// Starts the rest of an opening handshake that another library has answered.
    ///
    /// `leftover` is input behind its request.
    pub(crate) fn start_adoption(
        self: &Arc<Self>,
        stream: Stream,
        peer: SocketAddr,
        leftover: Vec<u8>,
        closings: u64,
        request: HandshakeRequest,
    ) {
        let mut state = self.lock();
        if state.closings != closings {
            return;
        }
        let (server, server_name) = (Arc::downgrade(self), state.name.clone());
        let mut opening =
            Opening { server, server_name, closings, peer, stream, received: leftover };
        if let Err(refusal) = state.check_handshakes() {
            drop(state);
            report(&opening.server, &refusal_error(peer, &refusal));
            return upgrade::server::close_at_once(&mut opening.stream, &refusal);
        }
        let mut deadline = Deadline::new(state.handshake_timeout);
        let number = state.next_handshake;
        state.next_handshake += 1;
        let server = Arc::downgrade(self);
        let task = EventLoop::current().spawn(async move {
            Box::pin(opening.adopt(request, &mut deadline)).await;
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

impl Opening {
    /// Waits until the peer has sent input, or has ended the connection.
    fn poll_input(&self, cx: &Context<'_>) -> Poll<()> {
        if self.received.is_empty() { self.stream.poll_readable(cx) } else { Poll::Ready(()) }
    }

    /// Reads the request and answers it: a pending socket, or a refusal, follows.
    async fn upgrade(mut self, deadline: &mut Deadline) {
        let Some(server) = self.server.upgrade() else { return };
        let limits = server.lock().head_limits;
        drop(server);
        let received = mem::take(&mut self.received);
        let head = {
            let head = pin!(upgrade::server::read_request(&mut self.stream, &received, limits));
            deadline.limit(head).await
        };
        let outcome = match head {
            Some(Ok((request, leftover))) => {
                self.received = leftover;
                let accepted = deadline.limit(Box::pin(self.accept(&request))).await;
                accepted.map(|accepted| accepted.map(|accepted| (request, accepted)))
            }
            Some(Err(failure)) => Some(Err(failure)),
            None => None,
        };

        let peer = self.peer;
        match outcome {
            Some(Ok((request, (server, subprotocol, data)))) => {
                self.make_pending(&server, request, subprotocol, data);
            }
            Some(Err(Failure::Refused(refusal))) => {
                report(&self.server, &refusal_error(peer, &refusal));
                self.refuse(&refusal).await;
            }
            Some(Err(Failure::Broken(source))) => {
                report(&self.server, &Error::HandshakeBroken { peer, source: Arc::new(source) });
            }
            Some(Err(Failure::NoData)) => debug!("{peer} connected and sent nothing"),
            Some(Err(Failure::Closed)) => debug!("{peer} waited when the server was closed"),
            None => {
                report(&self.server, &deadline.error(peer));
                self.refuse_at_once(&Refusal::Timeout);
            }
        }
    }

    /// Admits a client that has its 101 already, or closes the connection.
    async fn adopt(mut self, request: HandshakeRequest, deadline: &mut Deadline) {
        let admission = {
            let ended =
                poll_fn(|cx| self.stream.poll_ended(cx).map(|end| Err(Failure::Broken(end))));
            deadline.limit(Box::pin(self.admit(&request).or(ended))).await
        };

        let peer = self.peer;
        let (error, refusal) = match admission {
            Some(Ok((server, Acceptance { data, .. }))) => {
                let subprotocol = server.choose_subprotocol(&request);
                return self.make_pending(&server, request, subprotocol, data);
            }
            Some(Err(Failure::Refused(refusal))) => (refusal_error(peer, &refusal), refusal),
            Some(Err(Failure::Broken(source))) => {
                let error = Error::HandshakeBroken { peer, source: Arc::new(source) };
                return report(&self.server, &error);
            }
            Some(Err(Failure::NoData | Failure::Closed)) => {
                return debug!("{peer} waited when the server was closed");
            }
            None => (deadline.error(peer), Refusal::Timeout),
        };
        report(&self.server, &error);
        let close = upgrade::server::close(&mut self.stream, &refusal);
        close.or(Sleep::new(REFUSAL_TIMEOUT)).await;
    }

    /// Answers a valid request with 101, if the client is admitted.
    async fn accept(
        &mut self,
        request: &HandshakeRequest,
    ) -> Result<(Arc<Inner>, Option<ChosenSubprotocol>, Option<UserData>), Failure> {
        // The verifier is dropped when the client disconnects.
        let ended = poll_fn(|cx| self.stream.poll_ended(cx).map(|end| Err(Failure::Broken(end))));
        let (server, Acceptance { data, headers }) = self.admit(request).or(ended).await?;
        let subprotocol = server.choose_subprotocol(request);
        let agreement = Agreement {
            subprotocol: subprotocol.and_then(|chosen| chosen.name(request)),
            server_name: &self.server_name,
            headers: &headers,
        };
        upgrade::server::upgrade(&mut self.stream, request, &agreement).await?;
        Ok((server, subprotocol, data))
    }

    /// Checks the limits and the origin, and asks the verifier.
    ///
    /// Returns the server, which is held until the socket is pending: one that is dropped meanwhile
    /// closes it as well.
    async fn admit(&self, request: &HandshakeRequest) -> Result<(Arc<Inner>, Acceptance), Failure> {
        let server = self.open_server()?;
        server.check_connections()?;
        server.check_origin(request)?;
        drop(server);
        let handshake = OpeningHandshake::new(
            request.clone(),
            self.peer,
            #[cfg(feature = "tls")]
            self.stream.tls_session(),
        );
        let acceptance = self.open_server()?.verify(handshake).await?;
        let server = self.open_server()?;
        // Other clients may have connected meanwhile.
        server.check_connections()?;
        Ok((server, acceptance))
    }

    /// Returns the server, unless it was closed or dropped meanwhile, by a slot.
    fn open_server(&self) -> Result<Arc<Inner>, Failure> {
        let server = self.server.upgrade();
        let server = server.filter(|server| server.lock().closings == self.closings);
        server.ok_or(Failure::Closed)
    }

    /// Makes the pending socket after the 101, and emits `new_connection`.
    fn make_pending(
        self,
        server: &Inner,
        request: HandshakeRequest,
        subprotocol: Option<ChosenSubprotocol>,
        data: Option<UserData>,
    ) {
        let settings = server.lock().socket_settings;
        let (socket, driver) = WebSocket::accepted(Accepted {
            stream: self.stream,
            request,
            leftover: self.received,
            subprotocol,
            mode: server.mode,
            peer: self.peer,
            clients: Arc::clone(&server.clients),
            settings,
        });
        if let Some(data) = data {
            socket.attach(data);
        }
        EventLoop::spawn_guarded(driver);
        let mut state = server.lock();
        if state.closings != self.closings {
            // Another thread closed the server after this handshake was answered.
            drop(state);
            return close_pending(&socket);
        }
        state.pending.push_back(socket);
        drop(state);
        server.emit(|server| server.new_connection.emit(&()));
    }

    /// Sends a refusal, and waits a limited time until the peer has read it.
    pub(crate) async fn refuse(&mut self, refusal: &Refusal) {
        let answer = upgrade::server::refuse(&mut self.stream, refusal, &self.server_name);
        answer.or(Sleep::new(REFUSAL_TIMEOUT)).await;
    }

    /// Sends as much of a refusal as the kernel takes at once.
    pub(crate) fn refuse_at_once(&mut self, refusal: &Refusal) {
        upgrade::server::answer_at_once(&mut self.stream, refusal, &self.server_name);
    }
}

/// The deadline of an opening handshake, from TCP accept to the answer.
pub(crate) struct Deadline {
    timeout: Option<Duration>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    fn new(timeout: Option<Duration>) -> Self {
        Self { timeout, sleep: timeout.map(|timeout| Box::pin(Sleep::new(timeout))) }
    }

    /// Runs a step of the handshake; `None` when the deadline has passed.
    ///
    /// The step is pinned already: a future that is moved from one to another takes room in both.
    pub(crate) fn limit<T>(
        &mut self,
        mut step: impl Future<Output = T> + Unpin,
    ) -> impl Future<Output = Option<T>> {
        poll_fn(move |cx| match (Pin::new(&mut step).poll(cx), &mut self.sleep) {
            (Poll::Ready(outcome), _) => Poll::Ready(Some(outcome)),
            (Poll::Pending, Some(sleep)) => sleep.as_mut().poll(cx).map(|()| None),
            (Poll::Pending, None) => Poll::Pending,
        })
    }

    pub(crate) fn error(&self, peer: SocketAddr) -> Error {
        Error::HandshakeTimeout { peer, timeout: self.timeout.unwrap_or_default() }
    }
}

/// Reports the failure of a handshake by `server_error`, unless the server is gone.
pub(crate) fn report(server: &Weak<Inner>, error: &Error) {
    if let Some(server) = server.upgrade() {
        server.emit(|server| server.report(error));
    }
}

/// Returns the error that reports a refusal.
pub(crate) fn refusal_error(peer: SocketAddr, refusal: &Refusal) -> Error {
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
