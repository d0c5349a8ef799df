//! The options of a bridge: servers, credentials and TLS.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use async_nats::{ConnectOptions, ServerAddr};

use crate::error::Error;
use crate::subjects;

/// The servers, credentials and TLS of a [`NatsBridge`](crate::NatsBridge).
///
/// # Qt
///
/// Qt has no counterpart.
///
/// # Examples
///
/// ```
/// use slotwork_nats::NatsOptions;
///
/// let options = NatsOptions::new("tls://10.0.0.1:4222")
///     .server("tls://10.0.0.2:4222")
///     .name("chat-3")
///     .user_and_password("chat", "secret")
///     .root_certificates("/etc/chat/ca.pem");
/// ```
#[derive(Clone)]
pub struct NatsOptions {
    servers: Vec<String>,
    name: Option<String>,
    user: Option<(String, String)>,
    token: Option<String>,
    root_certificates: Option<PathBuf>,
    client_certificate: Option<(PathBuf, PathBuf)>,
    requires_tls: bool,
}

impl NatsOptions {
    /// Returns options for a server, such as `nats://10.0.0.1:4222`.
    ///
    /// `tls://` requires TLS. The port may be left out. A user and a password in the URL are used
    /// unless [`user_and_password`](Self::user_and_password) is called. The other servers of a
    /// cluster are discovered.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            servers: vec![url.into()],
            name: None,
            user: None,
            token: None,
            root_certificates: None,
            client_certificate: None,
            requires_tls: false,
        }
    }

    /// Adds another server of the cluster, for when the first one is down.
    #[must_use]
    pub fn server(mut self, url: impl Into<String>) -> Self {
        self.servers.push(url.into());
        self
    }

    /// Sets the name of this node in the monitoring of NATS.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the user and the password.
    #[must_use]
    pub fn user_and_password(
        mut self,
        user: impl Into<String>,
        password: impl Into<String>,
    ) -> Self {
        self.user = Some((user.into(), password.into()));
        self
    }

    /// Sets the token.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Sets a PEM file with trust anchors, instead of those of the system.
    #[must_use]
    pub fn root_certificates(mut self, file: impl Into<PathBuf>) -> Self {
        self.root_certificates = Some(file.into());
        self
    }

    /// Sets the PEM files of the certificate of this node and of its key.
    #[must_use]
    pub fn client_certificate(
        mut self,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        self.client_certificate = Some((certificate.into(), key.into()));
        self
    }

    /// Requires TLS from servers of `nats://` URLs, also of those that are discovered.
    #[must_use]
    pub fn require_tls(mut self) -> Self {
        self.requires_tls = true;
        self
    }

    /// Returns the addresses of the servers.
    ///
    /// The user of a URL becomes that of the options: the client may log URLs.
    pub(crate) fn take_addresses(&mut self) -> Result<Vec<ServerAddr>, Error> {
        let addresses: Vec<_> =
            self.servers.iter().map(|url| address(url)).collect::<Result<_, _>>()?;
        self.user = self.user.take().or_else(|| user_of(&addresses));
        Ok(addresses.into_iter().map(without_user).collect())
    }

    /// Returns the options of the client, without the callback for its events.
    pub(crate) fn to_client_options(&self) -> ConnectOptions {
        let mut options = ConnectOptions::new()
            .no_echo()
            .client_capacity(COMMANDS)
            .subscription_capacity(MESSAGES_OF_SUBSCRIPTION)
            .read_buffer_capacity(READ_BUFFER)
            .ping_interval(PING_INTERVAL)
            .reconnect_delay_callback(back_off)
            .max_reconnects(None)
            .skip_subject_validation(true)
            .require_tls(self.requires_tls);
        if let Some(name) = &self.name {
            options = options.name(name);
        }
        if let Some((user, password)) = &self.user {
            options = options.user_and_password(user.clone(), password.clone());
        }
        if let Some(token) = &self.token {
            options = options.token(token.clone());
        }
        if let Some(file) = &self.root_certificates {
            options = options.add_root_certificates(file.clone());
        }
        if let Some((certificate, key)) = &self.client_certificate {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        options
    }
}

