//! A client and a server's socket, connected in memory.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::event_loop::EventLoop;
use crate::net::stream::memory::hosts;
use crate::server::WebSocketServer;
use crate::socket::WebSocket;
use crate::testing::host::Host;
use crate::testing::link::Link;
use crate::types::error::Error;
use crate::types::socket_state::SocketState;

/// Connects a new client to a server in memory; returns both sockets and the link.
///
/// The client comes first, then the server's socket. The loop runs until both are connected, with
/// the server's settings, verifier and slots as for any client. A socket that no slot has taken is
/// taken from the server's pending ones, and so are those in front of it. The server need not
/// listen, and must not be one of several threads. For a client with settings of its own there is
/// [`Host`].
///
/// # Errors
///
/// The client's error when the server refuses it, and [`Error::ConnectTimeout`] when the handshake
/// has not finished after 10 s.
///
/// # Examples
///
/// ```
/// use slotwork::signals::SignalSpy;
/// use slotwork::testing;
/// use slotwork::{SslMode, WebSocketServer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = WebSocketServer::new("Echo Server", SslMode::NonSecure);
/// let (client, socket, _link) = testing::pair(&server)?;
/// socket.text_message_received().connect(|socket, text| {
///     socket.send_text_message(text);
/// });
/// let received = SignalSpy::new(&client.text_message_received());
///
/// client.send_text_message("hello");
///
/// received.wait_for(1)?;
/// assert_eq!(received.values(), ["hello"]);
/// # Ok(())
/// # }
/// ```
pub fn pair(server: &WebSocketServer) -> Result<(WebSocket, WebSocket, Link), Error> {
    let host = Host::new(format!("pair-{}.test", hosts::next_number()), server);
    let client = WebSocket::new();
    client.open(format!("ws://{}/", host.name()))?;
    let is_settled = || {
        let has_socket = || server.has_pending_connections() || taken(server, &client).is_some();
        match client.state() {
            SocketState::Connecting => false,
            SocketState::Connected => has_socket(),
            SocketState::Closing | SocketState::Unconnected => true,
        }
    };
    let _ = EventLoop::current().wait_until(is_settled, TIMEOUT);
    let timeout = || client.error().unwrap_or(Error::ConnectTimeout(TIMEOUT));
    if client.state() != SocketState::Connected {
        return Err(timeout());
    }
    let socket = taken(server, &client).or_else(|| next_pending(server, &client));
    let link = host.links().into_iter().next();
    match (socket, link) {
        (Some(socket), Some(link)) => Ok((client, socket, link)),
        _ => Err(timeout()),
    }
}

/// Returns the server's socket of a client, if a slot has taken it.
fn taken(server: &WebSocketServer, client: &WebSocket) -> Option<WebSocket> {
    server.clients().into_iter().find(|socket| is_peer(socket, client))
}

fn next_pending(server: &WebSocketServer, client: &WebSocket) -> Option<WebSocket> {
    std::iter::from_fn(|| server.next_pending_connection()).find(|socket| is_peer(socket, client))
}

fn is_peer(socket: &WebSocket, client: &WebSocket) -> bool {
    socket.peer_address() == Some(IpAddr::V4(Ipv4Addr::LOCALHOST))
        && socket.peer_port() == client.local_port()
}

/// The default timeout of clients.
const TIMEOUT: Duration = Duration::from_secs(10);
