//! Clients of ours that speak TLS, and what has become of them.

use anyhow::{Result, bail, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{Error, SocketState, TlsError, WebSocket, WebSocketServer};

use super::wait_until;

/// Opens a connection, and waits until it is there or has failed.
pub(crate) fn open(socket: &WebSocket, server: &WebSocketServer, host: &str) -> Result<()> {
    socket.open(format!("wss://{host}:{}/", server.server_port()))?;
    wait_until(|| socket.state() != SocketState::Connecting)
}

/// Checks that a socket is connected, and serves.
pub(crate) fn check_open(socket: &WebSocket) -> Result<()> {
    ensure!(socket.state() == SocketState::Connected, "{:?}", socket.error());
    let texts = SignalSpy::new(&socket.text_message_received());
    socket.send_text_message("Hello");
    texts.wait_for(1)?;
    Ok(())
}

/// Returns why TLS was refused.
pub(crate) fn refusal(socket: &WebSocket) -> Result<TlsError> {
    ensure!(socket.state() == SocketState::Unconnected);
    match socket.error() {
        Some(Error::TlsHandshake { source, .. }) => Ok(source),
        other => bail!("{other:?}"),
    }
}
