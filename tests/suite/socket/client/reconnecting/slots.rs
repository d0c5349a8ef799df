//! Slots around the end of a connection: what they call, panics, loops.

use std::cell::Cell;
use std::rc::Rc;

use anyhow::{Result, ensure};
use slotwork::signals::Handle;
use slotwork::{EventLoop, SocketState, WebSocket};

use support::raw_server::RawServer;
use support::{panic_in_slot, serve, wait_until};

use super::{at_once, reconnecting_client, refusing_url};

/// Dropping a handle ends nothing, in no slot.
#[test]
fn reconnecting_needs_no_handle() -> Result<()> {
    let server = RawServer::listen()?;
    let (socket, recorder) = reconnecting_client(at_once());
    socket.open(server.url())?;
    let handle = Rc::new(Cell::new(Some(socket.clone())));
    socket.error_occurred().connect_to(&handle, |handle, _socket, _error| drop(handle.take()));
    drop(socket);

    serve(move || {
        drop(server.open()?);
        server.open()?.close(1000, "")
    })?;

    recorder.wait_for_disconnected(2)?;
    ensure!(handle.take().is_none());
    Ok(())
}

/// What a program does in the slots around the end of a connection takes precedence.
#[test]
fn slots_may_end_reconnecting_or_open_the_socket() -> Result<()> {
    type Act = fn(&WebSocket, &str);
    let acts: [Act; 3] = [
        |socket, _url| socket.abort(),
        |socket, _url| socket.set_reconnect(None),
        |socket, url| {
            socket.set_reconnect(None);
            assert!(socket.open(url).is_ok());
            socket.abort();
        },
    ];
    for act in acts {
        for place in 0..3 {
            let (socket, recorder) = reconnecting_client(at_once());
            let url = refusing_url()?;
            let other = url.clone();
            let act = move |socket: &WebSocket| act(socket, &other);
            match place {
                0 => _ = socket.error_occurred().connect(move |socket, _error| act(socket)),
                1 => _ = socket.disconnected().once().connect(move |socket, ()| act(socket)),
                _ => _ = socket.reconnecting().connect(move |socket, _attempt| act(socket)),
            }
            socket.open(url)?;
            recorder.wait_for_disconnected(1)?;
            wait_until(|| socket.state() == SocketState::Unconnected)?;
            ensure!(!socket.is_reconnecting(), "slot {place}");
            let weak = socket.downgrade();
            drop(socket);
            wait_until(|| weak.upgrade().is_none())?;
        }
    }
    Ok(())
}

/// `open` in a slot connects once: it replaces the planned attempt.
#[test]
fn open_in_a_slot_replaces_the_planned_attempt() -> Result<()> {
    for place in 0..3 {
        let server = RawServer::listen()?;
        let (socket, recorder) = reconnecting_client(at_once());
        let url = server.url();
        let open = move |socket: &WebSocket| assert!(socket.open(url.as_str()).is_ok());
        match place {
            0 => _ = socket.error_occurred().once().connect(move |socket, _error| open(socket)),
            1 => _ = socket.disconnected().once().connect(move |socket, ()| open(socket)),
            _ => _ = socket.reconnecting().once().connect(move |socket, _attempt| open(socket)),
        }
        socket.open(refusing_url()?)?;

        let server = serve(move || {
            server.open()?.close(1000, "")?;
            Ok(server)
        })?;
        recorder.wait_for_disconnected(2)?;

        ensure!(!socket.is_reconnecting(), "slot {place}");
        server.expect_no_client()?;
    }
    Ok(())
}

#[test]
fn a_panic_in_a_slot_does_not_end_reconnecting() -> Result<()> {
    let server = RawServer::listen()?;
    let (socket, recorder) = reconnecting_client(at_once());
    socket.disconnected().once().connect(|_socket, ()| panic_in_slot());
    socket.reconnecting().once().connect(|_socket, _attempt| panic_in_slot());
    socket.connected().once().connect(|_socket, ()| panic_in_slot());
    socket.open(server.url())?;

    serve(move || {
        // The first one is closed by the panic (1011).
        server.open()?.read_frame()?;
        server.open()?.close(1000, "")
    })?;

    recorder.wait_for_disconnected(2)
}

/// A loop inside a slot of `reconnecting` makes the attempt meanwhile.
#[test]
fn a_loop_inside_a_slot_connects() -> Result<()> {
    let server = RawServer::listen()?;
    let (socket, recorder) = reconnecting_client(at_once());
    let is_connected = Rc::new(Cell::new(false));
    socket.reconnecting().once().connect_to(&is_connected, |is_connected, socket, _attempt| {
        let connected = socket.connected().next();
        is_connected.set(EventLoop::current().run_until(connected).is_some());
    });
    socket.open(server.url())?;

    serve(move || {
        drop(server.open()?);
        server.open()?.close(1000, "")
    })?;

    recorder.wait_for_disconnected(2)?;
    ensure!(is_connected.get());
    Ok(())
}
