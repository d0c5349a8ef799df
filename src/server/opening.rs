//! Opening handshakes of a server: from a connection to a pending socket.
//!
//! The steps in order: the limit of handshakes (`client_limits.rs`), input arrives, the header of a
//! proxy (`proxies.rs`), TLS (`tls.rs`), the request is read, the limit of connections for its client's
//! address (`address_limit.rs`) and in all, origin (`origins/`), verifier (`verifier/`), the limits
//! again behind a verifier or slots, subprotocol (`subprotocols.rs`), compression (`compression.rs`),
//! answer, pending socket.

use std::future::poll_fn;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use log::debug;
use smol::future::FutureExt;

use crate::event_loop::EventLoop;
use crate::net::stream::Stream;
use crate::net::upgrade;
use crate::net::upgrade::server::Failure;
use crate::protocol::handshake::agreement::Agreement;
use crate::protocol::handshake::extensions::AgreedExtensions;
use crate::protocol::handshake::refusal::Refusal;
use crate::protocol::handshake::request::HandshakeRequest;
use crate::protocol::handshake::subprotocol::ChosenSubprotocol;
use crate::runtime::sync::MutexGuard;
use crate::runtime::timers::Sleep;
use crate::server::address_counts::AddressPlace;
use crate::server::handshake_deadline::Deadline;
use crate::server::refusals::{REFUSAL_TIMEOUT, report};
use crate::server::shutdown::close_pending;
use crate::server::state::{Inner, State};
use crate::server::verifier::opening_handshake::OpeningHandshake;
use crate::server::verifier::verdict::Acceptance;
use crate::socket::{Accepted, Counted, UserData, WebSocket};
use crate::types::error::Error;
#[cfg(feature = "tls")]
use crate::types::ssl_mode::SslMode;
use crate::types::stats::RefusalReason;

/// The opening handshake of one client.
pub(crate) struct Opening {
    pub(crate) server: Weak<Inner>,
    /// The server's `closings` when the connection was accepted.
    pub(crate) closings: u64,
    pub(crate) peer: SocketAddr,
    pub(crate) stream: Stream,
    /// Input that was read and not used yet.
    pub(crate) received: Vec<u8>,
    /// Its part in the counts of a server with threads.
    pub(crate) counted: Option<Counted>,
    /// The client in the PROXY header.
    ///
    /// A header that names none, `Some(None)`, is that of the proxy's own connection.
    #[cfg(feature = "proxy-protocol")]
    pub(crate) forwarded: Option<Box<Option<SocketAddr>>>,
    /// The client in the request of a proxy, once it is read.
    pub(crate) client: Option<Box<Option<IpAddr>>>,
    /// Its place among the connections of its address, if they have a limit.
    pub(crate) place: Option<Box<AddressPlace>>,
}

/// A connection on this thread's loop, before its handshake.
pub(crate) struct Taken {
    pub(crate) stream: Stream,
    pub(crate) peer: SocketAddr,
    /// The server's `closings` when the connection was accepted.
    pub(crate) closings: u64,
    /// Its part in the counts of a server with threads; an error over the limit.
    pub(crate) counted: Result<Option<Counted>, Refusal>,
}

impl Taken {
    /// A connection of a server without threads.
    pub(crate) fn uncounted(stream: Stream, peer: SocketAddr, closings: u64) -> Self {
        Self { stream, peer, closings, counted: Ok(None) }
    }
}

/// A client that was answered with 101.
struct Opened {
    /// Held until the socket is pending.
    server: Arc<Inner>,
    request: HandshakeRequest,
    /// The address of the client; `None` when it is not known.
    client: Option<IpAddr>,
    subprotocol: Option<ChosenSubprotocol>,
    extensions: AgreedExtensions,
    data: Option<UserData>,
}

/// A client that is admitted.
struct Admission {
    /// Held until the socket is pending; closes it if the server is dropped meanwhile.
    server: Arc<Inner>,
    client: Option<IpAddr>,
    acceptance: Acceptance,
}

