//! Compressed messages: what is received and sent (RFC 7692 §6, §7.2).

mod receiving;
mod round_trip;
mod sending;

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::{Context, Result};
use slotwork::{Compression, WebSocket, WebSocketServer};

use support::compressed_peer::CompressedPeer;
use support::{listening_server, serve, wait_until};

const OFFER: &str = "permessage-deflate; client_max_window_bits";
const WITHOUT_HISTORY: Compression = Compression::new();

/// Starts a server that keeps its sockets.
fn collecting_server(
    compression: Compression,
) -> Result<(WebSocketServer, Rc<RefCell<Vec<WebSocket>>>)> {
    let server = listening_server()?;
    server.set_compression(compression);
    let sockets = Rc::new(RefCell::new(Vec::new()));
    let taken = Rc::clone(&sockets);
    server.new_connection().connect(move |server, ()| {
        taken.borrow_mut().extend(server.next_pending_connection());
    });
    Ok((server, sockets))
}

/// Opens a compressed peer of a server that keeps its sockets.
fn open_one(
    server: &WebSocketServer,
    sockets: &Rc<RefCell<Vec<WebSocket>>>,
) -> Result<(CompressedPeer, WebSocket)> {
    let (port, before) = (server.server_port(), sockets.borrow().len());
    let peer = serve(move || CompressedPeer::open(port, OFFER))?;
    wait_until(|| sockets.borrow().len() > before)?;
    let socket = sockets.borrow().last().cloned().context("no socket")?;
    Ok((peer, socket))
}
