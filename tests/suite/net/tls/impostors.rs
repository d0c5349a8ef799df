//! Servers with a certificate that is not theirs, or almost the right one.

use anyhow::{Context, Result, bail, ensure};
use rcgen::CertificateParams;
use rustls::SupportedProtocolVersion;
use rustls::sign::CertifiedKey;
use slotwork::{
    Error, SocketState, TlsCertificate, TlsConfig, TlsError, WebSocket, WebSocketServer,
};

use support::certificates::{Authority, Pem, as_authority, config_showing, expired};
use support::{secure_echo_server, wait_until};

/// Opens a connection to this machine, and ignores these errors; returns why it failed, if it did.
fn open(
    server: &WebSocketServer,
    config: TlsConfig,
    ignored: Vec<TlsError>,
) -> Result<Option<TlsError>> {
    let socket = WebSocket::new();
    socket.set_tls_config(config);
    socket.ignore_tls_errors(ignored);
    socket.open(format!("wss://127.0.0.1:{}", server.server_port()))?;
    wait_until(|| socket.state() != SocketState::Connecting)?;
    match socket.error() {
        None => Ok(None),
        Some(Error::TlsHandshake { source, .. }) => Ok(Some(source)),
        Some(other) => bail!("{other:?}"),
    }
}

/// Makes a configuration for a server that shows any certificate, and has any key.
fn showing(
    certificate: &TlsCertificate,
    key: &Pem,
    version: &'static SupportedProtocolVersion,
) -> Result<TlsConfig> {
    let chain = vec![certificate.as_der().to_vec().into()];
    config_showing(CertifiedKey::new(chain, key.certified_key()?.key), &[version])
}

/// Every error of a certificate that can be ignored.
fn all_ignorable(pem: &Pem) -> Result<Vec<TlsError>> {
    let certificate = || pem.certificate();
    Ok(vec![
        TlsError::SelfSignedCertificate(certificate()?),
        TlsError::CertificateExpired(certificate()?),
        TlsError::CertificateNotYetValid(certificate()?),
        TlsError::HostNameMismatch(certificate()?),
    ])
}

/// RFC 8446 §4.4.3 and RFC 5246 §7.4.3: a peer must have the key of its certificate, also where the
/// certificate is a trust anchor itself, or all errors in it are ignored.
#[test]
fn a_certificate_is_worth_nothing_without_its_key() -> Result<()> {
    let (known, impostor) = (Pem::self_signed(&["127.0.0.1"])?, Pem::self_signed(&["127.0.0.1"])?);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let server = secure_echo_server(showing(&known.certificate()?, &impostor, version)?)?;

        let trusting = TlsConfig::new().ca_certificates([known.certificate()?]);
        let by_itself = open(&server, trusting, Vec::new())?;
        let ignored = open(&server, TlsConfig::new(), all_ignorable(&known)?)?;

        for error in [by_itself, ignored] {
            ensure!(matches!(error, Some(TlsError::Other(_))), "{version:?}: {error:?}");
        }
    }
    Ok(())
}

/// A certificate is known by all of it: the same names with another key are another certificate.
#[test]
fn the_same_names_do_not_make_the_same_certificate() -> Result<()> {
    let changes: [fn(&mut CertificateParams); 3] = [|_| (), as_authority, expired];
    for change in changes {
        let known = Pem::self_signed_with(&["127.0.0.1"], change)?;
        let server = secure_echo_server(Pem::self_signed_with(&["127.0.0.1"], change)?.config()?)?;

        let trusting = TlsConfig::new().ca_certificates([known.certificate()?]);
        let by_itself = open(&server, trusting, Vec::new())?;
        let ignored = open(&server, TlsConfig::new(), all_ignorable(&known)?)?;

        ensure!(by_itself.is_some() && ignored.is_some(), "{by_itself:?}, {ignored:?}");
    }
    Ok(())
}

/// Errors in a certificate can be ignored; a signature by another authority cannot.
#[test]
fn no_other_key_signs_what_is_ignored() -> Result<()> {
    let (authority, stranger) = (Authority::new()?, Authority::new()?);
    let pem = stranger.sign(&["elsewhere.example"], expired)?;
    let server = secure_echo_server(pem.config()?)?;

    let error = open(&server, authority.client_config(), all_ignorable(&pem)?)?;

    assert_eq!(error, Some(TlsError::UntrustedCertificate(pem.certificate()?)));
    Ok(())
}

/// A certificate that cannot be read is reported like other errors, with the certificate.
#[test]
fn a_certificate_that_cannot_be_read_is_reported() -> Result<()> {
    let (broken, pem) = (TlsCertificate::from_der([0x30, 0]), Pem::self_signed(&["127.0.0.1"])?);
    let server = secure_echo_server(showing(&broken, &pem, &rustls::version::TLS13)?)?;

    let error = open(&server, TlsConfig::new(), Vec::new())?;

    let error = error.context("it was accepted")?;
    ensure!(matches!(error, TlsError::InvalidCertificate { .. }), "{error:?}");
    assert_eq!(error.certificate(), Some(&broken));
    Ok(())
}
