//! What a verifier has decided about a client.

use std::any::Any;
use std::fmt::{self, Display};

use log::error;
use smol::channel::Sender;

use crate::protocol::handshake::grammar;
use crate::protocol::handshake::refusal::Refusal;
use crate::protocol::handshake::rejection::Rejection;
use crate::server::verifier::opening_handshake::OpeningHandshake;
use crate::socket::UserData;

/// What a verifier has decided about a client; see
/// [`WebSocketServer::set_verifier`](crate::WebSocketServer::set_verifier).
///
/// A verifier may also return a `Result`: an error is logged, and the client is refused with 500.
///
/// Shown with `{:?}`, it has the names of the headers without their values, and no body.
///
/// # Qt
///
/// Qt has no counterpart: its programs look at `request()` when the connection is open already.
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
///         Some(_) => Verdict::refuse(403, "nobody has this token\n"),
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

/// What the handshake has to know of a client that was accepted.
#[derive(Default)]
pub(crate) struct Acceptance {
    pub(crate) data: Option<UserData>,
    /// Checked, for the answer.
    pub(crate) headers: Vec<(String, String)>,
}

/// A question to the verifier. It is emitted as a signal: the verifier is a slot, which lives in the
/// thread that set it.
#[derive(Clone)]
pub(crate) struct VerificationRequest {
    pub(crate) handshake: OpeningHandshake,
    /// Closed when the answer is not waited for any more.
    pub(crate) answer: Sender<Verdict>,
}

impl Verdict {
    /// The connection is opened.
    pub fn accept() -> Self {
        Self::new(Decision::Accept(None))
    }

    /// The connection is opened, and its socket carries `data`; see
    /// [`WebSocket::data`](crate::WebSocket::data).
    pub fn accept_with<T: Any + Send + Sync>(data: T) -> Self {
        Self::new(Decision::Accept(Some(UserData::new(data))))
    }

    /// The request is answered with this HTTP status, from 200 to 599, and this body.
    ///
    /// The body is plain text, unless a `Content-Type` [`header`](Self::header) says otherwise; it
    /// may be empty. Browsers show neither to the page.
    pub fn refuse(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(Decision::Refuse { status, body: body.into() })
    }

    /// Adds a header to the answer, also to the 101 of a connection that is opened.
    ///
    /// A name or a value that no header can have, or a header that the handshake itself sets, is a
    /// mistake of the program: it is logged, and the client is refused with 500. So is a status
    /// that is none.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    fn new(decision: Decision) -> Self {
        Self { decision, headers: Vec::new() }
    }

    /// Checks what was decided; returns how the connection is to be opened.
    ///
    /// # Errors
    ///
    /// How the request is to be answered else.
    pub(crate) fn into_acceptance(self) -> Result<Acceptance, Refusal> {
        let Self { decision, headers } = self;
        if let Some((name, _)) = headers.iter().find(|header| !is_allowed(header)) {
            // The value may be a secret.
            error!("a verifier answers with a header that is not possible: {name:?}");
            return Err(Refusal::NoDecision);
        }
        match decision {
            Decision::Accept(data) => Ok(Acceptance { data, headers }),
            Decision::Refuse { status: status @ 200..=599, body } => {
                Err(Refusal::Rejected(Box::new(Rejection { status, headers, body })))
            }
            Decision::Refuse { status, .. } => {
                error!("a verifier answers with a status that is not possible: {status}");
                Err(Refusal::NoDecision)
            }
        }
    }
}

impl<V: Into<Self>, E: Display> From<Result<V, E>> for Verdict {
    fn from(result: Result<V, E>) -> Self {
        match result {
            Ok(verdict) => verdict.into(),
            Err(error) => {
                error!("a verifier failed: {error}");
                Self::refuse(500, "the server cannot tell who may connect\n")
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

fn is_allowed((name, value): &(String, String)) -> bool {
    let is_ours = OURS.iter().any(|ours| ours.eq_ignore_ascii_case(name));
    let value = value.as_bytes();
    !is_ours && grammar::is_token(name.as_bytes()) && grammar::is_printable(value)
}

/// Headers that the opening handshake itself sets.
const OURS: [&str; 8] = [
    "Connection",
    "Content-Length",
    "Sec-WebSocket-Accept",
    "Sec-WebSocket-Extensions",
    "Sec-WebSocket-Protocol",
    "Server",
    "Transfer-Encoding",
    "Upgrade",
];
