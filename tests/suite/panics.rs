//! Slots that panic: their own connection ends, and nothing else does.

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::{Result, ensure};
use slotwork::signals::Handle;
use slotwork::{WeakWebSocket, WebSocket, WebSocketServer};

use crate::support::raw_peer::{
    BINARY, CLOSE, Frame, PONG, RawPeer, check_good_client, masked, masked_close, masked_texts,
};
use crate::support::{echo, listening_server, panic_in_slot, serve, wait_until};

/// A panic in a slot closes that connection with 1011 (RFC 6455 §7.4.1).
#[test]
fn a_panic_closes_its_connection_and_no_other() -> Result<()> {
    let server = listening_server()?;
    let port = server.server_port();
    server.new_connection().connect(|server, ()| {
        let Some(socket) = server.next_pending_connection() else { return };
        socket.text_message_received().connect(|_socket, text| {
            if text == "panic" {
                panic_in_slot();
            }
        });
        echo(&socket);
    });

    serve(move || {
        let (mut guilty, mut other) = (RawPeer::open(port)?, RawPeer::open(port)?);
        guilty.send(masked_texts(&["before", "panic", "behind"]))?;

        guilty.expect_texts(&["before"])?;
        ensure!(guilty.read_frame()?.close_code()? == 1011);
        ensure!(guilty.read_to_end()?.is_empty());
        other.check_echo("unharmed")?;
        check_good_client(port)
    })
}

type Connect = fn(&WebSocket);

/// The same for each signal of a socket; what the socket holds is freed nevertheless.
#[test]
fn a_panic_in_any_slot_leaks_nothing() -> Result<()> {
    let table: [(&str, Connect); 8] = [
        ("text", |socket| _ = socket.text_message_received().connect(|_, _| panic_in_slot())),
        ("binary", |socket| _ = socket.binary_message_received().connect(|_, _| panic_in_slot())),
        ("pong", |socket| _ = socket.pong().connect(|_, _| panic_in_slot())),
        ("written", |socket| _ = socket.bytes_written().connect(|_, _| panic_in_slot())),
        ("about to close", |socket| _ = socket.about_to_close().connect(|_, ()| panic_in_slot())),
        ("state", |socket| _ = socket.state_changed().connect(|_, _| panic_in_slot())),
        ("error", |socket| _ = socket.error_occurred().connect(|_, _| panic_in_slot())),
        ("disconnected", |socket| _ = socket.disconnected().connect(|_, ()| panic_in_slot())),
    ];

    for (signal, connect) in table {
        let (server, sockets) = watched_server(connect)?;
        let port = server.server_port();
        serve(move || live_and_end(port))?;
        wait_until(|| sockets.borrow().iter().all(|socket| socket.upgrade().is_none()))?;
        ensure!(sockets.borrow().len() == 2, "{signal}");
    }
    Ok(())
}

/// A server that remembers its sockets weakly, and connects what is asked for.
fn watched_server(connect: Connect) -> Result<(WebSocketServer, Rc<RefCell<Vec<WeakWebSocket>>>)> {
    let server = listening_server()?;
    let sockets = Rc::<RefCell<Vec<WeakWebSocket>>>::default();
    let list = Rc::clone(&sockets);
    server.new_connection().connect(move |server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            connect(&socket);
            // It captures its own socket: freed with its slots all the same.
            let captured = socket.clone();
            socket.disconnected().connect(move |_socket, ()| _ = captured.state());
            list.borrow_mut().push(socket.downgrade());
        }
    });
    Ok((server, sockets))
}

/// Makes every signal of two sockets be emitted: one is closed, one breaks off.
fn live_and_end(port: u16) -> Result<()> {
    let messages =
        [masked_texts(&["text"]), masked(BINARY, b"binary"), masked(PONG, b"pong")].concat();

    let mut closing = RawPeer::open(port)?;
    closing.send([messages.clone(), masked_close(1000, "")].concat())?;
    let answer: Frame = closing.read_frame()?;
    ensure!(answer.opcode == CLOSE, "{answer:?}");

    let mut breaking = RawPeer::open(port)?;
    breaking.send(messages)?;
    breaking.finish()?;
    breaking.read_to_end()?;
    Ok(())
}
