//! The verdict of a verifier, and the request for one.

use std::any::Any;
use std::fmt::{self, Display};
use std::pin::Pin;
use std::sync::Arc;

use log::error;
use slotwork_signals::{Connection, Signal};
use smol::channel::Sender;

use crate::protocol::handshake::refusal::{Refusal, Rejection, check_headers};
use crate::server::verifier::opening_handshake::OpeningHandshake;
use crate::socket::UserData;

/// The decision of a verifier about a client.
///
/// See [`WebSocketServer::set_verifier`](crate::WebSocketServer::set_verifier).
///
/// A verifier may also return a `Result`: an error is logged, and the client is refused with 500.
///
/// The `Debug` output has the names of the headers without their values, and no body.
///
/// # Qt
///
/// Qt has no counterpart: its programs check `request()` when the connection is already open.
///
/// # Examples
///
/// ```
/// use slotwork::Verdict;
///
/// struct User(String);
///
/// fn decide(token: Option<&str>) -> Verdict {
///     match token {
///         Some("1234") => Verdict::accept_with(User("Ada".into())),
///         Some(_) => Verdict::refuse(403, "invalid token\n"),
///         None => Verdict::refuse(401, "").header("WWW-Authenticate", "Bearer"),
///     }
/// }
/// ```
#[must_use]
pub struct Verdict {
    decision: Decision,
    headers: Vec<(String, String)>,
}

enum Decision {
    Accept(Option<UserData>),
    Refuse { status: u16, body: Vec<u8> },
}

/// A checked verdict that accepts a client.
#[derive(Default)]
pub(crate) struct Acceptance {
    pub(crate) data: Option<UserData>,
    /// For the answer.
    pub(crate) headers: Vec<(String, String)>,
}

/// A call of the verifier, which is a slot in the thread that set it.
#[derive(Clone)]
pub(crate) struct VerificationRequest {
    pub(crate) handshake: OpeningHandshake,
    /// Closed when the verdict is no longer awaited.
    pub(crate) answer: Sender<Verdict>,
}

/// A verifier.
#[derive(Clone)]
pub(crate) enum Verifier {
    /// A slot, in its thread, of the signal that requests its verdicts.
    Slot { connection: Connection, requested: Arc<Signal<VerificationRequest>> },
    /// A function that each thread calls itself.
    Shared(Arc<Decide>),
}

/// Decides about a client; the server is the state that its handles share.
pub(crate) type Decide =
    dyn Fn(Arc<dyn Any + Send + Sync>, OpeningHandshake) -> PendingVerdict + Send + Sync;

/// The verdict of a shared verifier, which waits in the client's thread.
pub(crate) type PendingVerdict = Pin<Box<dyn Future<Output = Option<Verdict>>>>;

impl Verdict {
    /// Accepts the client: the connection is opened.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{HandshakeRequest, Verdict};
    ///
    /// fn verify(request: &HandshakeRequest) -> Verdict {
    ///     match request.header("X-Api-Key").as_deref() {
    ///         Some("1234") => Verdict::accept(),
    ///         _ => Verdict::refuse(401, "an API key is required\n"),
    ///     }
    /// }
    /// ```
    pub fn accept() -> Self {
        Self::new(Decision::Accept(None))
    }

    /// Accepts the client, with `data` for its socket.
    ///
    /// [`WebSocket::data`](crate::WebSocket::data) returns the data.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{SslMode, Verdict, WebSocketServer};
    ///
    /// struct User {
    ///     name: String,
    /// }
    ///
    /// let server = WebSocketServer::new("Chat", SslMode::NonSecure);
    /// server.set_verifier(async |_server, _handshake| Verdict::accept_with(User { name: "Ada".into() }));
    /// server.new_connection().connect(|server, ()| {
    ///     while let Some(socket) = server.next_pending_connection() {
    ///         if let Some(user) = socket.data::<User>() {
    ///             server.broadcast_text(format!("{} is here", user.name));
    ///         }
    ///     }
    /// });
    /// ```
    pub fn accept_with<T: Any + Send + Sync>(data: T) -> Self {
        Self::new(Decision::Accept(Some(UserData::new(data))))
    }

    /// Refuses the client with this HTTP status, from 200 to 599, and this body.
    ///
    /// The body is plain text, unless a `Content-Type` [`header`](Self::header) is added; it may be
    /// empty. Browsers show neither to the page.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{SslMode, Verdict, WebSocketServer};
    ///
    /// let server = WebSocketServer::new("Chat", SslMode::NonSecure);
    /// server.set_verifier(async |_server, handshake| {
    ///     if handshake.peer_address().is_loopback() {
    ///         Verdict::accept()
    ///     } else {
    ///         Verdict::refuse(403, "for local programs alone\n")
    ///     }
    /// });
    /// ```
    pub fn refuse(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(Decision::Refuse { status, body: body.into() })
    }

    /// Adds a header to the answer, also to the 101 of a connection that is opened.
    ///
    /// An invalid name or value, or a header that the handshake itself sets, is an error of the
    /// program: it is logged, and the client is refused with 500. So is an invalid status.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::Verdict;
    ///
    /// let verdict = Verdict::refuse(302, "").header("Location", "https://example.org/login");
    /// ```
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    fn new(decision: Decision) -> Self {
        Self { decision, headers: Vec::new() }
    }

    /// Checks the verdict; returns what the connection is opened with.
    ///
    /// # Errors
    ///
    /// The refusal with which the request is to be answered.
    pub(crate) fn into_acceptance(self) -> Result<Acceptance, Refusal> {
        let Self { decision, headers } = self;
        let checked = match decision {
            Decision::Accept(data) => {
                check_headers(&headers).map(|()| Ok(Acceptance { data, headers }))
            }
            Decision::Refuse { status, body } => Rejection::new(status, headers, body)
                .map(|rejection| Err(Refusal::Rejected(Box::new(rejection)))),
        };
        checked.unwrap_or_else(|defect| {
            error!("invalid {defect} in the verdict of a verifier");
            Err(Refusal::NoDecision)
        })
    }
}

impl<V: Into<Self>, E: Display> From<Result<V, E>> for Verdict {
    fn from(result: Result<V, E>) -> Self {
        match result {
            Ok(verdict) => verdict.into(),
            Err(error) => {
                error!("a verifier failed: {error}");
                Self::refuse(500, "the server failed to verify the client\n")
            }
        }
    }
}

impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Verdict");
        match &self.decision {
            Decision::Accept(data) => shown.field("accept", data),
            Decision::Refuse { status, .. } => shown.field("refuse", status),
        };
        let names = self.headers.iter().map(|(name, _)| name);
        shown.field("headers", &names.collect::<Vec<_>>()).finish()
    }
}
