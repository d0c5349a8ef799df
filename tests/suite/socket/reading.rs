//! Paused reading.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use slotwork::{EventLoop, WebSocket};

use support::raw_peer::{RawPeer, TEXT, check_good_client, masked, masked_texts};
use support::{echo_server, recorded_server, serve};

/// No message follows the one with the slot that pauses, although they came together; none is lost.
#[test]
fn a_paused_socket_delivers_nothing_until_it_is_resumed() -> Result<()> {
    let (server, recorder) = recorded_server(|socket, text| {
        if text == "pause" {
            socket.pause_reading();
            assert!(socket.is_reading_paused());
            socket.send_text_message("paused");
        }
    })?;
    let port = server.server_port();

    let mut peer = serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked_texts(&["one", "pause", "two", "three"]))?;
        peer.expect_texts(&["paused"])?;
        peer.send(masked_texts(&["four"]))?;
        Ok(peer)
    })?;
    let _other = serve(move || RawPeer::open(port))?;
    recorder.check(&["text one", "text pause"])?;

    let paused = server.clients().into_iter().find(WebSocket::is_reading_paused);
    paused.context("nobody is paused")?.resume_reading();
    serve(move || peer.close(1000, ""))?;
    recorder.check_start(&["text one", "text pause", "text two", "text three", "text four"])
}

/// Back-pressure: TCP holds the peer of a paused socket back; memory does not grow.
#[test]
fn a_paused_socket_holds_its_peer_back() -> Result<()> {
    let server = echo_server()?;
    let paused = Rc::new(RefCell::new(None::<WebSocket>));
    let keep = Rc::clone(&paused);
    server.new_connection().connect(move |server, ()| {
        if keep.borrow().is_none()
            && let [socket] = &server.clients()[..]
        {
            socket.pause_reading();
            keep.replace(Some(socket.clone()));
        }
    });
    let port = server.server_port();

    let (mut peer, sent) = serve(move || {
        let mut peer = RawPeer::open(port)?;
        let mut flood = peer.try_clone_stream()?;
        flood.set_write_timeout(Some(Duration::from_millis(200)))?;
        let message = masked(TEXT, &vec![b'x'; 60_000]);
        let mut sent = 0;
        // Until the kernel takes no more; a message may be cut off there.
        while let Ok(count @ 1..) = std::io::Write::write(&mut flood, &message) {
            sent += count;
            if count < message.len() {
                break;
            }
            ensure!(sent < 200_000_000, "nothing holds it back");
        }
        check_good_client(port)?;
        peer.expect_silence()?;
        Ok((peer, sent))
    })?;

    let socket = paused.take().context("nobody came")?;
    assert_eq!(socket.bytes_to_write(), 0);
    socket.resume_reading();
    serve(move || {
        let echo = peer.read_frame()?;
        ensure!(echo.payload.len() == 60_000 && sent >= 60_000);
        Ok(())
    })
}

/// A paused socket can be closed, and ends although its peer's answer is not read.
#[test]
fn a_paused_socket_can_be_aborted() -> Result<()> {
    let (server, recorder) = recorded_server(|socket, _text| {
        socket.pause_reading();
        let socket = socket.clone();
        EventLoop::current().handle().post(move || socket.abort());
    })?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked_texts(&["one", "two"]))?;
        peer.read_to_end().map(drop)
    })?;

    recorder.check_start(&["text one", "about to close", "Unconnected"])
}
