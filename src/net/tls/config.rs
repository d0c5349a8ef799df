//! How a server or a client speaks TLS.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::client::Resumption;
use rustls::server::NoServerSessionStorage;
use rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion};

use crate::net::tls::identity::TlsIdentity;
use crate::net::tls::peer_verify_mode::PeerVerifyMode;
use crate::net::tls::resolver::Resolver;
use crate::net::tls::resumption::{ConnectionSessions, Sessions, Tickets};
use crate::net::tls::sides::{ClientSide, ServerSide};
use crate::net::tls::tls_session::TlsProtocol;
use crate::net::tls::verify::client_verifier::client_check;
use crate::net::tls::verify::server_verifier::ServerCheck;
use crate::net::tls::verify::trust_anchors::Trust;
use crate::net::tls::verify::validity::PeerValidity;
use crate::net::tls::{cryptography, pem, provider};
use crate::types::error::Error;
use crate::types::tls_certificate::TlsCertificate;

/// How a server or a client speaks TLS: with which certificate, and whom it trusts.
///
/// By default TLS 1.2 and 1.3 are spoken, sessions are resumed, a client trusts whom the system
/// trusts and shows no certificate, and a server asks for none. A server needs an
/// [`add_identity`](Self::add_identity). Clients that share a configuration, or have none, share their
/// sessions. A session is resumed only while all certificates are valid that were checked when it
/// began, on both sides (RFC 8446 §4.6.1).
///
/// Revocation is not checked: neither a CRL nor OCSP is consulted, and a stapled OCSP response is
/// ignored.
///
/// # Qt
///
/// `QSslConfiguration`. What it can do and is not here, a configuration of rustls may have:
/// [`from_server_config`](Self::from_server_config),
/// [`from_client_config`](Self::from_client_config).
///
/// # Examples
///
/// A server that admits clients with a certificate of its own authority:
///
/// ```no_run
/// use slotwork::{Error, PeerVerifyMode, SslMode, TlsCertificate, TlsConfig, TlsIdentity};
/// use slotwork::WebSocketServer;
///
/// # fn main() -> Result<(), Error> {
/// let config = TlsConfig::new()
///     .add_identity(TlsIdentity::from_pem_files("server.pem", "server.key")?)
///     .ca_certificates(TlsCertificate::from_pem_file("authority.pem")?)
///     .peer_verify_mode(PeerVerifyMode::Required);
/// let server = WebSocketServer::new("Chat", SslMode::Secure);
/// server.set_tls_config(config)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TlsConfig {
    identities: Vec<TlsIdentity>,
    trusted: Vec<TlsCertificate>,
    trusts_system: bool,
    peer_verify_mode: PeerVerifyMode,
    minimum_protocol: TlsProtocol,
    server: Option<Arc<ServerConfig>>,
    client: Option<Arc<ClientConfig>>,
    /// What was made of it for clients: they share their sessions.
    made: Arc<Mutex<Option<Made>>>,
}

/// What was made of a configuration for clients, once.
#[derive(Clone)]
struct Made {
    /// It resumes nothing.
    config: Arc<ClientConfig>,
    sessions: Arc<Sessions>,
}

impl TlsConfig {
    /// Makes the default configuration.
    #[must_use]
    pub fn new() -> Self {
        Self {
            identities: Vec::new(),
            trusted: Vec::new(),
            trusts_system: true,
            peer_verify_mode: PeerVerifyMode::None,
            minimum_protocol: TlsProtocol::V1_2,
            server: None,
            client: None,
            made: Arc::default(),
        }
    }

    /// Takes a configuration that rustls made, for servers.
    ///
    /// It is used as it is: nothing can be set here besides. Its certificate, its check of clients,
    /// and its sessions are rustls' matter:
    /// [`tls_errors`](crate::WebSocketServer::tls_errors) is not emitted, and a client that resumes a
    /// session is not checked again.
    #[doc(alias = "setCiphers")]
    #[doc(alias = "setEllipticCurves")]
    #[doc(alias = "setSslOption")]
    #[must_use]
    pub fn from_server_config(config: impl Into<Arc<ServerConfig>>) -> Self {
        Self { server: Some(config.into()), ..Self::new() }
    }

