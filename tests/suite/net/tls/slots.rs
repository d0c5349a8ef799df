//! Slots that run while a client does its TLS handshake: what they see, and how they stop it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{
    CloseCode, Error, PeerVerifyMode, SocketState, TlsError, TlsProtocol, TlsSession, WebSocket,
    WebSocketServer,
};

use support::certificates::{Authority, Pem};
use support::recorder::Recorder;
use support::relay::bytewise;
use support::secure_client::{check_open, open};
use support::{panic_in_slot, recorded_client, secure_echo_server, wait_until};

type Act = fn(&WebSocket);
type ActOfServer = fn(&WebSocketServer);
type Connect = fn(&WebSocket, Act);

/// The signals with slots that decide about the handshake.
const SIGNALS: [Connect; 2] = [
    |socket, act| _ = socket.tls_errors().connect(move |socket, _| act(socket)),
    |socket, act| _ = socket.peer_verify_error().connect(move |socket, _| act(socket)),
];

/// How a slot ends the attempt, and the close code of the error that follows.
const ACTS: [(&str, Act, Option<CloseCode>); 3] = [
    ("abort", |socket| socket.abort(), None),
    ("close", |socket| _ = socket.close(1000, ""), None),
    ("panic", |_| panic_in_slot(), Some(CloseCode::BAD_OPERATION)),
];

/// Opens a socket that ignores all that is wrong with the server, and acts in a slot.
fn open_and_act(
    server: &WebSocketServer,
    pem: &Pem,
    (connect, act): (Connect, Act),
) -> Result<WebSocket> {
    let socket = WebSocket::new();
    socket.ignore_tls_errors([TlsError::SelfSignedCertificate(pem.certificate()?)]);
    connect(&socket, act);
    let request = slotwork::ClientRequest::new(format!("wss://127.0.0.1:{}", server.server_port()));
    socket.open_request(request.header("Cookie", "secret"))?;
    Ok(socket)
}

/// Qt: `QWebSocket::sslErrors()` and `abort()`: the server is sent nothing after that.
#[test]
fn a_slot_that_panics_or_ends_its_socket_stops_it_before_the_request() -> Result<()> {
    let pem = Pem::self_signed(&["127.0.0.1"])?;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        for (connect, (what, act, code)) in
            SIGNALS.iter().flat_map(|connect| ACTS.iter().map(move |act| (*connect, *act)))
        {
            let server = secure_echo_server(pem.config_of(version)?)?;
            let connections = SignalSpy::new(&server.new_connection());
            let errors = SignalSpy::new(&server.server_error());

            let socket = open_and_act(&server, &pem, (connect, act))?;
            let recorder = Recorder::default();
            recorder.watch(&socket);
            recorder.wait_for_disconnected(1).context(what)?;
            wait_until(|| errors.count() + connections.count() > 0)?;

            assert_eq!(socket.error().map(|error| error.close_code()), code, "{what}");
            assert_eq!(socket.state(), SocketState::Unconnected, "{what}");
            assert_eq!(
                socket.close_code(),
                Some(code.unwrap_or(CloseCode::ABNORMAL_DISCONNECTION))
            );
            assert_eq!(connections.count(), 0, "{what}: the request came");
            let alert = errors.values().pop().context("no error")?;
            let is_alert = matches!(alert, Error::TlsHandshake { source: TlsError::Alert(_), .. });
            ensure!(is_alert, "{what}: {alert:?}");
            check_open(&open_well(&server, &pem)?)?;
        }
    }
    Ok(())
}

/// Opens a socket that ignores what is wrong with the server.
fn open_well(server: &WebSocketServer, pem: &Pem) -> Result<WebSocket> {
    let socket = open_and_act(server, pem, (SIGNALS[0], |_| ()))?;
    wait_until(|| socket.state() != SocketState::Connecting)?;
    Ok(socket)
}

/// A socket can be opened again after a panic in a slot, and does not remember it.
#[test]
fn a_socket_connects_again_after_a_panic_in_a_slot() -> Result<()> {
    let pem = Pem::self_signed(&["127.0.0.1"])?;
    let server = secure_echo_server(pem.config()?)?;
    let socket = WebSocket::new();
    socket.ignore_tls_errors([TlsError::SelfSignedCertificate(pem.certificate()?)]);
    let slot = socket.tls_errors().connect(|_, _| panic_in_slot());
    open(&socket, &server, "127.0.0.1")?;
    assert_eq!(socket.state(), SocketState::Unconnected);
    slot.disconnect();

    let ends = SignalSpy::new(&socket.disconnected());
    wait_until(|| open(&socket, &server, "127.0.0.1").is_ok())?;

    check_open(&socket)?;
    assert_eq!(ends.count(), 0);
    Ok(())
}

/// Qt: `abort(); open(url)` in a slot of `sslErrors`; the server that was refused gets no request.
#[test]
fn a_slot_of_tls_errors_opens_another_server() -> Result<()> {
    let (authority, stranger) = (Authority::new()?, Pem::self_signed(&["127.0.0.1"])?);
    let refused = secure_echo_server(stranger.config()?)?;
    let trusted = secure_echo_server(authority.server_config()?)?;
    let connections = SignalSpy::new(&refused.new_connection());
    let (socket, recorder) = recorded_client();
    let url = format!("wss://localhost:{}", trusted.server_port());
    socket.set_tls_config(authority.client_config());
    socket.tls_errors().connect(move |socket, _errors| {
        socket.abort();
        assert!(socket.open(url.as_str()).is_ok());
    });

    socket.open(format!("wss://127.0.0.1:{}", refused.server_port()))?;

    let attempt = ["Connecting", "Unconnected", "disconnected Some(1006) "];
    recorder.wait_for(&[&attempt[..], &["Connecting", "Connected", "connected"]].concat())?;
    check_open(&socket)?;
    assert_eq!(connections.count(), 0);
    Ok(())
}

