//! The socket of a client, from `open` to `disconnected`.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{EventLoop, SendStatus, SocketState, WebSocket};

use support::raw_peer::{Frame, TEXT};
use support::raw_server::{RawServer, unmasked};
use support::{
    echo_server, in_thread, panic_in_slot, recorded_client, recorded_server, serve, wait_until,
};

/// Qt: CLI-01.
#[test]
fn a_new_socket_has_no_connection() {
    let socket = WebSocket::new();

    assert_eq!(socket.state(), SocketState::Unconnected);
    assert!(!socket.is_valid() && !socket.flush());
    assert!(socket.error().is_none() && socket.error_string().is_empty());
    assert_eq!((socket.peer_address(), socket.peer_port()), (None, 0));
    assert_eq!((socket.local_address(), socket.local_port()), (None, 0));
    assert_eq!(socket.peer_name() + &socket.resource_name() + &socket.request_url(), "");
    assert_eq!((socket.origin(), socket.subprotocol()), (None, None));
    assert_eq!((socket.close_code(), socket.close_reason()), (None, String::new()));
    assert_eq!(socket.bytes_to_write(), 0);
    assert_eq!(socket.send_text_message("x"), SendStatus::NotConnected);
    assert_eq!(socket.ping(""), SendStatus::NotConnected);
    assert_eq!(socket.close(1000, ""), SendStatus::NotConnected);
    socket.abort();
    assert!(socket.handshake_response().is_none());
}

/// Qt: SRV-28, SND-01, CLS-04: the order of a life.
#[test]
fn a_client_connects_talks_and_closes() -> Result<()> {
    let server = echo_server()?;
    let (socket, recorder) = recorded_client();
    socket.connected().connect(|socket, ()| {
        socket.send_text_message("Hello world!");
        socket.send_binary_message([1, 2]);
        socket.ping("p");
    });
    socket.pong().connect(|socket, _pong| _ = socket.close(1000, "done"));

    socket.open(server.server_url())?;

    assert_eq!(socket.state(), SocketState::Connecting);
    assert_eq!(socket.peer_name(), "127.0.0.1");
    assert_eq!(socket.resource_name(), "/");
    recorder.check_life(&[
        "Connecting",
        "Connected",
        "connected",
        "text Hello world!",
        "binary [1, 2]",
        "pong asked p",
        "about to close",
        "Closing",
        "Unconnected",
        "disconnected Some(1000) done",
    ])?;
    let local = "127.0.0.1".parse().ok();
    assert_eq!((socket.peer_address(), socket.local_address()), (local, local));
    assert_eq!(socket.peer_port(), server_port(&socket)?);
    Ok(())
}

fn server_port(socket: &WebSocket) -> Result<u16> {
    let url = socket.request_url();
    let port = url.trim_end_matches('/').rsplit(':').next();
    Ok(port.with_context(|| url.clone())?.parse()?)
}

/// Qt: CLI-21: `connected` first, then what came with the answer.
#[test]
fn frames_behind_the_answer_are_delivered_after_connected() -> Result<()> {
    let server = RawServer::listen()?;
    let (socket, recorder) = recorded_client();
    socket.open(server.url())?;

    serve(move || {
        let mut client = server.read_request()?;
        let answer = client.upgrade()?;
        let early = [answer.as_bytes(), &unmasked(TEXT, b"one"), &unmasked(TEXT, b"two")].concat();
        client.peer.send(early)?;
        client.close(1001, "bye")
    })?;

    recorder.check_life(&[
        "Connecting",
        "Connected",
        "connected",
        "text one",
        "text two",
        "about to close",
        "Closing",
        "Unconnected",
        "disconnected Some(1001) bye",
    ])
}

