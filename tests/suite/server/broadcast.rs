//! The list of a server's clients, and messages for all of them.

use anyhow::{Context, Result, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{PreparedMessage, WebSocketServer};

use support::raw_peer::{RawPeer, TEXT, masked, masked_texts};
use support::recorder::Recorder;
use support::{listening_server, recorded_server, serve, wait_until};

/// A server that sends each text to all clients but its sender, as Qt's simplechat does.
fn chat_server() -> Result<WebSocketServer> {
    let server = listening_server()?;
    server.new_connection().connect(|server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            socket.text_message_received().connect_to(server, |server, sender, text| {
                let message = PreparedMessage::text(text);
                for client in server.clients().iter().filter(|client| *client != sender) {
                    client.send_prepared(&message);
                }
            });
        }
    });
    Ok(server)
}

/// Qt: simplechat keeps such a list itself, and takes sockets out in a slot of `disconnected`.
#[test]
fn a_socket_is_a_client_from_when_it_is_taken_until_it_disconnects() -> Result<()> {
    let (server, recorder) = recorded_server(|_socket, _text| {})?;
    let port = server.server_port();
    let counts = Recorder::default();
    let (watcher, weak) = (counts.clone(), server.clone());
    server.new_connection().connect(move |server, ()| {
        // The slot before this one has taken the socket.
        for socket in server.clients() {
            let (watcher, server) = (watcher.clone(), weak.clone());
            socket.disconnected().connect(move |socket, ()| {
                let is_there = server.clients().contains(socket);
                watcher.add(format!("{} left, {is_there}", server.clients().len()));
            });
        }
        watcher.add(format!("{} there", server.clients().len()));
    });
    assert_eq!(server.clients(), []);

    serve(move || RawPeer::open(port)?.close(1000, ""))?;

    recorder.wait_for_disconnected(1)?;
    counts.check(&["1 there", "0 left, false"])
}

/// A pending socket is not in the list of clients until it is taken.
#[test]
fn a_pending_socket_is_no_client() -> Result<()> {
    let server = listening_server()?;
    let connections = SignalSpy::new(&server.new_connection());
    let port = server.server_port();

    let peer = serve(move || RawPeer::open(port))?;
    connections.wait_for(1)?;

    assert!(server.has_pending_connections());
    assert_eq!(server.clients(), []);
    let socket = server.next_pending_connection().context("nothing is pending")?;
    assert_eq!(server.clients(), [socket]);
    drop(peer);
    Ok(())
}

/// The peers of a chat read what the others say, small and big, and not what they say themselves.
#[test]
fn a_prepared_message_reaches_those_it_is_sent_to() -> Result<()> {
    let server = chat_server()?;
    let port = server.server_port();

    serve(move || {
        let mut peers = (0..3).map(|_| RawPeer::open(port)).collect::<Result<Vec<_>>>()?;
        // A peer that has its answer is a client.
        for text in ["small", "", "é", &"big ".repeat(50_000)] {
            for sender in 0..peers.len() {
                peers[sender].send(masked_texts(&[text]))?;
                for (place, peer) in peers.iter_mut().enumerate() {
                    if place != sender {
                        peer.expect_texts(&[text])?;
                    }
                }
            }
        }
        Ok(())
    })
}

/// What is broadcast comes in order with what is sent to one socket alone, also when the kernel
/// takes only some of it.
#[test]
fn broadcasts_keep_their_place_in_the_output() -> Result<()> {
    const BIG: usize = 400_000;
    const ROUNDS: u8 = 8;
    let server = listening_server()?;
    let slot_server = server.clone();
    server.new_connection().connect(move |server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            let server = slot_server.clone();
            socket.text_message_received().connect(move |socket, _text| {
                for round in 0..ROUNDS {
                    socket.send_binary_message([round]);
                    assert_eq!(server.broadcast_binary(vec![round; BIG]), 1);
                    socket.send_text_message("between");
                    assert_eq!(server.broadcast_text("small"), 1);
                }
                assert!(socket.bytes_to_write() > 0, "the kernel took more than reckoned");
            });
        }
    });
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked(TEXT, b"go"))?;
        for round in 0..ROUNDS {
            ensure!(peer.read_frame()?.payload == [round]);
            ensure!(peer.read_frame()?.payload == vec![round; BIG]);
            peer.expect_texts(&["between", "small"])?;
        }
        peer.close(1000, "").map(drop)
    })?;
    server.close();
    Ok(())
}

/// Broadcasts of several servers in one turn, and what goes to one client alone between them.
#[test]
fn each_client_gets_the_broadcasts_of_its_server_in_order() -> Result<()> {
    const CLIENTS: usize = 5;
    let (first, second) = (listening_server()?, listening_server()?);
    let servers = [first.clone(), second.clone()];
    for server in [&first, &second] {
        let servers = servers.clone();
        server.new_connection().connect(move |server, ()| {
            while let Some(socket) = server.next_pending_connection() {
                let servers = servers.clone();
                socket.text_message_received().connect(move |socket, text| {
                    for server in &servers {
                        assert_eq!(server.broadcast_text(text), CLIENTS);
                    }
                    socket.send_text_message("to the sender");
                    for server in &servers {
                        assert_eq!(server.broadcast_text("the second"), CLIENTS);
                    }
                });
            }
        });
    }
    let ports = [first.server_port(), second.server_port()];

    let mut peers = serve(move || {
        let ports = ports.into_iter().flat_map(|port| [port; CLIENTS]);
        ports.map(RawPeer::open).collect::<Result<Vec<_>>>()
    })?;
    wait_until(|| [&first, &second].iter().all(|server| server.clients().len() == CLIENTS))?;

    serve(move || {
        for sender in 0..peers.len() {
            peers[sender].send(masked(TEXT, b"the first"))?;
            for (index, peer) in peers.iter_mut().enumerate() {
                if index == sender {
                    peer.expect_texts(&["the first", "to the sender", "the second"])?;
                } else {
                    peer.expect_texts(&["the first", "the second"])?;
                }
            }
        }
        Ok(())
    })?;
    first.close();
    second.close();
    Ok(())
}

/// A broadcast does not reach closed sockets, and its count is that of the open ones.
#[test]
fn a_broadcast_reaches_open_sockets_only() -> Result<()> {
    let (server, recorder) = recorded_server(|_socket, _text| {})?;
    let port = server.server_port();
    assert_eq!(server.broadcast_text("nobody"), 0);

    let (mut stays, mut leaves) = serve(move || Ok((RawPeer::open(port)?, RawPeer::open(port)?)))?;
    wait_until(|| server.clients().len() == 2)?;
    serve(move || leaves.close(1000, ""))?;
    recorder.wait_for_disconnected(1)?;

    assert_eq!(server.broadcast_text("one"), 1);
    serve(move || stays.expect_texts(&["one"]))
}
