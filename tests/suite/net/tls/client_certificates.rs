//! Client certificates: their errors at both ends, and sessions that are resumed with them.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use rcgen::date_time_ymd;
use rustls::client::ResolvesClientCert;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{DistinguishedName, RootCertStore, SignatureScheme, SupportedProtocolVersion};
use slotwork::signals::SignalSpy;
use slotwork::{Error, PeerVerifyMode, TlsConfig, TlsError, WebSocket, WebSocketServer};

use support::certificates::{Authority, Pem};
use support::tls_peer::client_config;
use support::{DEADLINE, secure_echo_server, wait_until};

/// Makes a configuration for a server that requires certificates signed by `clients`.
fn demanding(authority: &Authority, clients: &Authority) -> Result<TlsConfig> {
    let config = authority.server_config()?.ca_certificates([clients.certificate()]);
    Ok(config.peer_verify_mode(PeerVerifyMode::Required))
}

/// Makes a configuration for a client with this certificate, if any, that speaks one version.
fn client(
    authority: &Authority,
    pem: Option<&Pem>,
    version: &'static SupportedProtocolVersion,
) -> Result<TlsConfig> {
    let mut config = client_config(&authority.certificate(), &[version])?;
    if let Some(pem) = pem {
        config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(pem.certified_key()?));
    }
    Ok(TlsConfig::from_client_config(config))
}

/// Sends a message to the server, and waits for its echo or for the end.
fn talk(server: &WebSocketServer, config: TlsConfig) -> Result<WebSocket> {
    let socket = WebSocket::new();
    socket.set_tls_config(config);
    let texts = SignalSpy::new(&socket.text_message_received());
    let ends = SignalSpy::new(&socket.disconnected());
    socket.connected().connect(|socket, ()| {
        socket.send_text_message("what comes back comes behind the tickets");
    });
    socket.open(format!("wss://localhost:{}", server.server_port()))?;
    wait_until(|| texts.count() + ends.count() > 0)?;
    Ok(socket)
}

fn source(error: Option<&Error>) -> Result<TlsError> {
    match error {
        Some(Error::TlsHandshake { source, .. }) => Ok(source.clone()),
        other => bail!("{other:?}"),
    }
}

/// RFC 8446 §2: with TLS 1.3 a client has finished before its certificate is checked. Both ends
/// report the error, with the certificate.
#[test]
fn both_ends_report_why_a_client_is_refused() -> Result<()> {
    let (authority, stranger) = (Authority::new()?, Authority::new()?);
    let unknown = stranger.sign(&["a client"], |_| ())?;
    let untrusted = TlsError::UntrustedCertificate(unknown.certificate()?);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        for (pem, reason, alert) in [
            (None, TlsError::NoPeerCertificate, "CertificateRequired"),
            (Some(&unknown), untrusted.clone(), "UnknownCA"),
        ] {
            let server = secure_echo_server(demanding(&authority, &authority)?)?;
            let errors = SignalSpy::new(&server.server_error());

            let socket = talk(&server, client(&authority, pem, version)?)?;
            errors.wait_for(1)?;

            let told = source(socket.error().as_ref()).with_context(|| format!("{version:?}"))?;
            assert_eq!(told, TlsError::Alert(alert.into()), "{version:?}");
            assert_eq!(source(errors.values().first())?, reason, "{version:?}");
        }
    }
    Ok(())
}

/// RFC 5077 and RFC 8446 §2.2: a session has the certificate that was checked when it began, and
/// is worth nothing once others are trusted.
#[test]
fn a_session_counts_as_long_as_its_certificate() -> Result<()> {
    let (authority, others) = (Authority::new()?, Authority::new()?);
    let pem = authority.sign(&["a client"], |_| ())?;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let server = secure_echo_server(demanding(&authority, &authority)?)?;
        let config = client(&authority, Some(&pem), version)?;

        for is_resumed in [false, true] {
            let socket = talk(&server, config.clone())?;
            let sessions = [Some(socket), server.clients().pop()];
            let [own, other] = sessions.map(|socket| socket.and_then(|it| it.tls_session()));
            let (own, other) = (own.context("no TLS")?, other.context("no TLS")?);
            assert_eq!((own.is_resumed(), other.is_resumed()), (is_resumed, is_resumed));
            assert_eq!(other.peer_certificate(), Some(&pem.certificate()?), "{version:?}");
        }

        server.set_tls_config(demanding(&authority, &others)?)?;
        let connections = SignalSpy::new(&server.new_connection());
        let socket = talk(&server, config)?;
        ensure!(socket.error().is_some() && connections.count() == 0, "{version:?}");
    }
    Ok(())
}

/// RFC 8446 §4.6.1: a session is worth no more than the certificate that was checked when it began.
#[test]
fn a_session_ends_when_the_certificate_of_its_client_expires() -> Result<()> {
    let authority = Authority::new()?;
    let end = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)? + LIFETIME;
    let pem = authority.sign(&["a client"], |params| {
        params.not_after = date_time_ymd(1970, 1, 1) + end;
    })?;
    let expired = TlsError::CertificateExpired(pem.certificate()?);
    let server = secure_echo_server(demanding(&authority, &authority)?)?;
    let (errors, problems) =
        (SignalSpy::new(&server.server_error()), SignalSpy::new(&server.peer_verify_error()));
    let begin = Instant::now();
    let mut clients = Vec::new();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = client(&authority, Some(&pem), version)?;
        talk(&server, config.clone())?;
        clients.push((config, version));
    }

    while let Some((config, version)) = clients.first() {
        let socket = talk(&server, config.clone())?;
        ensure!(begin.elapsed() < DEADLINE, "{version:?}: it goes on for ever");
        if let Some(session) = socket.tls_session() {
            ensure!(session.is_resumed(), "{version:?}");
            clients.rotate_left(1);
        } else {
            let told = source(socket.error().as_ref()).with_context(|| format!("{version:?}"))?;
            assert_eq!(told, TlsError::Alert("CertificateExpired".into()), "{version:?}");
            clients.remove(0);
        }
    }

    errors.wait_for(2)?;
    for error in errors.values() {
        assert_eq!(source(Some(&error))?, expired);
    }
    assert_eq!(problems.values(), [expired.clone(), expired]);
    Ok(())
}

/// Long enough for some handshakes.
const LIFETIME: Duration = Duration::from_secs(4);

/// A client that shows its certificate where the server names the authority.
#[derive(Debug)]
struct Selective {
    authority: DistinguishedName,
    key: Arc<CertifiedKey>,
}

impl ResolvesClientCert for Selective {
    fn resolve(&self, named: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        named.contains(&self.authority.as_ref()).then(|| Arc::clone(&self.key))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// RFC 8446 §4.2.4, RFC 5246 §7.4.4: a server names the authorities of which it takes certificates.
#[test]
fn a_client_can_choose_its_certificate_by_the_authority() -> Result<()> {
    let authority = Authority::new()?;
    let pem = authority.sign(&["a client"], |_| ())?;
    let mut known = RootCertStore::empty();
    known.add(authority.certificate().as_der().to_vec().into())?;
    let subject = known.subjects().pop().context("no subject")?;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let server = secure_echo_server(demanding(&authority, &authority)?)?;
        let mut config = client_config(&authority.certificate(), &[version])?;
        config.client_auth_cert_resolver =
            Arc::new(Selective { authority: subject.clone(), key: Arc::new(pem.certified_key()?) });

        let socket = talk(&server, TlsConfig::from_client_config(config))?;

        ensure!(socket.error().is_none(), "{version:?}: {:?}", socket.error());
    }
    Ok(())
}
