//! Compression: the negotiation of permessage-deflate with raw clients (RFC 7692 §5.1, §7.1).

mod budget;
mod offers;
mod threads;

use anyhow::{Result, ensure};
use slotwork::WebSocketServer;

use support::raw_peer::{RawPeer, request_with};
use support::serve;

/// The offer of Chromium, Python's websockets and ws.
const CHROMIUM: &str = "permessage-deflate; client_max_window_bits";
/// The answer to it with a history of 4 KiB.
const WITH_4_KIB: &str = "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12";
/// The answer to it without a history.
const WITHOUT: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// Connects with a header for each of `offers`; returns the extensions of the answer, too.
fn connect(port: u16, offers: &[&str]) -> Result<(RawPeer, Option<String>)> {
    let lines = offers.iter().map(|line| format!("Sec-WebSocket-Extensions: {line}\r\n"));
    let mut peer = RawPeer::connect(port)?;
    peer.send(request_with(&lines.collect::<String>()))?;
    let agreed = read_answer(&mut peer)?;
    Ok((peer, agreed))
}

/// Reads an answer with 101; returns its extensions, which are in one header.
fn read_answer(peer: &mut RawPeer) -> Result<Option<String>> {
    let head = peer.read_head()?;
    ensure!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let mut agreed =
        head.lines().filter_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
    let (first, second) = (agreed.next(), agreed.next());
    ensure!(second.is_none(), "{head}");
    Ok(first.map(str::to_owned))
}

/// The same while the loop of this thread runs.
fn connect_one(server: &WebSocketServer, offer: &'static str) -> Result<(RawPeer, Option<String>)> {
    let port = server.server_port();
    serve(move || connect(port, &[offer]))
}
