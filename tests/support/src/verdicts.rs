//! What a client and a server of slotwork say about a chain of certificates.

use std::sync::Arc;

use anyhow::{Result, bail};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use slotwork::signals::SignalSpy;
use slotwork::{NetworkProxy, PeerVerifyMode, TlsCertificate, TlsConfig, TlsError, WebSocket};

use crate::certificates::{Authority, Pem, config_showing};
use crate::recorder::Recorder;
use crate::relay::proxy;
use crate::secure_client::{check_open, open, refusal};
use crate::tls_peer::client_config;
use crate::{secure_echo_server, wait_until};

/// The end that checks the other one's certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are two, for tests alone")]
pub enum Judge {
    /// A client, which checks a server.
    Client,
    /// A server, which requires certificates of its clients.
    Server,
}

/// Both ends.
pub const BOTH: [Judge; 2] = [Judge::Client, Judge::Server];

impl Judge {
    /// Returns what is wrong with a chain that the other end shows; `None` when it is accepted.
    pub fn verdict(self, trusted: &[TlsCertificate], shown: &Pem) -> Result<Option<TlsError>> {
        self.verdict_of_key(trusted, shown.unchecked_key()?)
    }

    /// The same for any key.
    pub fn verdict_of_key(
        self,
        trusted: &[TlsCertificate],
        shown: CertifiedKey,
    ) -> Result<Option<TlsError>> {
        match self {
            Self::Client => of_client(trusted, shown, Vec::new()),
            Self::Server => of_server(trusted, shown),
        }
    }
}

/// Returns what a client refuses at `wss://127.0.0.1`, which ignores these errors.
pub fn verdict_but(
    trusted: &[TlsCertificate],
    shown: &Pem,
    ignored: Vec<TlsError>,
) -> Result<Option<TlsError>> {
    of_client(trusted, shown.unchecked_key()?, ignored)
}

fn of_client(
    trusted: &[TlsCertificate],
    shown: CertifiedKey,
    ignored: Vec<TlsError>,
) -> Result<Option<TlsError>> {
    let server = secure_echo_server(config_showing(shown, rustls::ALL_VERSIONS)?)?;
    let socket = WebSocket::new();
    socket.set_tls_config(TlsConfig::new().ca_certificates(trusted.iter().cloned()));
    socket.ignore_tls_errors(ignored);
    open(&socket, &server, "127.0.0.1")?;
    outcome(&socket)
}

/// Returns what a client refuses at any host, which it reaches through a proxy.
pub fn verdict_at(host: &str, trusted: &[TlsCertificate], shown: &Pem) -> Result<Option<TlsError>> {
    let config = config_showing(shown.unchecked_key()?, rustls::ALL_VERSIONS)?;
    let server = secure_echo_server(config)?;
    let socket = WebSocket::new();
    socket.set_tls_config(TlsConfig::new().ca_certificates(trusted.iter().cloned()));
    let tunnel = proxy(&[(0, b"HTTP/1.1 200 OK\r\n\r\n")], server.server_port())?;
    socket.set_proxy(Some(NetworkProxy::http("127.0.0.1", tunnel)));
    open(&socket, &server, host)?;
    outcome(&socket)
}

fn outcome(socket: &WebSocket) -> Result<Option<TlsError>> {
    if socket.error().is_some() {
        return refusal(socket).map(Some);
    }
    check_open(socket)?;
    Ok(None)
}

/// Returns what a server refuses.
fn of_server(trusted: &[TlsCertificate], shown: CertifiedKey) -> Result<Option<TlsError>> {
    let authority = Authority::new()?;
    let config = authority.server_config()?.ca_certificates(trusted.iter().cloned());
    let server = secure_echo_server(config.peer_verify_mode(PeerVerifyMode::Required))?;
    let outcomes = Recorder::default();
    outcomes.watch_server(&server);
    let problems = SignalSpy::new(&server.tls_errors());
    let socket = WebSocket::new();
    let mut client = client_config(&authority.certificate(), rustls::ALL_VERSIONS)?;
    client.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(shown));
    socket.set_tls_config(TlsConfig::from_client_config(client));
    open(&socket, &server, "127.0.0.1")?;
    wait_until(|| !outcomes.lines().is_empty())?;
    let is_accepted = outcomes.lines() == ["new connection"];
    match problems.values().pop().as_deref() {
        None if is_accepted => Ok(None),
        Some([first, ..]) if !is_accepted => Ok(Some(first.clone())),
        other => bail!("{other:?}, {outcomes:?}"),
    }
}

/// Returns an error in a few words; "" for none.
pub fn in_words(error: Option<&TlsError>) -> String {
    error.map(ToString::to_string).unwrap_or_default()
}