/// The same in each slot of `connected`, many times, with `close` and with `abort`.
#[test]
fn a_socket_is_opened_again_and_again_over_tls() -> Result<()> {
    let authority = Authority::new()?;
    let server = secure_echo_server(authority.server_config()?)?;
    let (socket, count) = (WebSocket::new(), Rc::new(Cell::new(0)));
    let url = format!("wss://localhost:{}", server.server_port());
    let ends = SignalSpy::new(&socket.disconnected());
    socket.set_tls_config(authority.client_config());
    let address = url.clone();
    socket.connected().connect_to(&count, move |count, socket, ()| {
        count.set(count.get() + 1);
        if count.get() % 2 == 0 {
            socket.abort();
        } else {
            socket.close_normally();
        }
        if count.get() < 200 {
            assert!(socket.open(address.as_str()).is_ok());
        }
    });

    socket.open(url)?;
    wait_until(|| ends.count() >= 200)?;

    assert_eq!((count.get(), ends.count()), (200, 200));
    ensure!(socket.error().is_none(), "{:?}", socket.error());
    Ok(())
}

/// Qt: its tests read `sslConfiguration().sessionCipher()` in a slot of `sslErrors`.
#[test]
fn slots_of_tls_errors_see_the_session() -> Result<()> {
    let pem = Pem::self_signed(&["127.0.0.1"])?;
    for (version, protocol) in
        [(&rustls::version::TLS12, TlsProtocol::V1_2), (&rustls::version::TLS13, TlsProtocol::V1_3)]
    {
        for is_slow in [false, true] {
            let server = secure_echo_server(pem.config_of(version)?)?;
            let port = server.server_port();
            let port = if is_slow { bytewise(port)? } else { port };
            let seen = Rc::new(RefCell::new(Vec::<Option<TlsSession>>::new()));
            let socket = WebSocket::new();
            let (first, second) = (Rc::clone(&seen), Rc::clone(&seen));
            socket.peer_verify_error().connect(move |socket, _| {
                first.borrow_mut().push(socket.tls_session());
            });
            socket.tls_errors().connect(move |socket, errors| {
                second.borrow_mut().push(socket.tls_session());
                socket.ignore_tls_errors(errors.to_vec());
            });

            socket.open(format!("wss://127.0.0.1:{port}"))?;
            wait_until(|| socket.state() != SocketState::Connecting)?;

            let agreed = socket.tls_session().context("no session")?;
            let seen =
                seen.take().into_iter().collect::<Option<Vec<_>>>().context("none in a slot")?;
            assert_eq!(seen.len(), 2);
            for session in seen {
                assert_eq!(session.cipher(), agreed.cipher());
                assert_eq!((session.protocol(), agreed.protocol()), (protocol, protocol));
                assert_eq!(session.peer_certificates(), [pem.certificate()?]);
                assert!(!session.is_resumed());
            }
        }
    }
    Ok(())
}

/// How a slot of a server acts on a client without a valid certificate.
const ACTS_OF_SERVER: [(&str, ActOfServer); 3] = [
    ("panic", |_| panic_in_slot()),
    ("close", |server| server.close()),
    // It is for later clients.
    ("configure", |server| {
        let config = Authority::new().and_then(|authority| authority.server_config());
        assert!(config.is_ok_and(|config| server.set_tls_config(config).is_ok()));
    }),
];

/// Qt: `QWebSocketServer::sslErrors()`: whatever a slot does, the client is refused.
#[test]
fn no_slot_of_a_server_lets_a_client_in() -> Result<()> {
    let (authority, stranger) = (Authority::new()?, Pem::self_signed(&["a client"])?);
    for (what, act) in ACTS_OF_SERVER {
        for is_first in [true, false] {
            let config = authority.server_config()?.ca_certificates([authority.certificate()]);
            let server = secure_echo_server(config.peer_verify_mode(PeerVerifyMode::Required))?;
            let connections = SignalSpy::new(&server.new_connection());
            let errors = SignalSpy::new(&server.tls_errors());
            if is_first {
                server.peer_verify_error().connect(move |server, _| act(server));
            } else {
                server.tls_errors().connect(move |server, _| act(server));
            }
            let socket = WebSocket::new();
            socket.set_tls_config(authority.client_config().add_identity(stranger.identity()?));

            open(&socket, &server, "127.0.0.1")?;

            ensure!(socket.error().is_some(), "{what}");
            assert_eq!((connections.count(), errors.count()), (0, 1), "{what}");
        }
    }
    Ok(())
}

/// What a slot saw is gone when the server was refused.
#[test]
fn there_is_no_session_once_the_server_was_refused() -> Result<()> {
    let server = secure_echo_server(Pem::self_signed(&["127.0.0.1"])?.config()?)?;
    let socket = WebSocket::new();

    open(&socket, &server, "127.0.0.1")?;

    assert!(socket.error().is_some() && socket.tls_session().is_none());
    Ok(())
}
