//! The TLS configuration of servers and clients.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::client::Resumption;
use rustls::server::NoServerSessionStorage;
use rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion};

use crate::net::tls::identity::{CertificateResolver, TlsIdentity};
use crate::net::tls::resumption::{ClientSessions, ConnectionSessions, Tickets};
use crate::net::tls::tls_session::TlsProtocol;
use crate::net::tls::verify::client_verifier::{PeerVerifyMode, client_verifier};
use crate::net::tls::verify::server_verifier::ServerVerifier;
use crate::net::tls::verify::trust_anchors::TrustAnchors;
use crate::net::tls::verify::validity::PeerValidity;
use crate::net::tls::{cryptography, pem, provider};
use crate::runtime::sync::Mutex;
use crate::types::error::Error;
use crate::types::tls::TlsCertificate;

/// The TLS configuration of a server or client: identities, trust anchors, version.
///
/// By default TLS 1.2 and 1.3 are enabled, sessions are resumed, a client uses the system's trust
/// store and sends no certificate, and a server requests none. A server needs an identity
/// ([`add_identity`](Self::add_identity)). Clients that share a configuration, or have none, share
/// their sessions. A session is resumed only while all certificates are valid that were verified
/// when it began, on both sides (RFC 8446 §4.6.1).
///
/// Revocation is not checked: neither a CRL nor OCSP is consulted, and a stapled OCSP response is
/// ignored.
///
/// # Qt
///
/// `QSslConfiguration`. For features that are missing here, a configuration of rustls can be used:
/// [`from_server_config`](Self::from_server_config),
/// [`from_client_config`](Self::from_client_config).
///
/// # Examples
///
/// A server that accepts clients with a certificate of its own authority only:
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
    /// Made on first use by a client, and shared by all of them.
    shared: Arc<Mutex<Option<SharedClient>>>,
}

/// The part of a client's configuration that all its connections share.
#[derive(Clone)]
struct SharedClient {
    /// It has no resumption: that is added for each connection.
    config: Arc<ClientConfig>,
    sessions: Arc<ClientSessions>,
}

