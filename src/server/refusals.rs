//! Reports refused clients, with the reason and the limit that was reached.

use std::net::{IpAddr, SocketAddr};
use std::sync::Weak;
use std::time::Duration;

use crate::protocol::handshake::refusal::Refusal;
use crate::server::state::Inner;
use crate::types::error::Error;
use crate::types::limit::{Limit, LimitReached};
use crate::types::stats::RefusalReason;

impl Inner {
    /// Counts and reports a refusal, and the limit that it is about.
    ///
    /// `client` is the address of the peer's client, as far as it is known.
    pub(crate) fn report_refusal(
        &self,
        peer: SocketAddr,
        client: Option<IpAddr>,
        refusal: &Refusal,
    ) {
        self.report_handshake(refusal.into(), &refusal_error(peer, refusal));
        if let Some(limit) = limit_of(refusal) {
            self.report_limit(LimitReached { limit, peer, client });
        }
    }
}

impl From<&Refusal> for RefusalReason {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::BadRequest(_)
            | Refusal::MethodNotAllowed { .. }
            | Refusal::RequestLineTooLong
            | Refusal::HeadersTooLarge(_)
            | Refusal::UnsupportedHttpVersion => Self::BadRequest,
            Refusal::UpgradeRequired | Refusal::UnsupportedVersion => Self::UpgradeRequired,
            Refusal::OriginRefused => Self::Origin,
            Refusal::Rejected(_) => Self::Verifier,
            Refusal::NoDecision => Self::NoDecision,
            Refusal::Timeout => Self::Timeout,
            Refusal::TooManyPending => Self::PendingConnections,
            Refusal::TooManyConnections { .. } => Self::Connections,
            Refusal::TooManyHandshakes { .. } => Self::Handshakes,
            Refusal::TooManyPerAddress { .. } => Self::ConnectionsPerAddress,
        }
    }
}

/// Reports the failure of a handshake by `server_error`, unless the server is gone.
pub(crate) fn report(server: &Weak<Inner>, reason: RefusalReason, error: &Error) {
    if let Some(server) = server.upgrade() {
        server.report_handshake(reason, error);
    }
}

/// Returns the error that reports a refusal.
fn refusal_error(peer: SocketAddr, refusal: &Refusal) -> Error {
    match *refusal {
        Refusal::TooManyConnections { limit } => Error::TooManyConnections { peer, limit },
        Refusal::TooManyHandshakes { limit } => Error::TooManyHandshakes { peer, limit },
        Refusal::TooManyPerAddress { limit } => Error::TooManyConnectionsPerAddress { peer, limit },
        _ => Error::HandshakeRefused {
            peer,
            status: refusal.status(),
            reason: refusal.to_string(),
            close_code: refusal.close_code(),
        },
    }
}

/// Returns the limit that a refusal is about, if it is.
fn limit_of(refusal: &Refusal) -> Option<Limit> {
    match refusal {
        Refusal::TooManyPending => Some(Limit::PendingConnections),
        Refusal::TooManyConnections { .. } => Some(Limit::Connections),
        Refusal::TooManyHandshakes { .. } => Some(Limit::Handshakes),
        Refusal::TooManyPerAddress { .. } => Some(Limit::ConnectionsPerAddress),
        _ => None,
    }
}

/// How long a refused peer may take to read its answer.
pub(crate) const REFUSAL_TIMEOUT: Duration = Duration::from_secs(2);
