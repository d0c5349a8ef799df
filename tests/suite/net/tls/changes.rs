//! What changes between two connections of one configuration: no session outlives it.

use anyhow::{Context, Result, ensure};
use rcgen::CertificateParams;
use slotwork::signals::SignalSpy;
use slotwork::{PeerVerifyMode, SocketState, TlsConfig, TlsError, WebSocket, WebSocketServer};

use support::certificates::{Authority, Pem};
use support::{secure_echo_server, wait_until};

/// Connects, and waits for a message, behind which the tickets have come.
fn connect(
    server: &WebSocketServer,
    host: &str,
    config: &TlsConfig,
    ignored: &[TlsError],
) -> Result<WebSocket> {
    let socket = WebSocket::new();
    socket.set_tls_config(config.clone());
    socket.ignore_tls_errors(ignored.iter().cloned());
    socket.open(format!("wss://{host}:{}", server.server_port()))?;
    wait_until(|| socket.state() != SocketState::Connecting)?;
    if socket.state() == SocketState::Connected {
        let texts = SignalSpy::new(&socket.text_message_received());
        socket.send_text_message("what comes back comes behind the tickets");
        texts.wait_for(1)?;
    }
    Ok(socket)
}

/// Whether the connection was resumed; `None` for one that failed.
fn is_resumed(socket: &WebSocket) -> Option<bool> {
    socket.tls_session().map(|session| session.is_resumed())
}

/// RFC 8446 §4.6.1: a session is that of one host name, also where the server is the same.
#[test]
fn a_session_is_not_resumed_for_another_host() -> Result<()> {
    let authority = Authority::new()?;
    let own = authority.sign(&["localhost"], |_| ())?;
    for version in rustls::ALL_VERSIONS {
        let server = secure_echo_server(own.config_of(version)?)?;
        let config = authority.client_config();
        for (host, expected) in [
            ("localhost", Some(false)),
            ("localhost", Some(true)),
            ("127.0.0.1", None),
            ("LOCALHOST", Some(true)),
            // The port is not in the certificate.
            ("localhost", Some(true)),
        ] {
            let socket = connect(&server, host, &config, &[])?;
            assert_eq!(is_resumed(&socket), expected, "{host}: {:?}", socket.error());
        }
    }
    Ok(())
}

/// A configuration with other trust anchors, other versions or another identity has sessions of its
/// own, though it was made of the first one.
#[test]
fn a_changed_configuration_resumes_nothing() -> Result<()> {
    let (authority, other) = (Authority::new()?, Authority::new()?);
    let server = secure_echo_server(authority.server_config()?)?;
    let config = authority.client_config();
    let identity = other.sign(&["a client"], |_| ())?.identity()?;
    for (changed, expected) in [
        (config.clone(), Some(true)),
        (config.clone().ca_certificates([other.certificate()]), None),
        (config.clone().ca_certificates([]), None),
        (config.clone().add_ca_certificates([other.certificate()]), Some(false)),
        (config.clone().minimum_protocol(slotwork::TlsProtocol::V1_3), Some(false)),
        (config.clone().add_identity(identity), Some(false)),
    ] {
        connect(&server, "localhost", &config, &[])?;
        let socket = connect(&server, "localhost", &changed, &[])?;
        assert_eq!(is_resumed(&socket), expected, "{:?}", socket.error());
    }
    Ok(())
}

/// A client with another certificate, or none, is another client to a server that requires one.
#[test]
fn a_client_with_another_certificate_does_not_resume() -> Result<()> {
    let (authority, clients) = (Authority::new()?, Authority::new()?);
    let pems = [clients.sign(&["one"], |_| ())?, clients.sign(&["two"], |_| ())?];
    let config = authority.server_config()?.ca_certificates([clients.certificate()]);
    let server = secure_echo_server(config.peer_verify_mode(PeerVerifyMode::Optional))?;
    let base = authority.client_config();
    for pem in [Some(&pems[0]), Some(&pems[1]), None, Some(&pems[0])] {
        let config = match pem {
            Some(pem) => base.clone().add_identity(pem.identity()?),
            None => base.clone(),
        };

        for expected in [false, true] {
            let socket = connect(&server, "localhost", &config, &[])?;
            let other_end = server.clients().last().and_then(WebSocket::tls_session);
            let other_end = other_end.context("no TLS")?;

            let found = other_end.peer_certificate().cloned();
            assert_eq!(found, pem.map(Pem::certificate).transpose()?);
            // All of them begin with the same configuration, of which those without an identity
            // are.
            ensure!(is_resumed(&socket) == Some(expected), "{:?}", socket.error());
        }
    }
    Ok(())
}

/// The errors of one connection are ignored by a socket, not by a session: with and without them,
/// in any order.
#[test]
fn a_session_carries_no_ignored_error() -> Result<()> {
    let authority = Authority::new()?;
    let elsewhere = authority.sign(&["elsewhere.example"], |_| ())?;
    let late = |params: &mut CertificateParams| support::certificates::expired(params);
    let expired = authority.sign(&["localhost"], late)?;
    for (pem, error) in [
        (&elsewhere, TlsError::HostNameMismatch as fn(_) -> _),
        (&expired, TlsError::CertificateExpired),
    ] {
        let error = error(pem.certificate()?);
        for version in rustls::ALL_VERSIONS {
            let server = secure_echo_server(pem.config_of(version)?)?;
            let config = authority.client_config();
            for is_ignored in [true, false, true, false] {
                let ignored = if is_ignored { std::slice::from_ref(&error) } else { &[] };
                let socket = connect(&server, "localhost", &config, ignored)?;
                let expected = is_ignored.then_some(false);
                assert_eq!(is_resumed(&socket), expected, "{version:?}: {error:?}");
            }
        }
    }
    Ok(())
}
