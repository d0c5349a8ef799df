//! The closing handshake (RFC 6455 §7.1): its codes, its deadlines, and the signals of each side.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::mpsc;

use anyhow::{Result, ensure};
use slotwork::{CloseCode, EventLoop, SendStatus, SocketState, WebSocket};

use support::raw_peer::{
    BINARY, CLOSE, Frame, RawPeer, TEXT, check_good_client, masked, masked_close, masked_texts,
};
use support::recorder::Recorder;
use support::{DEADLINE, echo, listening_server, recorded_server, serve};

/// Qt: CLS-01, CLS-07, CLS-14; RFC 6455 §7.1.2: `Closing` at once, the code readable at once, messages are
/// delivered until the peer has answered, a second `close` does nothing. Qt stays `Connected`.
#[test]
fn the_server_closes() -> Result<()> {
    let (server, recorder) = recorded_server(|socket, text| {
        if text != "close" {
            return;
        }
        assert_eq!(socket.close(CloseCode::GOING_AWAY, "going away"), SendStatus::Queued);
        assert_eq!(socket.close(CloseCode::NORMAL, "again"), SendStatus::NotConnected);

        assert_eq!(socket.state(), SocketState::Closing);
        assert!(!socket.is_valid());
        assert_eq!(socket.close_code(), Some(CloseCode::GOING_AWAY));
        assert_eq!(socket.close_reason(), "going away");
    })?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked_texts(&["close", "same segment"]))?;
        peer.expect(&Frame::close(1001, "going away"))?;
        peer.send(masked_texts(&["on its way"]))?;
        peer.send(masked_close(1001, "going away"))?;
        ensure!(peer.read_to_end()?.is_empty());
        Ok(())
    })?;
    recorder.check_life(&[
        "text close",
        "text same segment",
        "about to close",
        "Closing",
        "text on its way",
        "Unconnected",
        "disconnected Some(1001) going away",
    ])
}

/// Qt: CLS-04; RFC 6455 §5.5.1: the answer carries the peer's code and reason; `about_to_close`
/// comes once (Qt: twice).
#[test]
fn the_peer_closes_first() -> Result<()> {
    let (server, recorder) = recorded_server(|_socket, _text| {})?;
    let port = server.server_port();

    serve(move || {
        let answer = RawPeer::open(port)?.close(1000, "hello")?;
        ensure!(answer == Frame::close(1000, "hello"), "{answer:?}");
        Ok(())
    })?;
    recorder.check_life(&[
        "about to close",
        "Closing",
        "Unconnected",
        "disconnected Some(1000) hello",
    ])
}

/// Qt: CLS-09, where it goes out behind the close frame, twice; RFC 6455 §5.5.1: nothing may.
#[test]
fn what_is_sent_in_about_to_close_is_refused() -> Result<()> {
    let (server, recorder) = recorded_server(|socket, text| {
        if text == "close" {
            socket.close(CloseCode::NORMAL, "");
        }
    })?;
    let taken = recorder.clone();
    server.new_connection().connect(move |server, ()| {
        for socket in server.clients() {
            let taken = taken.clone();
            socket.about_to_close().connect(move |socket, ()| {
                taken.add(format!("late: {:?}", socket.send_text_message("late")));
            });
        }
    });
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked(TEXT, b"close"))?;
        peer.expect(&Frame::close(1000, ""))?;
        peer.close_back()?;
        ensure!(peer.read_to_end()?.is_empty());
        Ok(())
    })?;
    recorder.check_start(&["text close", "about to close", "late: NotConnected", "Closing"])
}

