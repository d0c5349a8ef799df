//! Clients and broadcasts of all threads.

use std::thread;

use anyhow::{Result, ensure};
use slotwork::{HostAddress, SslMode, WebSocketServer};

use support::raw_peer::{RawPeer, TEXT, masked};
use support::{serve, wait_until};

use crate::server::threads::{echo_all, echo_on_threads, listening_parts};

/// A broadcast of the server reaches the clients of all threads, that of a part its own.
#[test]
fn broadcasts_of_the_server_reach_all_threads() -> Result<()> {
    let (server, parts, _threads) = listening_parts(3)?;
    let port = server.server_port();
    let mut peers = serve(move || (0..6).map(|_| RawPeer::open(port)).collect::<Result<Vec<_>>>())?;
    wait_until(|| server.clients().len() == 6)?;

    assert_eq!(server.broadcast_text("for all"), 6);
    peers.iter_mut().try_for_each(|peer| peer.expect_texts(&["for all"]))?;
    assert_eq!(parts[1].broadcast_binary("for two"), 2);
    // What follows shows that the others got nothing.
    assert_eq!(server.broadcast_text("the end"), 6);
    let mut others = 0;
    for peer in &mut peers {
        if peer.read_frame()?.payload == b"the end" {
            others += 1;
        }
    }

    assert_eq!(others, 4);
    Ok(())
}

/// A slot of a part broadcasts to the clients of all parts.
#[test]
fn a_slot_broadcasts_to_the_clients_of_all_threads() -> Result<()> {
    let server = WebSocketServer::new("Chat", SslMode::NonSecure);
    let _threads = server.serve_on_threads(2, |part| {
        part.new_connection().connect(|part, ()| {
            while let Some(socket) = part.next_pending_connection() {
                socket.text_message_received().connect_to(part, |part, _sender, text| {
                    part.whole().broadcast_text(text);
                });
            }
        });
    })?;
    server.listen(HostAddress::LocalHost, 0)?;
    let port = server.server_port();
    let mut peers = serve(move || (0..4).map(|_| RawPeer::open(port)).collect::<Result<Vec<_>>>())?;
    wait_until(|| server.clients().len() == 4)?;

    peers[0].send(masked(TEXT, b"hello"))?;

    peers.iter_mut().try_for_each(|peer| peer.expect_texts(&["hello"]))
}

/// Broadcasts of three threads, of which each reaches every client in its order.
#[test]
fn broadcasts_of_each_thread_arrive_in_order() -> Result<()> {
    const COUNT: usize = 200;
    let (server, _threads) = echo_on_threads(2)?;
    let port = server.server_port();
    let peers = serve(move || (0..4).map(|_| RawPeer::open(port)).collect::<Result<Vec<_>>>())?;
    wait_until(|| server.clients().len() == 4)?;

    let casters = ["a", "b", "c"].map(|name| {
        let server = server.clone();
        thread::spawn(move || {
            (0..COUNT).for_each(|number| _ = server.broadcast_text(format!("{name}{number:03}")));
        })
    });
    for mut peer in peers {
        let mut texts = Vec::new();
        for _ in 0..3 * COUNT {
            texts.push(String::from_utf8(peer.read_frame()?.payload)?);
        }
        for name in ["a", "b", "c"] {
            let of_thread: Vec<_> = texts.iter().filter(|text| text.starts_with(name)).collect();
            ensure!(of_thread.is_sorted() && of_thread.len() == COUNT, "{of_thread:?}");
        }
    }

    for caster in casters {
        caster.join().map_err(|_| anyhow::anyhow!("a caster panicked"))?;
    }
    Ok(())
}

/// `clients` of all threads, while others come and go.
#[test]
fn clients_can_be_listed_while_they_come_and_go() -> Result<()> {
    let (server, _threads) = echo_on_threads(2)?;
    let port = server.server_port();
    let _peer = serve(move || RawPeer::open(port))?;
    wait_until(|| server.clients().len() == 1)?;

    let listed = server.clone();
    serve(move || {
        let coming = thread::spawn(move || {
            (0..100).try_for_each(|_| RawPeer::open(port).and_then(RawPeer::reset))
        });
        while !coming.is_finished() {
            ensure!(!listed.clients().is_empty());
            listed.broadcast_text("anyone?");
        }
        coming.join().map_err(|_| anyhow::anyhow!("the peer panicked"))?
    })?;

    wait_until(|| server.clients().len() == 1)
}

/// Clients that a server had before it got threads remain its own.
#[test]
fn clients_from_before_the_threads_stay() -> Result<()> {
    let server = WebSocketServer::new("Before", SslMode::NonSecure);
    echo_all(&server);
    server.listen(HostAddress::LocalHost, 0)?;
    let port = server.server_port();
    let mut first = serve(move || RawPeer::open(port))?;
    wait_until(|| server.clients().len() == 1)?;

    let _threads = server.serve_on_threads(1, echo_all)?;
    let mut second = serve(move || RawPeer::open(port))?;
    wait_until(|| server.clients().len() == 2)?;

    assert_eq!(server.broadcast_text("both"), 2);
    serve(move || {
        first.expect_texts(&["both"])?;
        first.check_echo("first")?;
        second.expect_texts(&["both"])?;
        second.check_echo("second")
    })
}
