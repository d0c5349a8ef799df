//! Authentication: challenges of servers and proxies, and credentials.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A challenge that a slot answers with a user name and a password.
///
/// The argument of [`authentication_required`](crate::WebSocket::authentication_required) and
/// [`proxy_authentication_required`](crate::WebSocket::proxy_authentication_required). Clones share
/// the credentials, which are read when the emission is over: a slot that runs later, because it is
/// queued, async or in another thread, is too late.
///
/// # Qt
///
/// `QAuthenticator`; its pointer is valid for the same time.
#[derive(Clone)]
pub struct Authenticator {
    realm: String,
    credentials: Arc<Mutex<Credentials>>,
}

/// A user name and a password.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: String,
}

/// The credentials tried at one server or proxy, and those to try next.
#[derive(Debug, Default)]
pub(crate) struct Login {
    given: Option<Credentials>,
    tried: Option<Credentials>,
    /// The credentials tried last were accepted.
    is_accepted: bool,
}

impl Authenticator {
    /// Makes a challenge without credentials, for tests of slots.
    #[must_use]
    pub fn new(realm: impl Into<String>) -> Self {
        Self { realm: realm.into(), credentials: Arc::default() }
    }

    /// Sets the user name.
    ///
    /// Without one, or with the same credentials as before, the attempt to connect fails.
    #[doc(alias = "setUser")]
    pub fn set_user(&self, user: impl Into<String>) {
        self.lock().user = user.into();
    }

    /// Sets the password.
    #[doc(alias = "setPassword")]
    pub fn set_password(&self, password: impl Into<String>) {
        self.lock().password = password.into();
    }

    /// Returns the realm: the protected area of the server (RFC 9110 §11.5).
    ///
    /// It is often empty for proxies.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// Returns the user name that was set; empty at first.
    #[must_use]
    pub fn user(&self) -> String {
        self.lock().user.clone()
    }

    fn credentials(&self) -> Option<Credentials> {
        let credentials = self.lock().clone();
        (!credentials.user.is_empty()).then_some(credentials)
    }

    fn lock(&self) -> MutexGuard<'_, Credentials> {
        self.credentials.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Login {
    /// Begins with the credentials of the URL or the proxy, if there are any.
    pub(crate) fn new(given: Option<Credentials>) -> Self {
        Self { given, tried: None, is_accepted: false }
    }

    /// Records that the credentials tried last, if any, were accepted.
    pub(crate) fn accept(&mut self) {
        self.is_accepted = true;
    }

    /// Returns the accepted credentials, with which the next connection begins.
    pub(crate) fn accepted(&self) -> Option<Credentials> {
        self.tried.clone().filter(|_| self.is_accepted)
    }

    /// Returns the credentials to try next: those given, then those that `ask` obtains.
    ///
    /// `None` when they are the same as before, which would be refused again.
    pub(crate) fn next(
        &mut self,
        realm: &str,
        ask: impl FnOnce(&Authenticator),
    ) -> Option<Credentials> {
        let next = self.given.take().or_else(|| {
            let authenticator = Authenticator::new(realm);
            ask(&authenticator);
            authenticator.credentials()
        });
        self.is_accepted = false;
        if next == self.tried {
            return None;
        }
        self.tried.clone_from(&next);
        next
    }
}

/// Omits the password.
impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").field("realm", &self.realm).finish_non_exhaustive()
    }
}

/// Omits the password.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(user: &str) -> impl FnOnce(&Authenticator) {
        move |authenticator| authenticator.set_user(user)
    }

    /// Qt: CLI-19.
    #[test]
    fn what_is_known_is_tried_first_and_nothing_twice() {
        let known = Credentials { user: "known".into(), password: "secret".into() };
        let mut login = Login::new(Some(known));
        let mut next = |user| login.next("here", answer(user)).map(|found| found.user);

        assert_eq!(next("asked").as_deref(), Some("known"));
        assert_eq!(next("asked").as_deref(), Some("asked"));
        assert_eq!(next("other").as_deref(), Some("other"));
        assert_eq!(next("other"), None);
        assert_eq!(Login::default().next("here", |_| {}), None);
    }

    /// Qt: CLI-24.
    #[test]
    fn what_was_accepted_is_known_until_it_is_refused() {
        let mut login = Login::default();
        login.accept();
        assert_eq!(login.accepted(), None);

        login.next("here", answer("asked"));
        assert_eq!(login.accepted(), None);
        login.accept();
        assert_eq!(login.accepted().map(|found| found.user).as_deref(), Some("asked"));

        assert_eq!(login.next("here", answer("asked")), None);
        assert_eq!(login.accepted(), None);
    }

    #[test]
    fn a_password_is_not_shown() {
        let authenticator = Authenticator::new("here");
        authenticator.set_user("u");
        authenticator.set_password("secret");
        let shown = format!("{authenticator:?} {:?}", authenticator.credentials());
        assert!(shown.contains("here") && !shown.contains("secret"), "{shown}");
    }
}
