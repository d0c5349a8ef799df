//! Clients that are opened again, or closed before they are open.

use std::cell::Cell;
use std::rc::Rc;

use anyhow::{Result, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{Error, MaskGenerator, SocketState, WebSocket};

use support::raw_peer::TEXT;
use support::raw_server::{RawServer, unmasked};
use support::recorder::Recorder;
use support::{recorded_client, run_until, serve, wait_until};

/// Qt: CLI-22, CLI-23: each signal comes once for each connection, and nothing of the last one is
/// left.
#[test]
fn a_socket_is_opened_again_in_its_disconnected_slot() -> Result<()> {
    let server = RawServer::listen()?;
    let (url, again) = (server.url(), Rc::new(Cell::new(2)));
    let (socket, recorder) = recorded_client();
    let address = url.clone();
    socket.disconnected().connect_to(&again, move |again, socket, ()| {
        if again.replace(again.get() - 1) > 0 {
            assert!(socket.open(address.as_str()).is_ok());
            assert_eq!(socket.state(), SocketState::Connecting);
            assert_eq!(socket.close_code(), None);
        }
    });
    socket.open(url.as_str())?;

    serve(move || {
        // The first one breaks off inside a frame, of which nothing may leak.
        let mut first = server.open()?;
        first.peer.send([0x81, 5, b'h'])?;
        drop(first);
        let mut second = server.open()?;
        second.peer.send(unmasked(TEXT, b"second"))?;
        second.close(1001, "bye")?;
        server.open()?.close(1000, "")
    })?;

    recorder.wait_for_disconnected(3)?;
    recorder.check(&[
        "Connecting",
        "Connected",
        "connected",
        "error: the peer closed the connection without a closing handshake",
        "Unconnected",
        "disconnected Some(1006) ",
        "Connecting",
        "Connected",
        "connected",
        "text second",
        "about to close",
        "Closing",
        "Unconnected",
        "disconnected Some(1001) bye",
        "Connecting",
        "Connected",
        "connected",
        "about to close",
        "Closing",
        "Unconnected",
        "disconnected Some(1000) ",
    ])
}

/// `open` is an error while connecting and connected: what is under way continues.
#[test]
fn a_socket_is_not_opened_twice() -> Result<()> {
    let server = RawServer::listen()?;
    let (url, socket) = (server.url(), WebSocket::new());
    let refused = Rc::new(Cell::new(0));
    let is_refused = move |refused: &Rc<Cell<u32>>, socket: &WebSocket| {
        if matches!(socket.open(url.as_str()), Err(Error::AlreadyOpen)) {
            refused.set(refused.get() + 1);
        }
    };
    let check = is_refused.clone();
    socket.connected().connect_to(&refused, move |refused, socket, ()| {
        check(refused, socket);
        socket.abort();
    });
    let check = is_refused.clone();
    socket.state_changed().connect_to(&refused, move |refused, socket, state| {
        if *state != SocketState::Unconnected {
            check(refused, socket);
        }
    });
    let (recorder, url) = (Recorder::default(), server.url());
    recorder.watch(&socket);

    socket.open(url.as_str())?;
    is_refused(&refused, &socket);
    serve(move || server.open()?.peer.read_to_end())?;

    recorder.check_life(&[
        "Connecting",
        "Connected",
        "connected",
        "about to close",
        "Unconnected",
        "disconnected Some(1006) ",
    ])?;
    assert_eq!(refused.get(), 4);
    Ok(())
}

/// Qt: CLI-26: nothing but the request is sent, and no error is reported.
#[test]
fn close_and_abort_end_what_is_connecting() -> Result<()> {
    for end in [|socket: &WebSocket| _ = socket.close(1000, "bye"), WebSocket::abort] {
        let server = RawServer::listen()?;
        let (socket, recorder) = recorded_client();

        // Before the loop has run, and while the answer is waited for.
        socket.open(server.url())?;
        end(&socket);
        assert_eq!(socket.state(), SocketState::Unconnected);
        recorder.wait_for_disconnected(1)?;
        socket.open(server.url())?;
        let (client, server) = serve(move || Ok((server.read_request()?, server)))?;
        assert_eq!(socket.state(), SocketState::Connecting);
        end(&socket);
        recorder.wait_for_disconnected(2)?;

        let rest = serve(move || { client }.peer.read_to_end())?;
        assert!(rest.is_empty(), "{rest:?} came behind the request");
        drop(server);
        let expected = ["Connecting", "Unconnected", "disconnected Some(1006) "];
        recorder.check(&[expected, expected].concat())?;
        assert!(socket.error().is_none());
    }
    Ok(())
}

/// A thousand connections of one socket leave nothing behind.
#[test]
fn a_socket_is_opened_again_and_again() -> Result<()> {
    let server = support::echo_server()?;
    let (url, socket) = (server.server_url(), WebSocket::new());
    let count = Rc::new(Cell::new(0));
    let address = url.clone();
    socket.connected().connect_to(&count, move |count, socket, ()| {
        count.set(count.get() + 1);
        if count.get() % 2 == 0 {
            socket.abort();
        } else {
            socket.close_normally();
        }
        if count.get() < 1000 {
            assert!(socket.open(address.as_str()).is_ok());
        }
    });
    let ends = SignalSpy::new(&socket.disconnected());

    socket.open(url)?;
    run_until(async {
        while ends.count() < 1000 {
            smol::future::yield_now().await;
        }
    })?;

    wait_until(|| server.clients().is_empty())?;
    assert_eq!((count.get(), ends.count()), (1000, 1000));
    assert_eq!(socket.state(), SocketState::Unconnected);
    Ok(())
}

/// Settings are the socket's, not the connection's: limits, and the generator of masking keys.
#[test]
fn settings_hold_for_the_next_connection() -> Result<()> {
    struct Sevens;
    impl MaskGenerator for Sevens {
        fn next_mask(&mut self) -> [u8; 4] {
            [7; 4]
        }
    }
    let mut server = RawServer::listen()?;
    let (socket, recorder) = recorded_client();
    socket.set_mask_generator(Sevens);
    socket.set_max_allowed_incoming_message_size(3);
    socket.connected().connect(|socket, ()| _ = socket.send_text_message("hello"));

    for connection in 1..=2 {
        socket.open(server.url())?;
        server = serve(move || {
            let mut client = server.open()?;
            ensure!(client.read_frame()?.key == [7; 4], "another key");
            client.peer.send([unmasked(TEXT, b"abc"), unmasked(TEXT, b"abcd")].concat())?;
            ensure!(client.read_frame()?.frame.close_code()? == 1009);
            Ok(server)
        })?;
        recorder.wait_for_disconnected(connection)?;
    }

    assert_eq!(recorder.lines().iter().filter(|line| *line == "text abc").count(), 2);
    Ok(())
}

/// The same with a port at which no server listens.
#[test]
fn a_refused_socket_is_opened_again_and_again() -> Result<()> {
    let url = RawServer::listen()?.url();
    let (socket, count) = (WebSocket::new(), Rc::new(Cell::new(0)));
    let address = url.clone();
    socket.error_occurred().connect_to(&count, move |count, socket, _error| {
        count.set(count.get() + 1);
        if count.get() < 1000 {
            assert!(socket.open(address.as_str()).is_ok());
        }
    });
    let ends = SignalSpy::new(&socket.disconnected());

    socket.open(url)?;
    wait_until(|| ends.count() >= 1000)?;

    assert_eq!((count.get(), ends.count()), (1000, 1000));
    assert!(matches!(socket.error(), Some(Error::Connect { .. })));
    Ok(())
}

/// The same in slots of `disconnected`, which also end attempts that they have begun.
#[test]
fn a_slot_of_disconnected_opens_again_and_again() -> Result<()> {
    let server = support::echo_server()?;
    let (url, socket) = (server.server_url(), WebSocket::new());
    let count = Rc::new(Cell::new(0));
    socket.connected().connect(|socket, ()| socket.abort());
    let address = url.clone();
    socket.disconnected().connect_to(&count, move |count, socket, ()| {
        count.set(count.get() + 1);
        if count.get() < 1000 {
            assert!(socket.open(address.as_str()).is_ok());
        }
        if count.get() % 3 == 0 {
            socket.abort();
            assert!(socket.open(address.as_str()).is_ok());
        }
    });

    socket.open(url)?;
    // The slot's 999th call leaves an `open` that waits for the 1000th end.
    wait_until(|| count.get() > 1000)?;

    assert_eq!((count.get(), socket.state()), (1001, SocketState::Unconnected));
    wait_until(|| server.clients().is_empty())
}