impl Inner {
    /// Starts the opening handshake of a connection.
    ///
    /// `received` is input that was read from it before. The server keeps the task, and ends it
    /// when it is closed. A connection that `begins_with_tls` does so if the server uses TLS.
    pub(crate) fn start_opening(
        self: &Arc<Self>,
        taken: Taken,
        received: Vec<u8>,
        begins_with_tls: bool,
    ) {
        let Taken { stream, peer, closings, counted } = taken;
        let mut state = self.lock();
        if state.closings != closings {
            return;
        }
        // A part may not have got its first TLS configuration yet: nothing is served without.
        #[cfg(feature = "tls")]
        if begins_with_tls && self.mode == SslMode::Secure && state.configuration.tls.is_none() {
            return debug!("{peer} is closed: the server has no TLS configuration yet");
        }
        let mut opening = Opening::new(self, closings, peer, stream, received);
        if let Err(refusal) = opening.count(self, &state, counted) {
            drop(state);
            return self.refuse_overflow(opening, refusal, begins_with_tls);
        }
        state.spawn_opening(opening, begins_with_tls);
    }

    /// Starts the rest of an opening handshake that another library has answered.
    ///
    /// `leftover` is input behind its request.
    pub(crate) fn start_adoption(
        self: &Arc<Self>,
        taken: Taken,
        leftover: Vec<u8>,
        request: HandshakeRequest,
    ) {
        let Taken { stream, peer, closings, counted } = taken;
        let mut state = self.lock();
        if state.closings != closings {
            return;
        }
        let mut opening = Opening::new(self, closings, peer, stream, leftover);
        if let Err(refusal) = opening.count(self, &state, counted) {
            drop(state);
            opening.report_refusal(&refusal);
            return upgrade::server::close_at_once(&mut opening.stream, &refusal);
        }
        let deadline = Deadline::new(state.configuration.handshake_timeout);
        state.spawn_adoption(Arc::downgrade(self), opening.adopt(request, deadline));
    }
}

impl Opening {
    /// Makes the handshake of a connection that does not count yet.
    fn new(
        server: &Arc<Inner>,
        closings: u64,
        peer: SocketAddr,
        stream: Stream,
        received: Vec<u8>,
    ) -> Self {
        Self {
            server: Arc::downgrade(server),
            closings,
            peer,
            stream,
            received,
            counted: None,
            #[cfg(feature = "proxy-protocol")]
            forwarded: None,
            client: None,
            place: None,
        }
    }

    /// Waits until the peer has sent input, or has ended the connection.
    pub(crate) fn poll_input(&self, cx: &Context<'_>) -> Poll<()> {
        if self.received.is_empty() { self.stream.poll_readable(cx) } else { Poll::Ready(()) }
    }

    /// Reads the request and answers it: a pending socket, or a refusal, follows.
    pub(crate) async fn upgrade(mut self, mut deadline: Deadline) {
        let outcome = {
            let answer = pin!(self.answer());
            deadline.limit(answer).await
        };
        match outcome {
            Some(Ok(opened)) => self.make_pending(opened),
            Some(Err(Failure::Page(page))) => Box::pin(self.answer_page(*page, deadline)).await,
            Some(Err(failure)) => Box::pin(self.fail(failure)).await,
            None => {
                deadline.report(&self.server, self.peer);
                self.refuse_at_once(&Refusal::Timeout);
            }
        }
    }

    /// Reports the failure of a handshake, and answers a request that was refused.
    pub(crate) async fn fail(&mut self, failure: Failure) {
        if let Some(refusal) = self.report_failure(failure) {
            self.refuse(&refusal).await;
        }
    }

    /// Reports the failure of a handshake; returns the refusal of a request.
    fn report_failure(&self, failure: Failure) -> Option<Refusal> {
        let peer = self.peer;
        let refusal = match failure {
            Failure::Refused(refusal) => refusal,
            Failure::Page(page) => page.refusal,
            Failure::Broken(source) => {
                let error = Error::HandshakeBroken { peer, source: Arc::new(source) };
                report(&self.server, RefusalReason::Interrupted, &error);
                return None;
            }
            Failure::NoData => {
                debug!("{peer} connected and sent nothing");
                return None;
            }
            Failure::Closed => {
                debug!("{peer} waited when the server was closed");
                return None;
            }
        };
        self.report_refusal(&refusal);
        Some(refusal)
    }