impl TlsConfig {
    /// Makes the default configuration.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{TlsConfig, TlsProtocol};
    ///
    /// let config = TlsConfig::new().minimum_protocol(TlsProtocol::V1_3);
    /// ```
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
            shared: Arc::default(),
        }
    }

    /// Uses a configuration of rustls, for servers.
    ///
    /// It is used unchanged, and no other property can be set. Identity, verification of clients and
    /// sessions are its own: [`tls_errors`](crate::WebSocketServer::tls_errors) is not emitted, and
    /// a client that resumes a session is not verified again.
    #[doc(alias = "setCiphers")]
    #[doc(alias = "setEllipticCurves")]
    #[doc(alias = "setSslOption")]
    #[must_use]
    pub fn from_server_config(config: impl Into<Arc<ServerConfig>>) -> Self {
        Self { server: Some(config.into()), ..Self::new() }
    }

    /// Uses a configuration of rustls, for clients.
    ///
    /// It is used unchanged, and no other property can be set. Verification of servers and sessions
    /// are its own: [`ignore_tls_errors`](crate::WebSocket::ignore_tls_errors) has no effect, and a
    /// server is not verified again when a session is resumed.
    #[doc(alias = "setCiphers")]
    #[doc(alias = "setEllipticCurves")]
    #[doc(alias = "setSslOption")]
    #[must_use]
    pub fn from_client_config(config: impl Into<Arc<ClientConfig>>) -> Self {
        Self { client: Some(config.into()), ..Self::new() }
    }

    /// Adds a certificate with its private key.
    ///
    /// A server with several sends the first that is valid for the host name of the client's SNI
    /// (RFC 6066 §3), or else the first. A client sends one to servers that request it.
    ///
    /// # Examples
    ///
    /// A server with two names:
    ///
    /// ```no_run
    /// use slotwork::{TlsConfig, TlsIdentity};
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// let config = TlsConfig::new()
    ///     .add_identity(TlsIdentity::from_pem_files("example.org.cert", "example.org.key")?)
    ///     .add_identity(TlsIdentity::from_pem_files("example.com.cert", "example.com.key")?);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "setLocalCertificateChain")]
    #[doc(alias = "setPrivateKey")]
    #[must_use]
    pub fn add_identity(mut self, identity: TlsIdentity) -> Self {
        self.identities.push(identity);
        self.changed()
    }

    /// Sets the trust anchors, instead of the system's trust store.
    ///
    /// The certificate of an authority has the basic constraint CA (RFC 5280 §4.2.1.9) and, if it has
    /// a key usage, `keyCertSign` (§4.2.1.3); its validity, path length, name constraints,
    /// extended key usage and critical extensions are checked too (§4.2.1.9, §4.2.1.10, §4.2.1.12,
    /// §4.2). It need not be self-signed. Any other certificate is trusted itself: a server, or a
    /// client, must have exactly this one. Certificates of version 1 are not authorities.
    ///
    /// Of the authorities in the system's trust store, only name, key and name constraints count:
    /// removing expired ones is up to the system. Revocation is not checked, neither with CRLs nor
    /// with OCSP. [`guides::security`](crate::guides::security) has all rules in a table.
    ///
    /// # Examples
    ///
    /// A client that trusts the authority of a company alone:
    ///
    /// ```no_run
    /// use slotwork::{TlsCertificate, TlsConfig, WebSocket};
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// let company = TlsCertificate::from_pem_file("company-ca.pem")?;
    /// let socket = WebSocket::new();
    /// socket.set_tls_config(TlsConfig::new().ca_certificates(company));
    /// socket.open("wss://intranet.example/")?;
    /// # Ok(())
    /// # }
    /// ```
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

    /// Adds trust anchors to the system's trust store, or to those that were set.
    ///
    /// An authority that the system trusts by the same name and key stays trusted without limits.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use slotwork::{TlsCertificate, TlsConfig};
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// let company = TlsCertificate::from_pem_file("company-ca.pem")?;
    /// let config = TlsConfig::new().add_ca_certificates(company);
    /// # Ok(())
    /// # }
    /// ```
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

    /// Sets whether a server requests certificates from its clients.
    ///
    /// The default is [`PeerVerifyMode::None`]. The trust anchors for clients are those of
    /// [`ca_certificates`](Self::ca_certificates); the system's trust store is not used. When a
    /// certificate of its chain has expired, a client cannot resume its session: it has to send its
    /// certificate again, and is rejected with an alert.
    ///
    /// # Examples
    ///
    /// A server for clients with certificates of one authority:
    ///
    /// ```no_run
    /// use slotwork::{PeerVerifyMode, TlsCertificate, TlsConfig, TlsIdentity};
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// let config = TlsConfig::new()
    ///     .add_identity(TlsIdentity::from_pem_files("server.cert", "server.key")?)
    ///     .ca_certificates(TlsCertificate::from_pem_file("clients-ca.pem")?)
    ///     .peer_verify_mode(PeerVerifyMode::Required);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "setPeerVerifyMode")]
    #[must_use]
    pub fn peer_verify_mode(mut self, mode: PeerVerifyMode) -> Self {
        self.peer_verify_mode = mode;
        self.changed()
    }

    /// Sets the minimum version of TLS; the default is TLS 1.2.
    #[doc(alias = "setProtocol")]
    #[must_use]
    pub fn minimum_protocol(mut self, protocol: TlsProtocol) -> Self {
        self.minimum_protocol = protocol;
        self.changed()
    }

    /// Discards what was made of the former properties.
    fn changed(mut self) -> Self {
        self.shared = Arc::default();
        self
    }

    /// Makes rustls' configuration of a server.
    pub(crate) fn server_side(&self) -> Result<ServerSide, Error> {
        if let Some(ready) = &self.server {
            return self.of_rustls(ready).map(|config| ServerSide { config });
        }
        if self.identities.is_empty() {
            return Err(pem::unusable("the TLS configuration", "a server needs an identity"));
        }
        let trust = TrustAnchors::new(self.trusted.clone(), false)?;
        let check = client_verifier(self.peer_verify_mode, trust)?;
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(self.versions())
            .map_err(unusable)?;
        let mut config = builder
            .with_client_cert_verifier(check)
            .with_cert_resolver(Arc::new(CertificateResolver::new(self.identities.clone())));
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        // Sessions are stored in encrypted tickets of the clients, not in the server.
        config.ticketer = Arc::new(Tickets(cryptography::Ticketer::new().map_err(unusable)?));
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(ServerSide { config: Arc::new(config) })
    }

    /// Makes rustls' configuration for one connection of a client.
    ///
    /// A client that may ignore errors neither resumes nor stores sessions: other sockets could
    /// resume one despite the errors.
    pub(crate) fn client_side(&self, may_ignore: bool) -> Result<ClientSide, Error> {
        let validity = Arc::<PeerValidity>::default();
        let (base, resumption) = match &self.client {
            Some(ready) if may_ignore => (self.of_rustls(ready)?, Resumption::disabled()),
            Some(ready) => return Ok(ClientSide { config: self.of_rustls(ready)?, validity }),
            None => {
                let SharedClient { config, sessions } = self.shared()?;
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

    /// Returns the part that clients share; makes it on first use.
    fn shared(&self) -> Result<SharedClient, Error> {
        let mut shared = self.shared.lock();
        if let Some(shared) = &*shared {
            return Ok(shared.clone());
        }
        let trust = TrustAnchors::new(self.trusted.clone(), self.trusts_system)?;
        let algorithms = provider().signature_verification_algorithms;
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(self.versions())
            .map_err(unusable)?;
        let mut config = builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(ServerVerifier::new(trust, algorithms)))
            .with_client_cert_resolver(Arc::new(CertificateResolver::new(self.identities.clone())));
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        config.resumption = Resumption::disabled();
        let new = SharedClient { config: Arc::new(config), sessions: Arc::default() };
        *shared = Some(new.clone());
        Ok(new)
    }

    /// Returns whether the system's trust store has to be read first, which blocks.
    pub(crate) fn takes_time(&self) -> bool {
        let is_made = || self.shared.lock().is_some();
        self.client.is_none() && self.trusts_system && !is_made()
    }

    /// Returns the shared configuration of clients for which none was set.
    pub(crate) fn of_clients() -> Self {
        static OF_CLIENTS: OnceLock<TlsConfig> = OnceLock::new();
        OF_CLIENTS.get_or_init(Self::new).clone()
    }

    /// Returns a configuration of rustls.
    ///
    /// # Errors
    ///
    /// When other properties are set, which would have no effect.
    fn of_rustls<T>(&self, ready: &Arc<T>) -> Result<Arc<T>, Error> {
        let is_set = !self.identities.is_empty()
            || !self.trusted.is_empty()
            || !self.trusts_system
            || self.peer_verify_mode != PeerVerifyMode::None
            || self.minimum_protocol != TlsProtocol::V1_2;
        if is_set {
            let reason = "it is one of rustls and is used as it is: no other property can be set";
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

/// rustls' configuration of a server.
#[derive(Clone)]
pub(crate) struct ServerSide {
    pub(crate) config: Arc<ServerConfig>,
}

/// rustls' configuration for one connection of a client.
pub(crate) struct ClientSide {
    pub(crate) config: Arc<ClientConfig>,
    /// Receives the validity of the server's certificates, which limits sessions.
    pub(crate) validity: Arc<PeerValidity>,
}

impl fmt::Debug for ServerSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerSide").finish_non_exhaustive()
    }
}

impl fmt::Debug for ClientSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSide").finish_non_exhaustive()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` wants it")]
fn unusable(error: rustls::Error) -> Error {
    pem::unusable("the TLS configuration", &error.to_string())
}

static TLS_1_3_ALONE: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
/// ALPN (RFC 7301 §6): an opening handshake is a request of HTTP/1.1.
const HTTP_1_1: &[u8] = b"http/1.1";

#[cfg(test)]
mod tests {
    use super::*;

    /// The system's trust store is read in a pool of threads, once, and only where it is used.
    #[test]
    fn only_the_trust_store_of_the_system_takes_time() -> Result<(), Error> {
        let config = TlsConfig::new();
        assert!(config.takes_time());
        assert!(!TlsConfig::new().ca_certificates([]).takes_time());

        let made = config.client_side(false)?.config;

        assert!(!config.takes_time());
        assert!(!TlsConfig::from_client_config(made).takes_time());
        Ok(())
    }
}