/// Secrets are left out.
impl fmt::Debug for NatsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers: Vec<_> = self.servers.iter().map(|url| without_password(url)).collect();
        f.debug_struct("NatsOptions")
            .field("servers", &servers)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Returns the time in front of an attempt to connect, the first one being 1.
///
/// 10 ms, doubled up to 320 ms, and of that half to all: nodes that lost the same server do not
/// come back at the same moment.
pub(crate) fn back_off(attempt: usize) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX).min(5);
    let longest = SHORTEST_BACK_OFF * 2_u32.pow(doublings);
    longest.mul_f64(0.5 + fastrand::f64() / 2.0)
}

fn address(url: &str) -> Result<ServerAddr, Error> {
    let invalid = |source| Error::InvalidUrl { url: without_password(url), source };
    let address: ServerAddr = url.parse().map_err(invalid)?;
    if address.is_websocket() || address.host().is_empty() {
        return Err(invalid(std::io::ErrorKind::InvalidInput.into()));
    }
    Ok(address)
}

fn user_of(addresses: &[ServerAddr]) -> Option<(String, String)> {
    let address = addresses.iter().find(|address| address.has_user_pass())?;
    let decoded = |text: &str| subjects::decoded(text).unwrap_or_else(|| text.to_owned());
    Some((decoded(address.username()?), decoded(address.password().unwrap_or_default())))
}

fn without_user(address: ServerAddr) -> ServerAddr {
    let mut url = address.clone().into_inner();
    // They fail for URLs without a host alone.
    _ = url.set_username("");
    _ = url.set_password(None);
    ServerAddr::from_url(url).unwrap_or(address)
}

fn without_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            let (start, end) = (url.get(..scheme + 3), url.get(at..));
            [start, Some("…"), end].into_iter().flatten().collect()
        }
        (None, Some(at)) => format!("…{}", url.get(at..).unwrap_or_default()),
        _ => url.to_owned(),
    }
}

const SHORTEST_BACK_OFF: Duration = Duration::from_millis(10);
/// A server that answers no ping for the third time is given up, after 15 s.
const PING_INTERVAL: Duration = Duration::from_secs(5);
/// So many messages may be on the way to the client's task.
///
/// Few: what is there when the connection breaks is sent as soon as it is back.
const COMMANDS: usize = 256;
/// More than the client's task can read at once, which is 128 times the buffer.
///
/// The inbox has the bound.
const MESSAGES_OF_SUBSCRIPTION: usize = 256 * 1024;
const READ_BUFFER: u16 = 32 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// URLs may have a user and a password, which are percent-encoded there.
    #[test]
    fn takes_the_user_of_the_url() {
        let mut options = NatsOptions::new("nats://chat:p%40ss@127.0.0.1");

        let addresses = options.take_addresses().unwrap();

        assert_eq!(options.user, Some(("chat".to_owned(), "p@ss".to_owned())));
        assert!(!format!("{addresses:?}").contains("p%40ss"));
        assert!(!format!("{options:?}").contains("p%40ss"));
    }

    #[test]
    fn refuses_what_is_not_a_url_of_nats() {
        for url in ["http://127.0.0.1", "ws://127.0.0.1", "nats://", "nats://a:b@[", ""] {
            let refused = NatsOptions::new(url).take_addresses();

            assert!(matches!(refused, Err(Error::InvalidUrl { .. })), "{url}: {refused:?}");
        }
    }

    #[test]
    fn doubles_the_back_off_to_its_limit() {
        for (attempt, longest) in [(0, 10), (1, 10), (2, 20), (6, 320), (1000, 320)] {
            let longest = Duration::from_millis(longest);

            let delay = back_off(attempt);

            assert!(delay >= longest / 2 && delay <= longest, "{attempt}: {delay:?}");
        }
    }
}
