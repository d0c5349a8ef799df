//! The budget of a server's histories: used up, and given back at the end of each connection.

use anyhow::{Result, ensure};
use slotwork::{Compression, HostAddress, WebSocket, WebSocketServer};

use support::raw_peer::{CLOSE, RawPeer};
use support::raw_server::unmasked;
use support::{DEADLINE, compressing_server, serve, wait_until};

use super::{CHROMIUM, WITH_4_KIB, WITHOUT, connect_one};

/// 4 KiB in each direction, for one connection.
fn for_one() -> Result<Compression> {
    Ok(Compression::new().history(4096)?.history_budget(8192))
}

/// Connects a client, whose answer has to be this one.
fn expect(server: &WebSocketServer, answer: &str) -> Result<RawPeer> {
    let (peer, agreed) = connect_one(server, CHROMIUM)?;
    ensure!(agreed.as_deref() == Some(answer), "{agreed:?}");
    Ok(peer)
}

/// A client over the budget is served, without a history.
#[test]
fn clients_over_the_budget_are_compressed_without_a_history() -> Result<()> {
    let server = compressing_server(for_one()?)?;

    let first = expect(&server, WITH_4_KIB)?;
    let mut second = expect(&server, WITHOUT)?;

    let has_history = |size| {
        let clients = server.clients();
        let agreed = clients.iter().filter_map(WebSocket::compression);
        agreed.filter(|it| it.history_sent() == size && it.history_received() == size).count() == 1
    };
    ensure!(has_history(4096) && has_history(0));
    drop(first);
    wait_until(|| server.clients().len() == 1)?;
    // The end of the first one makes room for the next, not for the second.
    let _third = expect(&server, WITH_4_KIB)?;
    serve(move || second.check_echo("plain"))
}

/// However a connection ends, its part of the budget is free again.
#[test]
fn each_end_of_a_connection_gives_its_part_back() -> Result<()> {
    type End = fn(&WebSocketServer, RawPeer) -> Result<()>;
    let ends: [(&str, End); 6] = [
        ("closing handshake", |_, mut peer| serve(move || peer.close(1000, "").map(drop))),
        ("end of TCP", |_, peer| {
            drop(peer);
            Ok(())
        }),
        ("reset", |_, peer| peer.reset()),
        ("violation", |_, mut peer| {
            serve(move || {
                peer.send(unmasked(1, b"not masked"))?;
                peer.read_frame().map(|frame| assert_eq!(frame.opcode, CLOSE))
            })
        }),
        ("abort", |server, peer| {
            server.clients().iter().for_each(WebSocket::abort);
            drop(peer);
            Ok(())
        }),
        ("shutdown", |server, peer| {
            server.shutdown(DEADLINE);
            drop(peer);
            Ok(())
        }),
    ];

    let server = compressing_server(for_one()?)?;
    let mut ended = Vec::new();
    for (name, end) in ends {
        let peer = expect(&server, WITH_4_KIB)?;
        let second = expect(&server, WITHOUT)?;
        drop(second);
        wait_until(|| server.clients().len() == 1)?;
        let socket = server.clients().remove(0);
        ensure!(socket.compression().is_some());

        end(&server, peer).map_err(|error| error.context(name))?;

        wait_until(|| server.clients().is_empty())?;
        ensure!(socket.compression().is_none(), "{name}");
        // A handle keeps nothing of it.
        ended.push(socket);
        if !server.is_listening() {
            server.listen(HostAddress::LocalHost, 0)?;
        }
    }
    expect(&server, WITH_4_KIB)?;
    Ok(())
}

/// What open connections hold counts when compression is set anew.
#[test]
fn a_new_setting_keeps_the_count() -> Result<()> {
    let server = compressing_server(for_one()?)?;
    let first = expect(&server, WITH_4_KIB)?;

    server.set_compression(None);
    server.set_compression(for_one()?);
    let _second = expect(&server, WITHOUT)?;
    server.set_compression(for_one()?.history_budget(2 * 8192));
    let _third = expect(&server, WITH_4_KIB)?;
    let _fourth = expect(&server, WITHOUT)?;

    drop(first);
    wait_until(|| server.clients().len() == 3)?;
    let _fifth = expect(&server, WITH_4_KIB)?;
    Ok(())
}

/// Connections without a history, and those that are refused, take nothing.
#[test]
fn only_histories_count() -> Result<()> {
    let server = compressing_server(Compression::new().history(4096)?.history_budget(4096))?;
    let offer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

    let (_forgetful, _) = connect_one(&server, offer)?;
    // Firefox: its own window cannot be limited, so that only this end keeps a history.
    let (_first, agreed) = connect_one(&server, "permessage-deflate")?;

    let expected = "permessage-deflate; client_no_context_takeover; server_max_window_bits=12";
    ensure!(agreed.as_deref() == Some(expected), "{agreed:?}");
    let (_second, agreed) = connect_one(&server, "permessage-deflate")?;
    ensure!(agreed.as_deref() == Some(WITHOUT), "{agreed:?}");
    Ok(())
}
