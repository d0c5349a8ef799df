//! The socket of a client, from `open` to `disconnected` and open again.

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{CloseCode, Error, EventLoop, SendStatus, SocketState, WebSocket};

use crate::support::raw_peer::{BINARY, Frame, TEXT, masked};
use crate::support::raw_server::{RawServer, unmasked};
use crate::support::recorder::Recorder;
use crate::support::{
    echo_server, in_thread, listening_server, panic_in_slot, recorded_server, serve, wait_until,
};

/// A client that writes down its signals.
fn recorded_client() -> (WebSocket, Recorder) {
    let (socket, recorder) = (WebSocket::new(), Recorder::default());
    recorder.watch(&socket);
    (socket, recorder)
}

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

/// Messages of every size, both ways between our own ends; Qt: SND-02, SND-10.
#[test]
fn messages_of_every_size_come_back() -> Result<()> {
    let server = echo_server()?;
    let socket = WebSocket::new();
    let lengths = Rc::new(Cell::new((0, 0)));
    socket.binary_message_received().connect_to(&lengths, |lengths, socket, bytes| {
        assert!(bytes.iter().all(|byte| *byte == 7));
        let (count, sum) = lengths.get();
        lengths.set((count + 1, sum + bytes.len()));
        if count + 1 == SIZES.len() {
            socket.close(1000, "");
        }
    });
    socket.connected().connect(|socket, ()| {
        for size in SIZES {
            let status = socket.send_binary_message(vec![7; size]);
            assert_eq!(status, SendStatus::Queued, "{size}");
        }
    });
    let disconnected = Rc::new(Cell::new(None));
    socket.disconnected().connect_to(&disconnected, |disconnected, socket, ()| {
        disconnected.set(socket.close_code());
    });

    socket.open(server.server_url())?;

    wait_until(|| disconnected.get().is_some())?;
    assert_eq!(disconnected.get(), Some(CloseCode::NORMAL));
    assert_eq!(lengths.get(), (SIZES.len(), SIZES.iter().sum()));
    Ok(())
}

const SIZES: [usize; 10] =
    [0, 1, 125, 126, 65_535, 65_536, 16_384, 600_000, 1 << 20, (16 << 20) - 3];

/// One message may be larger than what may wait for a peer: that limit is for peers that do not read.
#[test]
fn a_client_sends_a_message_larger_than_the_output_limit() -> Result<()> {
    let server = listening_server()?;
    server.new_connection().connect(|server, ()| {
        let Some(socket) = server.next_pending_connection() else { return };
        socket.set_max_allowed_incoming_message_size(HUGE);
        socket.binary_message_received().connect(|socket, bytes| {
            socket.send_text_message(bytes.len().to_string());
        });
    });
    let (socket, length) = (WebSocket::new(), Rc::new(Cell::new(0)));
    socket.connected().connect(|socket, ()| {
        assert_eq!(socket.send_binary_message(vec![1; HUGE]), SendStatus::Queued);
    });
    socket.text_message_received().connect_to(&length, |length, _socket, text| {
        length.set(text.parse().unwrap());
    });

    socket.open(server.server_url())?;

    wait_until(|| length.get() == HUGE)
}

const HUGE: usize = 20 << 20;

