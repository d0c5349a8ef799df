//! Subprotocols: offers, and the one that is agreed on (RFC 6455 §1.9).

use anyhow::{Context, Result, ensure};
use slotwork::{ClientRequest, Error, SslMode, WebSocket, WebSocketServer};

use support::raw_peer::{RawPeer, Response, check_good_client, request_with};
use support::recorder::Recorder;
use support::{echo_server, listening_server, serve, wait_until};

/// Qt: SRV-13, all rows; what a request offers is joined from all its header lines.
#[test]
fn the_first_of_the_clients_that_is_supported_is_agreed_on() -> Result<()> {
    let server = echo_server()?;
    server.set_supported_subprotocols(["chat", "superchat"])?;
    let recorder = Recorder::default();
    let taken = recorder.clone();
    server.new_connection().connect(move |server, ()| {
        // The echo's slot, which comes first, has taken it.
        for socket in server.clients() {
            let offered: Vec<_> = socket.request().subprotocols().map(str::to_owned).collect();
            taken.add(format!("{:?} of {}", socket.subprotocol(), offered.join("+")));
            socket.abort();
        }
    });
    let port = server.server_port();
    let table: [(&[&str], Option<&str>); 7] = [
        (&[], None),
        (&["chat, superchat"], Some("chat")),
        (&["superchat,chat"], Some("superchat")),
        (&["foo"], None),
        (&["foo , chat"], Some("chat")),
        (&["superchat", "chat"], Some("superchat")),
        (&["Chat"], None),
    ];
    let expected = table.map(|(lines, agreed)| {
        let offered = lines.join(",").replace(' ', "").replace(',', "+");
        format!("{agreed:?} of {offered}")
    });

    serve(move || {
        for (lines, agreed) in table {
            let lines = lines.iter().map(|line| format!("Sec-WebSocket-Protocol: {line}\r\n"));
            let mut peer = RawPeer::connect(port)?;
            peer.send(request_with(&lines.collect::<String>()))?;
            check_answer(peer.read_head()?, agreed)?;
            peer.read_to_end()?;
        }
        Ok(())
    })?;

    recorder.wait_for(&expected.each_ref().map(|line| &**line))
}

/// Qt: `setSupportedSubprotocols()`; RFC 6455 §4.1: names are tokens.
#[test]
fn the_servers_list_reads_back_and_holds_nothing_but_tokens() -> Result<()> {
    let server = WebSocketServer::new("", SslMode::NonSecure);
    ensure!(server.supported_subprotocols().is_empty());
    server.set_supported_subprotocols(["chat", "v2.chat"])?;

    for wrong in ["", "a b", "a,b", "a\r\nSet-Cookie: b", "a\0", "caf\u{e9}", "a/b"] {
        let error = server.set_supported_subprotocols(["good", wrong]).unwrap_err();
        ensure!(matches!(&error, Error::InvalidSubprotocol(name) if name == wrong), "{error}");
    }

    ensure!(server.supported_subprotocols() == ["chat", "v2.chat"]);
    server.set_supported_subprotocols(Vec::<String>::new())?;
    ensure!(server.supported_subprotocols().is_empty());
    Ok(())
}

/// Malformed lists are refused, and disturb no other client.
#[test]
fn a_malformed_offer_is_refused() -> Result<()> {
    let server = echo_server()?;
    server.set_supported_subprotocols(["chat"])?;
    let port = server.server_port();

    serve(move || {
        for offer in ["chat, chat", "a b", "", ","] {
            let mut peer = RawPeer::connect(port)?;
            peer.send(request_with(&format!("Sec-WebSocket-Protocol: {offer}\r\n")))?;
            let answer = peer.read_response()?;
            ensure!(answer.head.starts_with("HTTP/1.1 400 "), "{offer:?}: {answer:?}");
            check_good_client(port)?;
        }
        Ok(())
    })
}

/// Qt: SRV-13, `subprotocol()` on both ends.
#[test]
fn both_ends_know_what_they_agreed_on() -> Result<()> {
    let server = listening_server()?;
    server.set_supported_subprotocols(["chat", "superchat"])?;
    let client = WebSocket::new();

    let request = ClientRequest::new(server.server_url()).subprotocols(["foo", "superchat"]);
    client.open_request(request)?;
    wait_until(|| server.has_pending_connections() && client.is_valid())?;

    let socket = server.next_pending_connection().context("nobody waits")?;
    ensure!(socket.subprotocol().as_deref() == Some("superchat"));
    ensure!(client.subprotocol().as_deref() == Some("superchat"));
    Ok(())
}

/// RFC 6455 §4.2.2 (5): the answer names what was agreed on, or has no such header.
fn check_answer(head: String, agreed: Option<&str>) -> Result<()> {
    let answer = Response { head, body: String::new() };
    ensure!(answer.head.starts_with("HTTP/1.1 101 "), "{answer:?}");
    let count = answer.head.to_lowercase().matches("sec-websocket-protocol:").count();
    ensure!(count == usize::from(agreed.is_some()), "{answer:?}");
    let is_named = |name| answer.has_header("Sec-WebSocket-Protocol", name);
    ensure!(agreed.is_none_or(is_named), "{answer:?}");
    Ok(())
}