/// Qt: CLS-12 and CLS-13, where deleting a socket closes it, or worse: here the last handle goes
/// inside a slot, and what came with that message, and later, is served on.
#[test]
fn dropping_the_last_handle_inside_a_slot_closes_nothing() -> Result<()> {
    let server = listening_server()?;
    let kept = Rc::new(RefCell::new(Vec::new()));
    let list = Rc::clone(&kept);
    server.new_connection().connect(move |server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            socket.text_message_received().connect_to(&list, |list, socket, text| {
                socket.send_text_message(format!("{text}, {} kept", list.borrow().len()));
                list.borrow_mut().clear();
            });
            list.borrow_mut().push(socket);
        }
    });
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked_texts(&["one", "two"]))?;
        peer.expect_texts(&["one, 1 kept", "two, 0 kept"])?;
        peer.send(masked(TEXT, b"later"))?;
        peer.expect_texts(&["later, 0 kept"])?;
        peer.close(1000, "")?;
        Ok(())
    })
}

/// RFC 6455 §7.1.5: a close frame without a code is reported as 1005 (Qt: 1000), and answered by
/// one without a code, for 1005 is never sent.
#[test]
fn the_peer_closes_without_a_code() -> Result<()> {
    let (server, recorder) = recorded_server(|_socket, _text| {})?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked(CLOSE, b""))?;
        peer.expect(&Frame { opcode: CLOSE, payload: vec![] })?;
        ensure!(peer.read_to_end()?.is_empty());
        Ok(())
    })?;
    recorder.check_life(&["about to close", "Closing", "Unconnected", "disconnected Some(1005) "])
}

/// RFC 6455 §7.1.2: both sides close before they see the other's frame; neither answers twice.
#[test]
fn both_sides_close_at_once() -> Result<()> {
    let (server, recorder) = recorded_server(|socket, _text| {
        let _ = socket.close(CloseCode::NORMAL, "ours");
    })?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send([masked_texts(&["close"]), masked_close(4000, "theirs")].concat())?;
        peer.expect(&Frame::close(1000, "ours"))?;
        ensure!(peer.read_to_end()?.is_empty());
        Ok(())
    })?;
    recorder.check_life(&[
        "text close",
        "about to close",
        "Closing",
        "Unconnected",
        "disconnected Some(1000) ours",
    ])
}

/// Qt: CLS-03 (sends any code); RFC 6455 §7.4: refused, and the socket stays open.
#[test]
fn a_code_that_must_not_be_sent_is_refused() -> Result<()> {
    let (server, _recorder) = recorded_server(|socket, text| {
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535] {
            let code = CloseCode::new(code);
            assert_eq!(socket.close(code, "no"), SendStatus::InvalidCloseCode(code));
        }
        assert_eq!((socket.state(), socket.close_code()), (SocketState::Connected, None));
        socket.send_text_message(text);
    })?;
    let port = server.server_port();

    serve(move || check_good_client(port))
}

/// Qt: CLS-02 (cuts inside a character); RFC 6455 §5.5: 123 bytes of reason, whole characters.
#[test]
fn a_long_reason_is_cut_at_a_character() -> Result<()> {
    let table = [("a", 200, 123), ("é", 100, 61), ("𝄞", 100, 30)];

    for (character, count, kept) in table {
        let reason = Rc::new(RefCell::new(String::new()));
        let own = Rc::clone(&reason);
        let (server, recorder) = recorded_server(move |socket, _text| {
            let _ = socket.close(CloseCode::NORMAL, character.repeat(count));
            own.replace(socket.close_reason());
        })?;
        let port = server.server_port();
        serve(move || {
            let mut peer = RawPeer::open(port)?;
            peer.send(masked_texts(&["close"]))?;
            peer.expect(&Frame::close(1000, &character.repeat(kept)))?;
            peer.send(masked_close(1000, ""))
        })?;
        recorder.wait_for_disconnected(1)?;
        // Both ends have the same reason.
        assert_eq!(*reason.borrow(), character.repeat(kept));
    }
    Ok(())
}