/// Qt: SND-04, SND-06; RFC 6455 §5.3: each frame has a key of its own that nobody foresees.
#[test]
fn each_frame_is_masked_with_a_fresh_key() -> Result<()> {
    let server = RawServer::listen()?;
    let socket = WebSocket::new();
    socket.set_outgoing_frame_size(NonZeroUsize::new(20_000).unwrap());
    socket.connected().connect(|socket, ()| {
        for _ in 0..20 {
            socket.send_text_message("a");
        }
        socket.send_binary_message(vec![5; 50_000]);
        socket.ping("");
    });
    socket.open(server.url())?;

    let keys = serve(move || {
        let mut client = server.open()?;
        let mut keys = Vec::new();
        for place in 0..24 {
            let frame = client.read_frame()?;
            let expected = match place {
                0..20 => Frame { opcode: TEXT, payload: b"a".to_vec() },
                20 => Frame { opcode: BINARY, payload: vec![5; 20_000] },
                21 => Frame { opcode: 0, payload: vec![5; 20_000] },
                22 => Frame { opcode: 0, payload: vec![5; 10_000] },
                _ => Frame { opcode: 9, payload: vec![] },
            };
            ensure!(frame.frame == expected, "frame {place}");
            ensure!(frame.is_final == !matches!(place, 20 | 21), "frame {place}");
            keys.push(frame.key);
        }
        client.close(1000, "")?;
        Ok(keys)
    })?;

    let mut distinct = keys.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), keys.len(), "{keys:?}");
    Ok(())
}

/// RFC 6455 §5.1, Qt: RCV-21: a server that masks is sent away, with a masked close frame.
#[test]
fn a_masked_frame_of_a_server_is_answered_with_1002() -> Result<()> {
    let server = RawServer::listen()?;
    let (socket, recorder) = recorded_client();
    socket.open(server.url())?;

    serve(move || {
        let mut client = server.open()?;
        client.peer.send(masked(TEXT, b"hello"))?;
        let code = client.read_frame()?.frame.close_code()?;
        ensure!(code == 1002, "{code}");
        ensure!(client.peer.read_to_end()?.is_empty());
        Ok(())
    })?;

    recorder.wait_for_disconnected(1)?;
    assert_eq!(socket.close_code(), Some(CloseCode::PROTOCOL_ERROR));
    assert!(socket.error().is_none());
    Ok(())
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

/// `open` is an error until `disconnected`: what is under way goes on, and ends in order.
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
        // The end has not been told yet.
        check(refused, socket);
    });
    let check = is_refused.clone();
    socket.state_changed().connect_to(&refused, move |refused, socket, _state| {
        check(refused, socket);
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
    assert_eq!(refused.get(), 6);
    Ok(())
}

/// The same for a socket that cannot connect: it may be opened again from `disconnected` on.
#[test]
fn a_socket_is_not_opened_again_before_its_failure_is_told() -> Result<()> {
    let server = RawServer::listen()?;
    let (socket, url) = (WebSocket::new(), server.url());
    let recorder = Recorder::default();
    recorder.watch(&socket);
    let results = Rc::new(Cell::new((false, false)));
    socket.error_occurred().connect_to(&results, {
        let url = url.clone();
        move |results, socket, _error| {
            let is_refused = matches!(socket.open(url.as_str()), Err(Error::AlreadyOpen));
            results.set((is_refused, false));
        }
    });
    socket.disconnected().connect_to(&results, {
        let url = url.clone();
        move |results, socket, ()| {
            if let (is_refused, false) = results.get() {
                results.set((is_refused, socket.open(url.as_str()).is_ok()));
            }
        }
    });

    socket.open(url.as_str())?;
    serve(move || {
        drop(server.accept()?);
        server.open()?.close(1000, "")
    })?;

    recorder.wait_for_disconnected(2)?;
    assert_eq!(results.get(), (true, true));
    Ok(())
}

/// Qt: CLI-26: nothing but the request is sent, and no error is told.
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

/// The loop keeps an open socket alive, as design and Qt's parents do, and then nobody does.
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
    serve(move || Ok(handle.send_text_message("from afar").ok()?))?;
    wait_until(|| recorder.lines().contains(&"text from afar".to_owned()))?;
    let handle = socket.clone();
    serve(move || Ok(handle.close(1000, "").ok()?))?;

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

/// catalogue.md, Client: one deadline, which a name that is being looked up does not stretch.
#[test]
fn the_default_deadline_is_ten_seconds() {
    let socket = WebSocket::new();

    assert_eq!(socket.connect_timeout(), Some(Duration::from_secs(10)));
    socket.set_connect_timeout(None);
    assert_eq!(socket.connect_timeout(), None);
}
