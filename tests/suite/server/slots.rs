//! What the slots of a server may do: disconnect, close, listen, drop, and panic.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use slotwork::HostAddress;
use slotwork::signals::Connection;

use support::raw_peer::{Frame, RawPeer, TEXT, check_good_client, masked};
use support::recorder::Recorder;
use support::{echo, echo_server, listening_server, serve};

/// Qt: `disconnect()` in the slot itself, and `connect()` in a slot.
#[test]
fn a_slot_may_disconnect_itself_and_connect_others() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();
    let recorder = Recorder::default();
    let first = Rc::new(RefCell::new(None));
    let (in_slot, connection) = (recorder.clone(), Rc::clone(&first));
    *first.borrow_mut() = Some(server.new_connection().connect(move |server, ()| {
        in_slot.add("first");
        let itself: Option<Connection> = connection.take();
        itself.unwrap().disconnect();
        let in_other = in_slot.clone();
        server.new_connection().connect(move |_server, ()| in_other.add("other"));
    }));

    serve(move || check_good_client(port))?;
    recorder.check(&["first"])?;
    serve(move || check_good_client(port))?;

    recorder.check(&["first", "other"])
}

/// Qt: `close()` in a slot of `newConnection()`: the socket that waits is ended.
#[test]
fn a_slot_of_new_connection_may_close_the_server() -> Result<()> {
    let server = listening_server()?;
    let port = server.server_port();
    server.new_connection().connect(|server, ()| server.close());
    let recorder = Recorder::default();
    recorder.watch_server(&server);

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        ensure!(peer.read_frame()?.close_code()? == 1001);
        peer.finish()
    })?;

    recorder.wait_for(&["new connection", "closed"])
}

/// Qt: `close()` and `listen()` in a slot of `serverError()`: the client gets its answer.
#[test]
fn a_slot_of_server_error_may_close_the_server_and_listen_again() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();
    server.server_error().connect(move |server, _error| {
        server.close();
        server.listen(HostAddress::LocalHost, port).unwrap();
    });
    let recorder = Recorder::default();
    recorder.watch_server(&server);

    serve(move || {
        for _ in 0..2 {
            let mut peer = RawPeer::connect(port)?;
            peer.send("garbage\r\n\r\n")?;
            let answer = peer.read_response()?;
            ensure!(answer.head.starts_with("HTTP/1.1 400 "), "{answer:?}");
        }
        check_good_client(port)
    })?;

    let refused = "refused 400 1002";
    recorder.wait_for(&[refused, "closed", refused, "closed", "new connection"])
}

/// Qt: `listen()` in a slot of `closed()`, as programs do that change their port.
#[test]
fn a_slot_of_closed_may_listen_again() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();
    let recorder = Recorder::default();
    server.closed().once().connect(move |server, ()| {
        server.listen(HostAddress::LocalHost, port).unwrap();
        server.close();
        server.listen(HostAddress::LocalHost, port).unwrap();
    });
    recorder.watch_server(&server);

    server.close();
    recorder.wait_for(&["closed", "closed"])?;

    serve(move || check_good_client(port))
}

/// The program drops the server in each of its slots.
#[test]
fn a_slot_may_drop_the_server() -> Result<()> {
    for signal in ["new connection", "server error", "closed"] {
        let server = echo_server()?;
        let port = server.server_port();
        let recorder = Recorder::default();
        let owner = Rc::new(Cell::new(None));
        let (lines, place) = (recorder.clone(), Rc::clone(&owner));
        let drop_it = move || {
            drop(place.take());
            lines.add("dropped");
        };
        match signal {
            "new connection" => server.new_connection().connect(move |_, ()| drop_it()),
            "server error" => server.server_error().connect(move |_, _| drop_it()),
            _ => server.closed().connect(move |_, ()| drop_it()),
        };
        if signal == "closed" {
            server.close();
        }
        owner.set(Some(server));

        serve(move || match signal {
            "new connection" => RawPeer::open(port)?.check_echo("taken, and alive"),
            "server error" => {
                let mut peer = RawPeer::connect(port)?;
                peer.send("garbage\r\n\r\n")?;
                peer.read_response().map(drop)
            }
            _ => Ok(()),
        })
        .context(signal)?;
        recorder.wait_for(&["dropped"])?;
        ensure!(RawPeer::connect(port).is_err(), "{signal}: the server listens");
    }
    Ok(())
}

/// A panic in a slot ends that emission and nothing else.
#[test]
fn a_slot_that_panics_does_not_end_the_server() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    server.new_connection().connect(|_server, ()| panic!("a test's panic"));
    server.server_error().connect(|_server, _error| panic!("a test's panic"));
    server.closed().connect(|_server, ()| panic!("a test's panic"));

    serve({
        let server = server.clone();
        move || {
            check_good_client(port)?;
            let mut peer = RawPeer::connect(port)?;
            peer.send("garbage\r\n\r\n")?;
            let answer = peer.read_response()?;
            ensure!(answer.head.starts_with("HTTP/1.1 400 "), "{answer:?}");
            check_good_client(port)?;
            server.close();
            server.listen(HostAddress::LocalHost, port)?;
            check_good_client(port)
        }
    })?;

    let good = "new connection";
    recorder.wait_for(&[good, "refused 400 1002", good, "closed", good])
}

/// A socket that was not taken, because the slot of `new_connection` panicked, waits for the next.
#[test]
fn a_socket_that_a_panic_left_behind_can_still_be_taken() -> Result<()> {
    let server = listening_server()?;
    let port = server.server_port();
    let is_first = Cell::new(true);
    server.new_connection().connect(move |server, ()| {
        assert!(!is_first.replace(false), "a test's panic");
        while let Some(socket) = server.next_pending_connection() {
            echo(&socket);
        }
    });

    serve(move || {
        let mut first = RawPeer::open(port)?;
        first.send(masked(TEXT, b"early"))?;
        RawPeer::open(port)?.check_echo("second")?;
        ensure!(first.read_frame()? == Frame::text("early"));
        first.check_echo("first")
    })
}
