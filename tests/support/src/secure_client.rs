//! Sockets of slotwork that are clients over TLS, and checks of their outcome.

use anyhow::{Result, bail, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{Error, SocketState, TlsConfig, TlsError, WebSocket, WebSocketServer};

use crate::certificates::Authority;
use crate::{secure_echo_server, wait_until};

/// Opens a connection, and waits until it is open or has failed.
pub fn open(socket: &WebSocket, server: &WebSocketServer, host: &str) -> Result<()> {
    socket.open(format!("wss://{host}:{}/", server.server_port()))?;
    wait_until(|| socket.state() != SocketState::Connecting)
}

/// Checks that a server whose authority is unknown to the system is refused, and that it is
/// trusted once the program names the authority.
pub fn check_that_the_named_are_trusted() -> Result<()> {
    let authority = Authority::new()?;
    let pem = authority.sign(&["127.0.0.1"], |_| ())?;
    let server = secure_echo_server(pem.config()?)?;

    let socket = WebSocket::new();
    open(&socket, &server, "127.0.0.1")?;
    assert_eq!(refusal(&socket)?, TlsError::UntrustedCertificate(pem.certificate()?));

    let socket = WebSocket::new();
    socket.set_tls_config(TlsConfig::new().add_ca_certificates([authority.certificate()]));
    open(&socket, &server, "127.0.0.1")?;
    check_open(&socket)
}

/// Checks that a socket is connected, and that messages are echoed.
pub fn check_open(socket: &WebSocket) -> Result<()> {
    ensure!(socket.state() == SocketState::Connected, "{:?}", socket.error());
    let texts = SignalSpy::new(&socket.text_message_received());
    socket.send_text_message("Hello");
    texts.wait_for(1)?;
    Ok(())
}

/// Returns the TLS error with which a socket failed.
pub fn refusal(socket: &WebSocket) -> Result<TlsError> {
    ensure!(socket.state() == SocketState::Unconnected);
    match socket.error() {
        Some(Error::TlsHandshake { source, .. }) => Ok(source),
        other => bail!("{other:?}"),
    }
}
