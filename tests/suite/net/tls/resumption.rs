//! TLS sessions: which connections may resume one, and until when.

use std::cell::RefCell;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{Error, SocketState, TlsConfig, TlsError, WebSocket};

use support::certificates::{Authority, Pem, expiring};
use support::secure_client::refusal;
use support::{DEADLINE, secure_echo_server, wait_until};

/// Begins to open a connection to this machine.
fn begin(port: u16, config: TlsConfig) -> Result<WebSocket> {
    let socket = WebSocket::new();
    socket.set_tls_config(config);
    socket.open(format!("wss://127.0.0.1:{port}"))?;
    Ok(socket)
}

/// Waits for a message, behind which the tickets have come, or for the failure.
fn finish(socket: &WebSocket) -> Result<()> {
    wait_until(|| socket.state() != SocketState::Connecting)?;
    if socket.state() == SocketState::Connected {
        let texts = SignalSpy::new(&socket.text_message_received());
        socket.send_text_message("what comes back comes behind the tickets");
        texts.wait_for(1)?;
    }
    Ok(())
}

/// Waits for a client until its greeting is there.
fn accept_greeting(listener: &TcpListener) -> Result<TcpStream> {
    listener.set_nonblocking(true)?;
    let accepted = RefCell::new(None);
    wait_until(|| {
        let mut accepted = accepted.borrow_mut();
        if accepted.is_none() {
            *accepted = listener.accept().ok();
        }
        let has_greeted = |stream: &TcpStream| {
            stream.set_nonblocking(true).is_ok() && stream.peek(&mut [0]).is_ok_and(|it| it > 0)
        };
        accepted.as_ref().is_some_and(|(stream, _)| has_greeted(stream))
    })?;
    Ok(accepted.into_inner().context("nobody came")?.0)
}

/// An unchecked session is not resumed: errors that are ignored once TLS has begun, when other
/// sockets may share the session, are ignored from the next connection on.
#[test]
fn what_is_ignored_too_late_is_not_ignored() -> Result<()> {
    let (authority, pem) = (Authority::new()?, Pem::self_signed(&["127.0.0.1"])?);
    let server = secure_echo_server(pem.config()?)?;
    let (config, wrong) =
        (authority.client_config(), TlsError::SelfSignedCertificate(pem.certificate()?));
    let listener = TcpListener::bind("127.0.0.1:0")?;

    let lenient = begin(listener.local_addr()?.port(), config.clone())?;
    let greeted = accept_greeting(&listener)?;
    lenient.ignore_tls_errors([wrong.clone()]);
    server.handle_connection(greeted, &[])?;
    finish(&lenient)?;
    let strict = begin(server.server_port(), config)?;
    finish(&strict)?;

    for socket in [&lenient, &strict] {
        let error = socket.error().context("it was accepted")?;
        ensure!(matches!(error, Error::TlsHandshake { ref source, .. } if *source == wrong));
    }
    lenient.open(format!("wss://127.0.0.1:{}", server.server_port()))?;
    finish(&lenient)?;
    assert_eq!(lenient.state(), SocketState::Connected);
    Ok(())
}

/// A slot of `peerVerifyError` can ignore the errors that it gets, for its own socket alone.
#[test]
fn what_a_slot_ignores_is_not_resumed_by_others() -> Result<()> {
    let (authority, pem) = (Authority::new()?, Pem::self_signed(&["127.0.0.1"])?);
    let server = secure_echo_server(pem.config()?)?;
    let config = authority.client_config();

    let lenient = begin(server.server_port(), config.clone())?;
    lenient.peer_verify_error().connect(|socket, error| socket.ignore_tls_errors([error.clone()]));
    finish(&lenient)?;
    let strict = begin(server.server_port(), config)?;
    finish(&strict)?;

    assert_eq!(lenient.state(), SocketState::Connected);
    ensure!(matches!(strict.error(), Some(Error::TlsHandshake { .. })), "{:?}", strict.state());
    Ok(())
}

/// RFC 8446 §4.6.1: a session is worth no more than the certificates that were checked when it
/// began, whichever of them expires first: the server's own, an authority's, or the trusted one.
#[test]
fn a_session_ends_when_a_certificate_of_its_server_expires() -> Result<()> {
    let mut clients = Vec::new();
    for expiring_link in 0..3 {
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let lifetime = |link| if link == expiring_link { LIFETIME } else { DEADLINE * 10 };
            let root = Authority::special(|params| expiring(params, lifetime(0)))?;
            let between = root.authority(|params| expiring(params, lifetime(1)))?;
            let own = between.sign(&["127.0.0.1"], |params| expiring(params, lifetime(2)))?;
            let links = [root.certificate(), between.certificate(), own.certificate()?];
            let error = TlsError::CertificateExpired(links[expiring_link].clone());
            let server = secure_echo_server(own.with(&between).config_of(version)?)?;
            let config = root.client_config();
            let first = begin(server.server_port(), config.clone())?;
            finish(&first)?;
            assert_eq!(first.state(), SocketState::Connected, "{:?}", first.error());
            clients.push((server, config, error));
        }
    }

    let begin_of_wait = Instant::now();
    while let Some((server, config, error)) = clients.first() {
        ensure!(begin_of_wait.elapsed() < DEADLINE, "it goes on for ever: {error:?}");
        let socket = begin(server.server_port(), config.clone())?;
        finish(&socket)?;
        if let Some(session) = socket.tls_session() {
            ensure!(session.is_resumed());
            clients.rotate_left(1);
        } else {
            assert_eq!(refusal(&socket)?, *error);
            clients.remove(0);
        }
    }
    Ok(())
}

/// Long enough for some handshakes.
const LIFETIME: Duration = Duration::from_secs(6);
