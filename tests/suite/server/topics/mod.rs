//! Topics: subscribing, publishing, presence, the kept message, relays, conflation.

mod conflation;
mod keep_last;
mod membership;
mod model;
mod names;
mod publishing;
mod relay;
mod slots;
mod threads;

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use slotwork::{WebSocket, WebSocketServer};

use support::raw_peer::RawPeer;
use support::{listening_server, serve, wait_until};

/// A client of a server: its socket there, and the peer.
struct Client {
    socket: WebSocket,
    peer: RawPeer,
}

/// Starts a server with that many clients.
fn server_with_clients<const N: usize>() -> Result<(WebSocketServer, [Client; N])> {
    let server = listening_server()?;
    let clients = clients_of(&server)?;
    Ok((server, clients))
}

/// Opens that many clients of a server whose connections no slot takes.
fn clients_of<const N: usize>(server: &WebSocketServer) -> Result<[Client; N]> {
    let sockets = Rc::new(RefCell::new(Vec::new()));
    let taken = Rc::clone(&sockets);
    let connection = server.new_connection().connect(move |server, ()| {
        taken.borrow_mut().extend(server.next_pending_connection());
    });
    let port = server.server_port();
    let peers = serve(move || (0..N).map(|_| RawPeer::open(port)).collect::<Result<Vec<_>>>())?;
    wait_until(|| sockets.borrow().len() == N)?;
    connection.disconnect();
    let mut clients = Vec::new();
    for peer in peers {
        let port = peer.try_clone_stream()?.local_addr()?.port();
        let socket = sockets.borrow().iter().find(|socket| socket.peer_port() == port).cloned();
        clients.push(Client { socket: socket.context("no socket")?, peer });
    }
    clients.try_into().ok().context("another number of clients")
}

impl Client {
    /// Reads these texts, while the server's loop runs.
    fn expect(self, texts: &[&str]) -> Result<Self> {
        let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
        let Self { socket, mut peer } = self;
        let peer = serve(move || {
            for text in texts {
                let frame = peer.read_frame()?;
                ensure!(frame.payload == text.as_bytes(), "{frame:?}, not {text:?}");
            }
            Ok(peer)
        })?;
        Ok(Self { socket, peer })
    }

    /// Closes the connection, and waits for its end.
    fn close(self) -> Result<()> {
        let Self { socket, mut peer } = self;
        serve(move || peer.close(1000, ""))?;
        wait_until(|| !socket.is_valid() && socket.close_code().is_some())?;
        wait_until(|| socket.state() == slotwork::SocketState::Unconnected)
    }
}