    /// Admits a client that has its 101 already, or closes the connection.
    async fn adopt(mut self, request: HandshakeRequest, mut deadline: Deadline) {
        let admission = {
            let admission = pin!(self.admit(&request));
            deadline.limit(admission).await
        };

        let refusal = match admission {
            Some(Ok(Admission { server, client, acceptance })) => {
                let subprotocol = server.lock().choose_subprotocol(&request);
                return self.make_pending(Opened {
                    server,
                    request,
                    client,
                    subprotocol,
                    extensions: AgreedExtensions::default(),
                    data: acceptance.data,
                });
            }
            Some(Err(failure)) => self.report_failure(failure),
            None => {
                deadline.report(&self.server, self.peer);
                Some(Refusal::Timeout)
            }
        };
        if let Some(refusal) = refusal {
            let close = upgrade::server::close(&mut self.stream, &refusal);
            close.or(Sleep::new(REFUSAL_TIMEOUT)).await;
        }
    }

    /// Reads the request, and answers it with 101 if the client is admitted.
    async fn answer(&mut self) -> Result<Opened, Failure> {
        let (limits, takes_pages) = {
            let server = self.server()?;
            let state = self.lock_open(&server)?;
            (state.configuration.head_limits, state.configuration.page_handler.is_some())
        };
        let received = mem::take(&mut self.received);
        let (request, leftover) =
            upgrade::server::read_request(&mut self.stream, &received, limits, takes_pages).await?;
        self.received = leftover;
        let Admission { server, client, acceptance } = self.admit(&request).await?;
        let (response, subprotocol, extensions) = {
            let state = server.lock();
            let subprotocol = state.choose_subprotocol(&request);
            #[cfg(feature = "compression")]
            let (parameters, agreed) = state.configuration.accept_compression(&request).unzip();
            let agreement = Agreement {
                subprotocol: subprotocol.and_then(|chosen| chosen.name(&request)),
                #[cfg(feature = "compression")]
                compression: parameters,
                server_name: &state.configuration.name,
                headers: &acceptance.headers,
            };
            let extensions = AgreedExtensions {
                #[cfg(feature = "compression")]
                compression: agreed.map(Box::new),
            };
            (agreement.response(&request), subprotocol, extensions)
        };
        self.stream.write_all(&response).await.map_err(Failure::Broken)?;
        let data = acceptance.data;
        Ok(Opened { server, request, client, subprotocol, extensions, data })
    }

    /// Checks the limits and the origin, and asks the verifier.
    async fn admit(&mut self, request: &HandshakeRequest) -> Result<Admission, Failure> {
        let server = self.server()?;
        let origin_slots = server.origin_slots();
        let (client, has_verifier, origin_policy) = {
            let state = self.lock_open(&server)?;
            let client = self.enter_client(&server, &state, request)?;
            state.check_connections(&server.clients)?;
            let configuration = &state.configuration;
            (client, configuration.verifier.is_some(), configuration.origin_policy.clone())
        };
        server.check_whole(self.counted.as_ref(), Counted::has_room)?;
        if let Some(origin) = server.check_origin(request, origin_policy, origin_slots)? {
            let decision = async { Ok(server.check_origin_in_whole(origin).await?) };
            Box::pin(self.while_connected(decision)).await?;
        } else if !origin_slots.has_any && !has_verifier {
            // No code of the program has run since the checks.
            server.check_whole(self.counted.as_ref(), Counted::reserve)?;
            return Ok(Admission { server, client, acceptance: Acceptance::default() });
        } else {
            drop(server);
        }
        let acceptance = if has_verifier {
            Box::pin(self.verify(request, client)).await?
        } else {
            Acceptance::default()
        };
        let server = self.server()?;
        // Other clients may have connected meanwhile.
        self.lock_open(&server)?.check_connections(&server.clients)?;
        server.check_whole(self.counted.as_ref(), Counted::reserve)?;
        Ok(Admission { server, client, acceptance })
    }

    /// Asks the verifier.
    async fn verify(
        &self,
        request: &HandshakeRequest,
        client: Option<IpAddr>,
    ) -> Result<Acceptance, Failure> {
        let handshake = OpeningHandshake::new(
            request.clone(),
            self.peer,
            client,
            self.stream.peer_credentials(),
            #[cfg(feature = "tls")]
            self.stream.tls_session(),
        );
        let verdict = async { Ok(self.open_server()?.verify(handshake).await?) };
        self.while_connected(verdict).await
    }

    /// Waits for a decision about the client, and drops it when the client disconnects.
    async fn while_connected<T>(
        &self,
        decision: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let ended = poll_fn(|cx| self.stream.poll_ended(cx).map(|end| Err(Failure::Broken(end))));
        decision.or(ended).await
    }

