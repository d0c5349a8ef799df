//! A question to the program: who is asking?

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Asks for a user name and a password, for a server or a proxy that demands them.
///
/// It is what [`authentication_required`](crate::WebSocket::authentication_required) and
/// [`proxy_authentication_required`](crate::WebSocket::proxy_authentication_required) are emitted
/// with. Clones share the answer, which counts until the emission is over: a slot that runs later,
/// because it is queued, async or of another thread, is too late.
///
/// # Qt
///
/// `QAuthenticator`, whose pointer is valid as long.
#[derive(Clone)]
pub struct Authenticator {
    realm: String,
    answer: Arc<Mutex<Credentials>>,
}

/// A user name and a password.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: String,
}

/// What has been tried at one server or proxy, and what can be tried next.
#[derive(Debug, Default)]
pub(crate) struct Login {
    given: Option<Credentials>,
    tried: Option<Credentials>,
    /// What was tried last has been accepted.
    is_accepted: bool,
}

impl Authenticator {
    /// Makes a question without an answer, for tests of slots.
    #[must_use]
    pub fn new(realm: impl Into<String>) -> Self {
        Self { realm: realm.into(), answer: Arc::default() }
    }

    /// Sets the user name.
    ///
    /// Without one, and with the same answer as before, the attempt to connect fails.
    #[doc(alias = "setUser")]
    pub fn set_user(&self, user: impl Into<String>) {
        self.lock().user = user.into();
    }

    /// Sets the password.
    #[doc(alias = "setPassword")]
    pub fn set_password(&self, password: impl Into<String>) {
        self.lock().password = password.into();
    }

    /// Returns what the server or proxy calls the place that it protects; often empty for proxies.
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
        self.answer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Login {
    /// Begins with credentials that are known, if any are.
    pub(crate) fn new(given: Option<Credentials>) -> Self {
        Self { given, tried: None, is_accepted: false }
    }

    /// Notes that what was tried last, if anything, has been accepted.
    pub(crate) fn accept(&mut self) {
        self.is_accepted = true;
    }

    /// Returns what has been accepted: the next connection begins with it.
    pub(crate) fn accepted(&self) -> Option<Credentials> {
        self.tried.clone().filter(|_| self.is_accepted)
    }

    /// Returns what is to be tried next: what is known, then what `ask` brings to light.
    ///
    /// It is nothing when there is nothing new: the same answer would be refused again.
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

/// Shows no password.
impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").field("realm", &self.realm).finish_non_exhaustive()
    }
}

/// Shows no password.
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
