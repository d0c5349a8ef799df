//! Sessions, which last no longer than the certificates that were checked when they began.
//!
//! rustls checks no certificate again when a session is resumed, and each resumed session brings
//! tickets for the next ones (RFC 8446 §4.6.1). So the time in which all certificates of the chain are
//! valid stays with each session, and none is resumed outside it: the handshake is a full one then,
//! which looks at everything. Nothing else can change meanwhile: another configuration has sessions
//! of its own, and each belongs to the host for which it began.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::NamedGroup;
use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::pki_types::{ServerName, UnixTime};
use rustls::server::ProducesTickets;

use crate::net::tls::handshake_context;
use crate::net::tls::verify::validity::{PeerValidity, Validity};

/// Tickets of a server, each with the time in which it is valid.
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
        let validity = handshake_context::validity()?;
        self.0.encrypt(&[&validity.to_bytes()[..], plain].concat())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let opened = self.0.decrypt(cipher)?;
        let (validity, plain) = opened.split_first_chunk::<{ Validity::LENGTH }>()?;
        let validity = Validity::from_bytes(*validity);
        if !validity.contains(UnixTime::now()) {
            return None;
        }
        // The tickets for the next sessions are valid as long.
        handshake_context::note_validity(validity);
        Some(plain.to_vec())
    }
}

/// The sessions that clients of one configuration can resume.
pub(crate) struct Sessions {
    of_1_2: Mutex<List<Tls12ClientSessionValue>>,
    of_1_3: Mutex<List<Tls13ClientSessionValue>>,
    /// Which groups servers prefer belongs to no session.
    groups: ClientSessionMemoryCache,
}

/// Sessions of one version of TLS, the oldest first.
struct List<T>(VecDeque<Kept<T>>);

struct Kept<T> {
    server_name: ServerName<'static>,
    validity: Validity,
    session: T,
}

/// The sessions for one connection: those that it brings are valid as long as the certificates of its
/// server.
#[derive(Debug)]
pub(crate) struct ConnectionSessions {
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) validity: Arc<PeerValidity>,
}

impl<T> List<T> {
    /// Adds a session; the oldest gives way if there are too many, of this server or in all.
    fn insert(&mut self, kept: Kept<T>, most_of_server: usize) {
        let is_of_server = |other: &Kept<T>| other.server_name == kept.server_name;
        if self.0.iter().filter(|other| is_of_server(other)).count() >= most_of_server {
            let oldest = self.0.iter().position(is_of_server);
            oldest.and_then(|oldest| self.0.remove(oldest));
        }
        if self.0.len() >= MOST_SESSIONS {
            self.0.pop_front();
        }
        self.0.push_back(kept);
    }

    /// Takes the newest session with this server that is valid.
    fn take(&mut self, server_name: &ServerName<'_>) -> Option<Kept<T>> {
        let now = UnixTime::now();
        self.0.retain(|kept| kept.validity.contains(now));
        let newest = self.0.iter().rposition(|kept| kept.server_name == *server_name)?;
        self.0.remove(newest)
    }
}

impl ConnectionSessions {
    /// Keeps a session, if it is known until when.
    fn insert<T>(
        &self,
        list: &Mutex<List<T>>,
        most_of_server: usize,
        (server_name, session): (ServerName<'static>, T),
    ) {
        if let Some(validity) = self.validity.get() {
            lock(list).insert(Kept { server_name, validity, session }, most_of_server);
        }
    }

    /// Takes a session; those that follow from it are valid as long.
    fn take<T>(&self, list: &Mutex<List<T>>, server_name: &ServerName<'_>) -> Option<T> {
        let Kept { validity, session, .. } = lock(list).take(server_name)?;
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
        // Unlike a ticket of TLS 1.3 it may be used again (RFC 8446 §C.4).
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
        self.insert(&self.sessions.of_1_3, MOST_TICKETS, (server_name, ticket));
    }

    fn take_tls13_ticket(
        &self,
        server_name: &ServerName<'static>,
    ) -> Option<Tls13ClientSessionValue> {
        self.take(&self.sessions.of_1_3, server_name)
    }
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            of_1_2: Mutex::new(List(VecDeque::new())),
            of_1_3: Mutex::new(List(VecDeque::new())),
            groups: ClientSessionMemoryCache::new(MOST_SESSIONS),
        }
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

fn lock<T>(list: &Mutex<List<T>>) -> MutexGuard<'_, List<T>> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As many as rustls keeps by default, in all and of one server.
const MOST_SESSIONS: usize = 256;
const MOST_TICKETS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn server(number: usize) -> ServerName<'static> {
        ServerName::try_from(format!("server-{number}.example")).unwrap()
    }

    fn kept(number: usize, validity: Validity, session: usize) -> Kept<usize> {
        Kept { server_name: server(number), validity, session }
    }

    fn take(list: &mut List<usize>, number: usize) -> Option<usize> {
        list.take(&server(number)).map(|kept| kept.session)
    }

    /// RFC 8446 §4.6.1, and a server that sends tickets without end.
    #[test]
    fn the_newest_session_is_taken_once_and_only_while_it_is_valid() {
        let mut list = List(VecDeque::new());
        for session in 0..20 {
            list.insert(kept(1, Validity::ALWAYS, session), MOST_TICKETS);
        }
        list.insert(kept(2, Validity::ALWAYS, 100), MOST_TICKETS);
        list.insert(kept(1, Validity::NEVER, 101), MOST_TICKETS);

        let taken: Vec<_> = std::iter::from_fn(|| take(&mut list, 1)).collect();

        assert_eq!(taken, [19, 18, 17, 16, 15, 14, 13]);
        assert_eq!(take(&mut list, 2), Some(100));
        assert_eq!(take(&mut list, 3), None);
    }

    #[test]
    fn many_servers_leave_a_bounded_number_of_sessions() {
        let mut list = List(VecDeque::new());
        for number in 0..2 * MOST_SESSIONS {
            list.insert(kept(number, Validity::ALWAYS, number), MOST_TICKETS);
        }

        assert_eq!(list.0.len(), MOST_SESSIONS);
        assert_eq!(take(&mut list, 0), None);
        assert_eq!(take(&mut list, 2 * MOST_SESSIONS - 1), Some(2 * MOST_SESSIONS - 1));
    }
}