    /// Returns the server, unless it was closed or dropped meanwhile, by a slot.
    pub(crate) fn open_server(&self) -> Result<Arc<Inner>, Failure> {
        let server = self.server()?;
        drop(self.lock_open(&server)?);
        Ok(server)
    }

    /// Returns the server, unless it was dropped meanwhile.
    fn server(&self) -> Result<Arc<Inner>, Failure> {
        self.server.upgrade().ok_or(Failure::Closed)
    }

    /// Locks the state of the server, unless it was closed meanwhile.
    fn lock_open<'a>(&self, server: &'a Inner) -> Result<MutexGuard<'a, State>, Failure> {
        let state = server.lock();
        if state.closings == self.closings { Ok(state) } else { Err(Failure::Closed) }
    }

    /// Makes the pending socket after the 101, and emits `new_connection`.
    fn make_pending(self, opened: Opened) {
        let Opened { server, request, client, subprotocol, extensions, data } = opened;
        let mut state = server.lock();
        let settings = state.configuration.sockets;
        let request = state.shared_heads.keep(&request);
        drop(state);
        let (socket, driver) = WebSocket::accepted(Accepted {
            stream: self.stream,
            request,
            leftover: self.received,
            subprotocol,
            extensions,
            mode: server.mode,
            peer: self.peer,
            client,
            clients: Arc::clone(&server.clients),
            settings,
        });
        if let Some(counted) = self.counted {
            counted.into_socket();
        }
        if let Some(place) = self.place {
            server.clients.hold_until_end(&socket, place);
        }
        let weak = &self.server;
        server.clients.report_limits(|| {
            let server = Weak::clone(weak);
            Box::new(move |reached| {
                if let Some(server) = server.upgrade() {
                    server.report_limit(reached);
                }
            })
        });
        if let Some(data) = data {
            socket.attach(data);
        }
        EventLoop::spawn_guarded(driver).detach();
        let mut state = server.lock();
        if state.closings != self.closings {
            // Another thread closed the server after this handshake was answered.
            drop(state);
            return close_pending(&socket);
        }
        state.pending.push_back(socket);
        drop(state);
        server.counters.note_accepted();
        server.emit(|server| server.new_connection.emit(&()));
    }

    /// Counts and reports a refusal, unless the server is gone.
    pub(crate) fn report_refusal(&self, refusal: &Refusal) {
        if let Some(server) = self.server.upgrade() {
            let client = match &self.client {
                Some(client) => **client,
                None => self.client_before_request(&server.lock()),
            };
            server.report_refusal(self.peer, client, refusal);
        }
    }

    /// Sends a refusal, and waits a limited time until the peer has read it.
    pub(crate) async fn refuse(&mut self, refusal: &Refusal) {
        let response = refusal.response(&self.server_name());
        let answer = upgrade::server::refuse(&mut self.stream, &response);
        answer.or(Sleep::new(REFUSAL_TIMEOUT)).await;
    }

    /// Sends as much of a refusal as the kernel takes at once.
    pub(crate) fn refuse_at_once(&mut self, refusal: &Refusal) {
        let response = refusal.response(&self.server_name());
        upgrade::server::answer_at_once(&mut self.stream, &response);
    }

    /// Returns the name for the `Server` header; empty when the server is gone.
    pub(crate) fn server_name(&self) -> String {
        self.server
            .upgrade()
            .map(|server| server.lock().configuration.name.clone())
            .unwrap_or_default()
    }
}

#[cfg(all(test, feature = "tls"))]
mod tests {
    use std::io;

    use super::*;
    use crate::testing::scripted_stream::scripted_stream;

    /// A part of a secure server serves nothing before it has a TLS configuration.
    #[test]
    fn a_secure_server_without_tls_serves_nothing() -> io::Result<()> {
        let event_loop = EventLoop::current();
        for (mode, is_served) in [(SslMode::Secure, false), (SslMode::NonSecure, true)] {
            let server = Arc::new(Inner::new(String::new(), mode, event_loop.handle()));
            let (stream, peer) = scripted_stream()?;
            let address = SocketAddr::from(([127, 0, 0, 1], 80));

            server.start_opening(Taken::uncounted(stream, address, 0), Vec::new(), true);

            assert_eq!(peer.is_closed(), !is_served);
        }
        Ok(())
    }
}
