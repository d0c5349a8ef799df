//! Session resumption, for as long as the verified certificates are valid.
//!
//! rustls does not verify certificates again when a session is resumed, and each resumed session
//! brings tickets for the next ones (RFC 8446 §4.6.1). So each session is stored with the time in
//! which all certificates of the chain are valid, and is not resumed outside it: a full handshake
//! follows, with its verification. Nothing else can change meanwhile: another configuration has its
//! own sessions, and each session belongs to one host.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use rustls::NamedGroup;
use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::pki_types::{ServerName, UnixTime};
use rustls::server::ProducesTickets;

use crate::net::tls::handshake_context;
use crate::net::tls::verify::validity::{PeerValidity, Validity};
use crate::runtime::sync::{Mutex, MutexGuard};

/// Tickets of a server, which contain the validity of the client's certificates.
#[derive(Debug)]
pub(crate) struct Tickets(pub(super) Arc<dyn ProducesTickets>);

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        self.0.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.0.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let validity = handshake_context::peer_validity()?;
        self.0.encrypt(&[&validity.to_bytes()[..], plain].concat())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let opened = self.0.decrypt(cipher)?;
        let (validity, plain) = opened.split_first_chunk::<{ Validity::LENGTH }>()?;
        let validity = Validity::from_bytes(*validity);
        if !validity.contains(UnixTime::now()) {
            return None;
        }
        // It applies to the tickets of the resumed session too.
        handshake_context::set_peer_validity(validity);
        Some(plain.to_vec())
    }
}

/// The sessions of the clients that share a configuration.
pub(crate) struct ClientSessions {
    of_1_2: Mutex<SessionList<Tls12ClientSessionValue>>,
    of_1_3: Mutex<SessionList<Tls13ClientSessionValue>>,
    /// The key exchange groups that servers prefer, independent of sessions.
    groups: ClientSessionMemoryCache,
}

/// The sessions of one version of TLS, the oldest first.
struct SessionList<T>(VecDeque<StoredSession<T>>);

struct StoredSession<T> {
    server_name: ServerName<'static>,
    validity: Validity,
    session: T,
}

/// The session store of one connection.
///
/// New sessions are stored with the validity of the server's certificates.
#[derive(Debug)]
pub(crate) struct ConnectionSessions {
    pub(crate) sessions: Arc<ClientSessions>,
    pub(crate) validity: Arc<PeerValidity>,
}

impl<T> SessionList<T> {
    /// Adds a session, and removes the oldest above a limit.
    ///
    /// There is one for each server, and one in all.
    fn insert(&mut self, new: StoredSession<T>, max_of_server: usize) {
        let is_of_server = |other: &StoredSession<T>| other.server_name == new.server_name;
        if self.0.iter().filter(|other| is_of_server(other)).count() >= max_of_server {
            let oldest = self.0.iter().position(is_of_server);
            oldest.and_then(|oldest| self.0.remove(oldest));
        }
        if self.0.len() >= MAX_SESSIONS {
            self.0.pop_front();
        }
        self.0.push_back(new);
    }

    /// Removes and returns the newest valid session of this server.
    fn take(&mut self, server_name: &ServerName<'_>) -> Option<StoredSession<T>> {
        let now = UnixTime::now();
        self.0.retain(|session| session.validity.contains(now));
        let newest = self.0.iter().rposition(|session| session.server_name == *server_name)?;
        self.0.remove(newest)
    }
}

impl ConnectionSessions {
    /// Adds a session; without a known validity, it is not stored.
    fn insert<T>(
        &self,
        list: &Mutex<SessionList<T>>,
        max_of_server: usize,
        (server_name, session): (ServerName<'static>, T),
    ) {
        if let Some(validity) = self.validity.get() {
            lock(list).insert(StoredSession { server_name, validity, session }, max_of_server);
        }
    }

    /// Removes and returns a session; its validity applies to its successors.
    fn take<T>(&self, list: &Mutex<SessionList<T>>, server_name: &ServerName<'_>) -> Option<T> {
        let StoredSession { validity, session, .. } = lock(list).take(server_name)?;
        self.validity.set(validity);
        Some(session)
    }
}

impl ClientSessionStore for ConnectionSessions {
    fn set_kx_hint(&self, server_name: ServerName<'static>, group: NamedGroup) {
        self.sessions.groups.set_kx_hint(server_name, group);
    }