/// Qt: CLS-10: in the slot of `disconnected` all is readable, and nothing can be sent.
#[test]
fn the_slot_of_disconnected_can_still_ask() -> Result<()> {
    let (server, recorder) = recorded_server(|socket, _text| {
        let (address, peer_port) = (socket.peer_address(), socket.peer_port());
        socket.disconnected().connect(move |socket, ()| {
            assert_eq!(socket.state(), SocketState::Unconnected);
            assert!(socket.send_text_message("late").into_result().is_err());
            assert_eq!((socket.peer_address(), socket.peer_port()), (address, peer_port));
            assert!(address.is_some() && peer_port != 0);
            assert_eq!(socket.resource_name(), "/chat?room=1");
            // After the end these do nothing, and emit nothing.
            assert_eq!(socket.close(CloseCode::NORMAL, "late"), SendStatus::NotConnected);
            socket.abort();
            assert_eq!(socket.close_code(), Some(CloseCode::new(4001)));
            let _ = socket.send_text_message("asked");
            CHECKED.set(true);
        });
    })?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked_texts(&["watch"]))?;
        peer.close(4001, "bye").map(drop)
    })?;
    recorder.check_life(&[
        "text watch",
        "about to close",
        "Closing",
        "Unconnected",
        "disconnected Some(4001) bye",
    ])?;
    EventLoop::current().process_events();
    ensure!(CHECKED.get(), "an assertion in the slot failed");
    Ok(())
}

/// CLS-08; RFC 6455 §5.5.1: a peer that has said all, also by TCP, still gets every message that was
/// sent before our close frame, and that.
#[test]
fn a_peer_that_ended_its_direction_reads_what_was_sent() -> Result<()> {
    const COUNT: usize = 12;
    let server = listening_server()?;
    let port = server.server_port();
    let (say_closing, closing) = mpsc::channel();
    server.new_connection().connect(move |server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            echo(&socket);
            let say_closing = say_closing.clone();
            socket.about_to_close().connect(move |_socket, ()| say_closing.send(()).unwrap());
        }
    });

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        let message = vec![7; 1_000_000];
        peer.send(masked(BINARY, &message).repeat(COUNT))?;
        peer.send(masked_close(1000, "done"))?;
        peer.finish()?;
        // It has read nothing so far: more waits for it than the kernel takes. When the others have
        // been served, the server has seen the end as well.
        closing.recv_timeout(DEADLINE)?;
        check_good_client(port)?;
        check_good_client(port)?;

        for _ in 0..COUNT {
            let echo = peer.read_frame()?;
            ensure!(echo.opcode == BINARY && echo.payload == message, "another echo");
        }
        peer.expect(&Frame::close(1000, "done"))
    })
}

/// The first that a slot of `new_connection` may do is to close, or to abort.
#[test]
fn a_socket_may_be_closed_before_anything_else() -> Result<()> {
    type End = fn(&WebSocket);
    let table: [(End, Option<Frame>, &[&str]); 2] = [
        (
            |socket| _ = socket.close(CloseCode::POLICY_VIOLATED, "full"),
            Some(Frame::close(1008, "full")),
            &["about to close", "Closing", "Unconnected", "disconnected Some(1008) full"],
        ),
        (WebSocket::abort, None, &["about to close", "Unconnected", "disconnected Some(1006) "]),
    ];

    for (end, last_frame, lines) in table {
        let server = listening_server()?;
        let port = server.server_port();
        let recorder = Recorder::default();
        let watcher = recorder.clone();
        server.new_connection().connect(move |server, ()| {
            let Some(socket) = server.next_pending_connection() else { return };
            end(&socket);
            watcher.watch(&socket);
        });
        serve(move || {
            let mut peer = RawPeer::open(port)?;
            if let Some(frame) = last_frame {
                peer.expect(&frame)?;
                peer.send(masked_close(1008, ""))?;
            }
            ensure!(peer.read_to_end()?.is_empty());
            Ok(())
        })?;
        recorder.check_life(lines)?;
    }
    Ok(())
}

thread_local! {
    static CHECKED: Cell<bool> = const { Cell::new(false) };
}
