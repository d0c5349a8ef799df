//! TLS clients, and servers with certificates that are not valid for them.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rcgen::CertificateParams;
use slotwork::signals::SignalSpy;
use slotwork::{Error, NetworkProxy, SocketState, TlsCertificate, TlsConfig, TlsError, WebSocket};

use support::certificates::{
    Authority, Pem, as_authority, config_showing, expired, for_clients, not_yet_valid,
};
use support::raw_server::RawServer;
use support::recorder::Recorder;
use support::relay::proxy;
use support::secure_client::{check_open, check_that_the_named_are_trusted, open, refusal};
use support::{echo_server, secure_echo_server, serve, wait_until};

type Change = fn(&mut CertificateParams);
type Expected = fn(TlsCertificate) -> TlsError;

/// Servers with one thing wrong in their certificate: the signature, the dates, the name, the use.
fn wrong_servers(authority: &Authority) -> Result<Vec<(&'static str, Pem, Vec<Expected>)>> {
    let (ours, stranger) = (["127.0.0.1"], Authority::new()?);
    let sign = |hosts: &[&str], change: Change| authority.sign(hosts, change);
    let itself = |change: Change| Pem::self_signed_with(&ours, change);
    Ok(vec![
        ("expired", sign(&ours, expired)?, vec![TlsError::CertificateExpired]),
        ("early", sign(&ours, not_yet_valid)?, vec![TlsError::CertificateNotYetValid]),
        ("host", sign(&["localhost"], |_| ())?, vec![TlsError::HostNameMismatch]),
        ("self-signed", itself(|_| ())?, vec![TlsError::SelfSignedCertificate]),
        ("openssl req -x509", itself(as_authority)?, vec![TlsError::SelfSignedCertificate]),
        ("untrusted", stranger.sign(&ours, |_| ())?, vec![TlsError::UntrustedCertificate]),
        ("client-only", sign(&ours, for_clients)?, vec![TlsError::InvalidPurpose]),
        ("authority", sign(&ours, as_authority)?, vec![TlsError::InvalidPurpose]),
        (
            "all together",
            Pem::self_signed_with(&["localhost"], expired)?,
            vec![
                TlsError::CertificateExpired,
                TlsError::SelfSignedCertificate,
                TlsError::HostNameMismatch,
            ],
        ),
    ])
}

/// Qt: SRV-36; CLIENT-07: each a distinct error, with the certificate.
#[test]
fn a_wrong_certificate_is_refused_with_its_reason() -> Result<()> {
    let authority = Authority::new()?;
    for (what, pem, reasons) in wrong_servers(&authority)? {
        let server = secure_echo_server(pem.config()?)?;
        let (socket, recorder) = (WebSocket::new(), Recorder::default());
        let noted = recorder.clone();
        socket.peer_verify_error().connect(move |_socket, error| noted.add(error.to_string()));
        let noted = recorder.clone();
        socket.tls_errors().connect(move |_socket, errors| noted.add(errors.len().to_string()));
        recorder.watch(&socket);
        socket.set_tls_config(authority.client_config());

        open(&socket, &server, "127.0.0.1")?;
        recorder.wait_for_disconnected(1)?;

        let expected: Vec<_> = reasons.iter().map(|it| it(pem.certificate().unwrap())).collect();
        assert_eq!(refusal(&socket)?, expected[0], "{what}");
        let mut lines = vec!["Connecting".to_owned()];
        lines.extend(expected.iter().map(ToString::to_string));
        lines.push(expected.len().to_string());
        lines.push(format!("error: {}", socket.error().context("none")?));
        lines.extend(["Unconnected".to_owned(), "disconnected Some(1006) ".to_owned()]);
        recorder.check(&lines.iter().map(String::as_str).collect::<Vec<_>>()).context(what)?;
    }
    Ok(())
}

/// Qt: `ignoreSslErrors(const QList<QSslError> &)`.
#[test]
fn exactly_the_named_errors_are_ignored() -> Result<()> {
    let authority = Authority::new()?;
    let other = Pem::self_signed(&["127.0.0.1"])?.certificate()?;
    for (what, pem, reasons) in wrong_servers(&authority)? {
        let server = secure_echo_server(pem.config()?)?;
        let errors: Vec<_> = reasons.iter().map(|it| it(pem.certificate().unwrap())).collect();
        let may_be_ignored = errors.iter().all(TlsError::is_ignorable);
        let of_another = reasons.iter().map(|reason| reason(other.clone()));
        let all_but_one = errors.iter().skip(1).cloned();
        for (ignored, is_well) in [
            (errors.clone(), may_be_ignored),
            (of_another.collect(), false),
            (all_but_one.collect(), false),
        ] {
            let socket = WebSocket::new();
            socket.set_tls_config(authority.client_config());
            socket.ignore_tls_errors(ignored);
            open(&socket, &server, "127.0.0.1")?;
            if is_well { check_open(&socket).context(what)? } else { refusal(&socket).map(drop)? }
        }
    }
    Ok(())
}