    /// Takes a configuration that rustls made, for clients.
    ///
    /// It is used as it is: nothing can be set here besides. Its check of servers and its sessions are
    /// rustls' matter: [`ignore_tls_errors`](crate::WebSocket::ignore_tls_errors) changes nothing, and
    /// a server is not checked again when a session is resumed.
    #[doc(alias = "setCiphers")]
    #[doc(alias = "setEllipticCurves")]
    #[doc(alias = "setSslOption")]
    #[must_use]
    pub fn from_client_config(config: impl Into<Arc<ClientConfig>>) -> Self {
        Self { client: Some(config.into()), ..Self::new() }
    }

    /// Adds a certificate to show, with its key.
    ///
    /// A server that has several shows the first that is of the host which the client names
    /// (SNI, RFC 6066 §3), or else the first. A client shows one to servers that ask for it.
    #[doc(alias = "setLocalCertificateChain")]
    #[doc(alias = "setPrivateKey")]
    #[must_use]
    pub fn add_identity(mut self, identity: TlsIdentity) -> Self {
        self.identities.push(identity);
        self.changed()
    }

    /// Trusts these certificates, and those that the authorities among them sign, and nobody else.
    ///
    /// An authority says in its certificate that it is one (RFC 5280 §4.2.1.9 and, if there is a key
    /// usage, §4.2.1.3). What else that certificate says counts as well: until when it is valid, how
    /// many authorities may follow it, for which names, and whether for servers or clients (§4.2.1.9,
    /// §4.2.1.10, §4.2.1.12). Any other certificate is trusted by itself: a server, or a client, that
    /// has exactly this one. Those of version 1 are not authorities.
    ///
    /// Of the authorities that the system trusts, only name, key and name constraints count: what is
    /// out of date there is for the system to remove. Revocation is not checked, neither with CRLs nor
    /// with OCSP.
    #[doc(alias = "setCaCertificates")]
    #[must_use]
    pub fn ca_certificates(
        mut self,
        certificates: impl IntoIterator<Item = TlsCertificate>,
    ) -> Self {
        self.trusted = certificates.into_iter().collect();
        self.trusts_system = false;
        self.changed()
    }

    /// Trusts these certificates, and those that the authorities among them sign, as well.
    #[doc(alias = "addCaCertificates")]
    #[doc(alias = "addCaCertificate")]
    #[must_use]
    pub fn add_ca_certificates(
        mut self,
        certificates: impl IntoIterator<Item = TlsCertificate>,
    ) -> Self {
        self.trusted.extend(certificates);
        self.changed()
    }

    /// Sets whether a server asks its clients for certificates; the default is
    /// [`PeerVerifyMode::None`].
    ///
    /// The certificates that are right are those that [`ca_certificates`](Self::ca_certificates)
    /// names, and those that authorities among them sign; whom the system trusts does not count.
    /// A client does not resume a session any more when one of these certificates has expired: it has
    /// to show its certificate again, and is refused with an alert.
    #[doc(alias = "setPeerVerifyMode")]
    #[must_use]
    pub fn peer_verify_mode(mut self, mode: PeerVerifyMode) -> Self {
        self.peer_verify_mode = mode;
        self.changed()
    }

    /// Sets the oldest version of TLS to speak; the default is TLS 1.2.
    #[doc(alias = "setProtocol")]
    #[must_use]
    pub fn minimum_protocol(mut self, protocol: TlsProtocol) -> Self {
        self.minimum_protocol = protocol;
        self.changed()
    }

    fn changed(mut self) -> Self {
        self.made = Arc::default();
        self
    }