    fn kx_hint(&self, server_name: &ServerName<'_>) -> Option<NamedGroup> {
        self.sessions.groups.kx_hint(server_name)
    }

    fn set_tls12_session(
        &self,
        server_name: ServerName<'static>,
        session: Tls12ClientSessionValue,
    ) {
        self.insert(&self.sessions.of_1_2, 1, (server_name, session));
    }

    fn tls12_session(&self, server_name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        let list = &self.sessions.of_1_2;
        let session = self.take(list, server_name)?;
        // Unlike a ticket of TLS 1.3, it may be reused (RFC 8446 §C.4).
        self.insert(list, 1, (server_name.to_owned(), session.clone()));
        Some(session)
    }

    fn remove_tls12_session(&self, server_name: &ServerName<'static>) {
        lock(&self.sessions.of_1_2).take(server_name);
    }

    fn insert_tls13_ticket(
        &self,
        server_name: ServerName<'static>,
        ticket: Tls13ClientSessionValue,
    ) {
        self.insert(&self.sessions.of_1_3, MAX_TICKETS_PER_SERVER, (server_name, ticket));
    }

    fn take_tls13_ticket(
        &self,
        server_name: &ServerName<'static>,
    ) -> Option<Tls13ClientSessionValue> {
        self.take(&self.sessions.of_1_3, server_name)
    }
}

impl Default for ClientSessions {
    fn default() -> Self {
        Self {
            of_1_2: Mutex::new(SessionList(VecDeque::new())),
            of_1_3: Mutex::new(SessionList(VecDeque::new())),
            groups: ClientSessionMemoryCache::new(MAX_SESSIONS),
        }
    }
}

impl fmt::Debug for ClientSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSessions").finish_non_exhaustive()
    }
}

fn lock<T>(list: &Mutex<SessionList<T>>) -> MutexGuard<'_, SessionList<T>> {
    list.lock()
}

/// rustls' default limits, in all and for one server.
const MAX_SESSIONS: usize = 256;
const MAX_TICKETS_PER_SERVER: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::tls::cryptography::Ticketer;

    fn server(number: usize) -> ServerName<'static> {
        ServerName::try_from(format!("server-{number}.example")).unwrap()
    }

    fn stored(number: usize, validity: Validity, session: usize) -> StoredSession<usize> {
        StoredSession { server_name: server(number), validity, session }
    }

    fn take(list: &mut SessionList<usize>, number: usize) -> Option<usize> {
        list.take(&server(number)).map(|stored| stored.session)
    }

    /// RFC 8446 §4.6.1, and a server that sends tickets without end.
    #[test]
    fn the_newest_session_is_taken_once_and_only_while_it_is_valid() {
        let mut list = SessionList(VecDeque::new());
        for session in 0..20 {
            list.insert(stored(1, Validity::ALWAYS, session), MAX_TICKETS_PER_SERVER);
        }
        list.insert(stored(2, Validity::ALWAYS, 100), MAX_TICKETS_PER_SERVER);
        list.insert(stored(1, Validity::NEVER, 101), MAX_TICKETS_PER_SERVER);

        let taken: Vec<_> = std::iter::from_fn(|| take(&mut list, 1)).collect();

        assert_eq!(taken, [19, 18, 17, 16, 15, 14, 13]);
        assert_eq!(take(&mut list, 2), Some(100));
        assert_eq!(take(&mut list, 3), None);
    }

    #[test]
    fn many_servers_leave_a_bounded_number_of_sessions() {
        let mut list = SessionList(VecDeque::new());
        for number in 0..2 * MAX_SESSIONS {
            list.insert(stored(number, Validity::ALWAYS, number), MAX_TICKETS_PER_SERVER);
        }

        assert_eq!(list.0.len(), MAX_SESSIONS);
        assert_eq!(take(&mut list, 0), None);
        assert_eq!(take(&mut list, 2 * MAX_SESSIONS - 1), Some(2 * MAX_SESSIONS - 1));
    }

    /// RFC 8446 §4.6.1: clients discard a ticket with a lifetime of 0, and 7 days are the most.
    #[test]
    fn tickets_have_a_lifetime() {
        let tickets = Tickets(Ticketer::new().unwrap());

        assert!((1..=7 * 24 * 60 * 60).contains(&tickets.lifetime()));
    }
}