/// A closing client is as a closing server: the peer's messages are delivered until it answers.
#[test]
fn a_closing_client_delivers_what_still_comes() -> Result<()> {
    let server = RawServer::listen()?;
    let (socket, recorder) = recorded_client();
    socket.connected().connect(|socket, ()| {
        socket.send_text_message("last");
        socket.close(4000, "enough");
        assert_eq!(socket.send_text_message("too late"), SendStatus::NotConnected);
    });
    socket.open(server.url())?;

    serve(move || {
        let mut client = server.open()?;
        client.expect(&Frame::text("last"))?;
        let close = Frame::close(4000, "enough");
        client.expect(&close)?;
        client.peer.send(unmasked(TEXT, b"on its way"))?;
        client.peer.send(unmasked(close.opcode, &close.payload))?;
        ensure!(client.peer.read_to_end()?.is_empty());
        Ok(())
    })?;

    recorder.check_life(&[
        "Connecting",
        "Connected",
        "connected",
        "about to close",
        "Closing",
        "text on its way",
        "Unconnected",
        "disconnected Some(4000) enough",
    ])
}

/// A panic in the slot of `connected` ends that connection with 1011, and nothing else.
#[test]
fn a_panic_in_connected_closes_with_1011() -> Result<()> {
    let server = RawServer::listen()?;
    let (socket, recorder) = recorded_client();
    socket.connected().connect(|_socket, ()| panic_in_slot());
    socket.open(server.url())?;

    let code = serve(move || {
        let mut client = server.open()?;
        let code = client.read_frame()?.frame.close_code()?;
        client.peer.finish()?;
        Ok(code)
    })?;

    assert_eq!(code, 1011);
    recorder.wait_for_disconnected(1)
}

/// The loop keeps an open socket alive, as Qt's parents do, and drops it after its end.
#[test]
fn a_socket_without_handles_lives_until_it_is_disconnected() -> Result<()> {
    let server = RawServer::listen()?;
    let (socket, recorder) = recorded_client();
    let weak = slotwork::signals::Handle::downgrade(&socket);
    socket.open(server.url())?;
    drop(socket);

    serve(move || {
        let mut client = server.open()?;
        client.peer.send(unmasked(TEXT, b"still there"))?;
        client.close(1000, "")
    })?;

    recorder.wait_for_disconnected(1)?;
    wait_until(|| weak.upgrade().is_none())?;
    assert!(recorder.lines().contains(&"text still there".to_owned()));
    Ok(())
}

/// Qt: CLI-25, without moving: a socket lives where it was made, and any thread may use it.
#[test]
fn another_thread_opens_sends_and_closes() -> Result<()> {
    let echo = |socket: &WebSocket, text: &str| _ = socket.send_text_message(text);
    let (server, lives) = recorded_server(echo)?;
    let (socket, recorder) = recorded_client();
    let connected = SignalSpy::new(&socket.connected());
    let (handle, url) = (socket.clone(), server.server_url());

    serve(move || Ok(handle.open(url)?))?;
    connected.wait_for(1)?;
    let handle = socket.clone();
    serve(move || Ok(handle.send_text_message("from afar").into_result()?))?;
    wait_until(|| recorder.lines().contains(&"text from afar".to_owned()))?;
    let handle = socket.clone();
    serve(move || Ok(handle.close(1000, "").into_result()?))?;

    recorder.wait_for_disconnected(1)?;
    lives.wait_for_disconnected(1)
}

/// A thread that ends takes its connection along, in whatever state that is.
#[test]
fn a_loop_that_ends_takes_connecting_and_open_sockets_along() -> Result<()> {
    let (silent, open) = (RawServer::listen()?, RawServer::listen()?);
    let urls = (silent.url(), open.url());
    let sockets = in_thread(move |event_loop| {
        let sockets = [WebSocket::new(), WebSocket::new()];
        sockets[0].open(urls.0).unwrap();
        sockets[1].open(urls.1).unwrap();
        sockets[1].connected().connect(|_socket, ()| EventLoop::current().quit());
        let acceptor = std::thread::spawn(move || (silent.read_request(), open.open()));
        event_loop.exec();
        (sockets, acceptor.join().is_ok())
    })?;

    // The end of the loop comes with the very end of its thread.
    let (sockets, _) = sockets;
    wait_until(|| sockets.iter().all(|socket| socket.state() == SocketState::Unconnected))
}

/// CLIENT-01: one deadline, which a slow name look-up does not extend.
#[test]
fn the_default_deadline_is_ten_seconds() {
    let socket = WebSocket::new();

    assert_eq!(socket.connect_timeout(), Some(Duration::from_secs(10)));
    socket.set_connect_timeout(None);
    assert_eq!(socket.connect_timeout(), None);
}