    /// Makes what rustls needs for a server.
    pub(crate) fn server_side(&self) -> Result<ServerSide, Error> {
        if let Some(ready) = &self.server {
            return self.unchanged(ready).map(|config| ServerSide { config });
        }
        if self.identities.is_empty() {
            return Err(pem::unusable("the TLS configuration", "a server needs an identity"));
        }
        let trust = Trust::new(self.trusted.clone(), false)?;
        let check = client_check(self.peer_verify_mode, trust)?;
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(self.versions())
            .map_err(unusable)?;
        let mut config = builder
            .with_client_cert_verifier(check)
            .with_cert_resolver(Arc::new(Resolver::new(self.identities.clone())));
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        // Clients keep their sessions themselves, encrypted: the server keeps nothing.
        config.ticketer = Arc::new(Tickets(cryptography::Ticketer::new().map_err(unusable)?));
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(ServerSide { config: Arc::new(config) })
    }

    /// Makes what rustls needs for a connection of a client.
    ///
    /// One that may ignore errors neither resumes a session nor leaves one: other sockets would take
    /// over what it ignores.
    pub(crate) fn client_side(&self, may_ignore: bool) -> Result<ClientSide, Error> {
        let validity = Arc::<PeerValidity>::default();
        let (base, resumption) = match &self.client {
            Some(ready) if may_ignore => (self.unchanged(ready)?, Resumption::disabled()),
            Some(ready) => return Ok(ClientSide { config: self.unchanged(ready)?, validity }),
            None => {
                let Made { config, sessions } = self.made()?;
                if may_ignore {
                    return Ok(ClientSide { config, validity });
                }
                let sessions = ConnectionSessions { sessions, validity: Arc::clone(&validity) };
                (config, Resumption::store(Arc::new(sessions)))
            }
        };
        let mut config = ClientConfig::clone(&base);
        config.resumption = resumption;
        Ok(ClientSide { config: Arc::new(config), validity })
    }

    /// Makes what clients share, or returns what was made before.
    fn made(&self) -> Result<Made, Error> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = &*made {
            return Ok(made.clone());
        }
        let trust = Trust::new(self.trusted.clone(), self.trusts_system)?;
        let algorithms = provider().signature_verification_algorithms;
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(self.versions())
            .map_err(unusable)?;
        let mut config = builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(ServerCheck::new(trust, algorithms)))
            .with_client_cert_resolver(Arc::new(Resolver::new(self.identities.clone())));
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        config.resumption = Resumption::disabled();
        let new = Made { config: Arc::new(config), sessions: Arc::default() };
        *made = Some(new.clone());
        Ok(new)
    }

    /// Returns whether the certificates of the system have to be read first.
    pub(crate) fn takes_time(&self) -> bool {
        let is_made = || self.made.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        self.client.is_none() && self.trusts_system && !is_made()
    }

    /// Returns the configuration of clients that have none of their own.
    pub(crate) fn of_clients() -> Self {
        static OF_CLIENTS: OnceLock<TlsConfig> = OnceLock::new();
        OF_CLIENTS.get_or_init(Self::new).clone()
    }

    /// Returns what rustls made, unless more was set than that is: nobody is to take for checked
    /// what is not.
    fn unchanged<T>(&self, ready: &Arc<T>) -> Result<Arc<T>, Error> {
        let is_set = !self.identities.is_empty()
            || !self.trusted.is_empty()
            || !self.trusts_system
            || self.peer_verify_mode != PeerVerifyMode::None
            || self.minimum_protocol != TlsProtocol::V1_2;
        if is_set {
            let reason = "it is one of rustls, and is used as it is: nothing can be set besides";
            return Err(pem::unusable("the TLS configuration", reason));
        }
        Ok(Arc::clone(ready))
    }

    fn versions(&self) -> &'static [&'static SupportedProtocolVersion] {
        match self.minimum_protocol {
            TlsProtocol::V1_2 => rustls::ALL_VERSIONS,
            TlsProtocol::V1_3 => TLS_1_3_ALONE,
        }
    }
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig")
            .field("identities", &self.identities)
            .field("peer_verify_mode", &self.peer_verify_mode)
            .field("minimum_protocol", &self.minimum_protocol)
            .finish_non_exhaustive()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` wants it")]
fn unusable(error: rustls::Error) -> Error {
    pem::unusable("the TLS configuration", &error.to_string())
}

static TLS_1_3_ALONE: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
/// RFC 7301 §6: an opening handshake is a request of HTTP/1.1.
const HTTP_1_1: &[u8] = b"http/1.1";
