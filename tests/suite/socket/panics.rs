//! Panics in slots: they end their own connection alone.

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::{Result, ensure};
use slotwork::signals::Handle;
use slotwork::{WeakWebSocket, WebSocket, WebSocketServer};

use support::raw_peer::{
    BINARY, CLOSE, Frame, PONG, RawPeer, check_good_client, masked, masked_close, masked_texts,
};
use support::{echo, listening_server, panic_in_slot, serve, wait_until};

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

/// The same for slots that are not called at once, in the loop's thread and in others.
#[test]
fn a_panic_in_a_slot_that_was_queued_closes_its_connection_and_no_other() -> Result<()> {
    let table: [(&str, Connect); 7] = [
        ("queued", |socket| {
            socket.text_message_received().queued().connect(|_, text| panic_at(text));
        }),
        ("async", |socket| {
            socket.text_message_received().connect_async(async |_, text| panic_at(&text));
        }),
        ("async, later", |socket| {
            socket.text_message_received().connect_async(async |_, text| {
                smol::future::yield_now().await;
                panic_at(&text);
            });
        }),
        ("in a thread", |socket| {
            let slot = |_: &WebSocket, text: &str| panic_at(text);
            in_worker(socket, move |socket| _ = socket.text_message_received().connect(slot));
        }),
        ("once in a thread", |socket| {
            in_worker(socket, |socket| {
                socket.text_message_received().once().connect(|_, _| panic_in_slot());
            });
        }),
        ("async in a thread", |socket| {
            in_worker(socket, |socket| {
                socket.text_message_received().connect_async(async |_, text| panic_at(&text));
            });
        }),
        ("pong", |socket| _ = socket.pong().queued().connect(|_, _| panic_in_slot())),
    ];

    for (kind, connect) in table {
        let server = listening_server()?;
        let port = server.server_port();
        server.new_connection().connect(move |server, ()| {
            while let Some(socket) = server.next_pending_connection() {
                if server.clients().len() == 1 {
                    connect(&socket);
                } else {
                    echo(&socket);
                }
            }
        });
        serve(move || {
            let (mut guilty, mut other) = (RawPeer::open(port)?, RawPeer::open(port)?);
            guilty.send(masked_texts(&["panic"]))?;
            guilty.send(masked(PONG, b"panic"))?;
            ensure!(guilty.read_frame()?.close_code()? == 1011, "{kind}");
            other.check_echo("unharmed")?;
            check_good_client(port)
        })?;
    }
    Ok(())
}

fn panic_at(text: &str) {
    if text == "panic" {
        panic_in_slot();
    }
}

/// Has slots connected in a thread that serves them until the test ends.
fn in_worker(socket: &WebSocket, connect: impl FnOnce(&WebSocket) + Send + 'static) {
    let (socket, (done, is_done)) = (socket.clone(), std::sync::mpsc::channel());
    std::thread::spawn(move || {
        connect(&socket);
        drop(socket);
        done.send(()).unwrap();
        slotwork::EventLoop::current().exec();
    });
    is_done.recv().unwrap();
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

/// A server that keeps weak references to its sockets, and connects the slots under test.
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