/// Qt: SRV-18, `ignoreSslErrors()` inside a slot of `sslErrors`.
#[test]
fn a_slot_can_ignore_what_is_reported() -> Result<()> {
    let pem = Pem::self_signed(&["somewhere.example"])?;
    let server = secure_echo_server(pem.config()?)?;
    let socket = WebSocket::new();
    socket.tls_errors().connect(|socket, errors| socket.ignore_tls_errors(errors.to_vec()));

    open(&socket, &server, "127.0.0.1")?;

    check_open(&socket)?;
    let session = socket.tls_session().context("no TLS")?;
    assert_eq!(session.peer_certificate(), Some(&pem.certificate()?));
    Ok(())
}

/// What one socket ignores, another with the same configuration does not, not even by resuming.
#[test]
fn what_is_ignored_counts_for_one_socket() -> Result<()> {
    let (authority, pem) = (Authority::new()?, Pem::self_signed(&["127.0.0.1"])?);
    let server = secure_echo_server(pem.config()?)?;
    let config = authority.client_config();

    for is_lenient in [true, true, false, true, false] {
        let socket = WebSocket::new();
        socket.set_tls_config(config.clone());
        if is_lenient {
            socket.ignore_tls_errors([TlsError::SelfSignedCertificate(pem.certificate()?)]);
        }
        open(&socket, &server, "127.0.0.1")?;
        if is_lenient { check_open(&socket)? } else { refusal(&socket).map(drop)? }
    }
    Ok(())
}

/// A panic in a slot, and one that closes the socket, forgive nothing.
#[test]
fn slots_of_tls_errors_may_do_anything_else() -> Result<()> {
    let server = secure_echo_server(Pem::self_signed(&["127.0.0.1"])?.config()?)?;
    let acts: [fn(&WebSocket); 3] = [
        |socket| socket.abort(),
        |socket| {
            socket.close(1000, "");
        },
        |_| support::panic_in_slot(),
    ];
    for act in acts {
        let socket = WebSocket::new();
        let ends = SignalSpy::new(&socket.disconnected());
        socket.tls_errors().connect(move |socket, _| act(socket));
        open(&socket, &server, "127.0.0.1")?;
        ends.wait_for(1)?;
        assert_eq!(socket.state(), SocketState::Unconnected);
    }
    Ok(())
}

/// CLIENT-07: a weak key is refused, before the signature that it makes is looked at.
#[test]
fn a_weak_key_is_refused() -> Result<()> {
    let authority = Authority::new()?;
    let config = config_showing(authority.weak_key()?, rustls::ALL_VERSIONS)?;
    let server = secure_echo_server(config)?;
    let socket = WebSocket::new();
    socket.set_tls_config(authority.client_config());

    open(&socket, &server, "127.0.0.1")?;

    let error = refusal(&socket)?;
    ensure!(matches!(error, TlsError::WeakKey(_)), "{error:?}");
    assert!(!error.is_ignorable());
    Ok(())
}

/// Qt: the client of `sslechoclient` trusts the very certificate of its server.
#[test]
fn a_certificate_can_be_trusted_by_itself() -> Result<()> {
    let changes: [Change; 2] = [|_| (), as_authority];
    for change in changes {
        let pem = Pem::self_signed_with(&["127.0.0.1", "localhost", "::1"], change)?;
        let server = secure_echo_server(pem.config()?)?;
        for host in ["127.0.0.1", "localhost"] {
            let socket = WebSocket::new();
            socket.set_tls_config(TlsConfig::new().ca_certificates([pem.certificate()?]));
            open(&socket, &server, host)?;
            check_open(&socket)?;
        }
        let late = Pem::self_signed_with(&["127.0.0.1"], |params| {
            change(params);
            expired(params);
        })?;
        let (server, socket) = (secure_echo_server(late.config()?)?, WebSocket::new());
        socket.set_tls_config(TlsConfig::new().add_ca_certificates([late.certificate()?]));
        open(&socket, &server, "127.0.0.1")?;
        assert_eq!(refusal(&socket)?, TlsError::CertificateExpired(late.certificate()?));
    }
    Ok(())
}

/// The system's trust store has no authority that signs certificates of this test.
#[test]
fn without_a_configuration_the_system_decides() -> Result<()> {
    check_that_the_named_are_trusted()
}

/// A server at the wrong port.
#[test]
fn a_server_without_tls_is_refused() -> Result<()> {
    let plain = echo_server()?;
    let (socket, recorder) = (WebSocket::new(), Recorder::default());
    recorder.watch(&socket);

    open(&socket, &plain, "127.0.0.1")?;
    recorder.wait_for_disconnected(1)?;

    assert_eq!(refusal(&socket)?, TlsError::NotTls);
    Ok(())
}

/// One deadline for look-up, TCP, TLS and the opening handshake.
#[test]
fn a_server_that_stops_in_the_middle_of_tls_is_given_up() -> Result<()> {
    for says in [&b""[..], &[22, 3, 3, 0, 100, 2, 0]] {
        let server = RawServer::listen()?;
        let socket = WebSocket::new();
        let ends = SignalSpy::new(&socket.disconnected());
        socket.set_connect_timeout(Some(Duration::from_millis(200)));
        socket.open(server.url().replace("ws:", "wss:"))?;
        serve(move || {
            let mut peer = server.accept()?;
            peer.send(says)?;
            peer.read_to_end().map(drop)
        })?;
        ends.wait_for(1)?;
        ensure!(matches!(socket.error(), Some(Error::ConnectTimeout(_))), "{:?}", socket.error());
    }
    Ok(())
}

/// A server that ends in the middle of the handshake, with or without an alert.
#[test]
fn a_server_that_ends_tls_is_an_error() -> Result<()> {
    for (says, reason) in [
        (&b""[..], None),
        (&[22, 3, 3, 0, 100, 2, 0], None),
        // RFC 8446 §6: fatal, handshake_failure; fatal, protocol_version.
        (&[21, 3, 3, 0, 2, 2, 40], Some(TlsError::Alert("HandshakeFailure".into()))),
        (&[21, 3, 3, 0, 2, 2, 70], Some(TlsError::UnsupportedProtocol)),
    ] {
        let server = RawServer::listen()?;
        let socket = WebSocket::new();
        let ends = SignalSpy::new(&socket.disconnected());
        socket.open(server.url().replace("ws:", "wss:"))?;
        serve(move || {
            let mut peer = server.accept()?;
            peer.send(says)?;
            peer.finish()?;
            peer.read_to_end().map(drop)
        })?;
        ends.wait_for(1)?;
        match reason {
            Some(reason) => assert_eq!(refusal(&socket)?, reason),
            None => ensure!(socket.error().is_some() && refusal(&socket).is_err()),
        }
    }
    Ok(())
}

/// RFC 9110 §9.3.6 and RFC 1928: TLS is between client and server, through the proxy.
#[test]
fn a_proxy_sees_nothing_but_tls() -> Result<()> {
    let authority = Authority::new()?;
    let server = secure_echo_server(authority.server_config()?)?;
    let port = server.server_port();
    let http: &[(usize, &[u8])] = &[(0, b"HTTP/1.1 200 OK\r\n\r\n")];
    let socks: &[(usize, &[u8])] =
        &[(4, &[5, 0]), (4 + 1 + 9 + 2, &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])];

    for proxy in [
        NetworkProxy::http("127.0.0.1", proxy(http, port)?),
        NetworkProxy::socks5("127.0.0.1", proxy(socks, port)?),
    ] {
        let socket = WebSocket::new();
        socket.set_proxy(Some(proxy));
        socket.set_tls_config(authority.client_config());
        open(&socket, &server, "localhost")?;
        check_open(&socket)?;
        assert_eq!(socket.peer_name(), "localhost");
    }
    Ok(())
}

/// A client can be opened again, each time with its latest configuration.
#[test]
fn a_socket_can_be_opened_again() -> Result<()> {
    let (first, second) = (Authority::new()?, Authority::new()?);
    let servers =
        [secure_echo_server(first.server_config()?)?, secure_echo_server(second.server_config()?)?];
    let plain = echo_server()?;
    let socket = WebSocket::new();
    let ends = SignalSpy::new(&socket.disconnected());
    let urls = Rc::new(RefCell::new(Vec::new()));
    for (server, authority) in servers.iter().zip([&first, &second]) {
        socket.set_tls_config(authority.client_config());
        open(&socket, server, "localhost")?;
        check_open(&socket)?;
        urls.borrow_mut().push(socket.request_url());
        let before = ends.count();
        socket.close(1000, "");
        ends.wait_for(before + 1)?;
        assert!(socket.tls_session().is_none());
    }
    socket.open(plain.server_url())?;
    wait_until(|| socket.state() == SocketState::Connected)?;
    check_open(&socket)?;
    ensure!(socket.request_url().starts_with("ws://"), "{}", socket.request_url());
    ensure!(urls.borrow().iter().all(|url| url.starts_with("wss://")), "{urls:?}");
    Ok(())
}
