//! Slots as programs write them, and what they may do to their own signal and sender.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use anyhow::{Result, ensure};
use slotwork::signals::{Connection, SignalRef};
use slotwork::{CloseCode, EventLoop, WebSocket, WebSocketServer};

use support::raw_peer::{
    BINARY, PONG, RawPeer, check_good_client, masked, masked_close, masked_texts,
};
use support::recorder::Recorder;
use support::{echo_server, listening_server, serve, wait_until};

/// Closures that capture nothing: the sender is an argument.
#[test]
fn slots_need_no_clones() -> Result<()> {
    let server = listening_server()?;
    let port = server.server_port();

    server.new_connection().connect(|server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            socket.text_message_received().connect(|socket, text| {
                socket.send_text_message(text);
            });
            socket.disconnected().connect(|_socket, ()| EventLoop::current().quit());
        }
    });
    server.server_error().connect(|_server, error| eprintln!("rejected: {error}"));

    serve(move || check_good_client(port))
}

/// Slots come and go between the messages of one read, and take along what they have captured.
#[test]
fn slots_may_change_between_messages_of_one_read() -> Result<()> {
    let server = listening_server()?;
    let port = server.server_port();
    server.new_connection().connect(|server, ()| {
        let Some(socket) = server.next_pending_connection() else { return };
        let (captured, first) = (Rc::new(()), Rc::new(OnceCell::<Connection>::new()));
        let (kept, ended) = (Rc::downgrade(&captured), Rc::clone(&first));
        let connection = socket.text_message_received().connect(move |socket, text| {
            socket.send_text_message(format!("{text} {}", Rc::strong_count(&captured)));
            match text {
                "add" => {
                    let kept = kept.clone();
                    socket.text_message_received().connect(move |socket, text| {
                        socket.send_text_message(format!("second {text} {}", kept.strong_count()));
                    });
                }
                "end" => _ = ended.get().map(Connection::disconnect),
                _ => {}
            }
        });
        assert!(first.set(connection.clone()).is_ok());
        socket.pong().connect(move |socket, _pong| {
            socket.send_text_message(format!("pong {}", connection.is_connected()));
        });
    });

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        let pong = masked(PONG, b"");
        let first = masked_texts(&["one", "two", "add", "three"]);
        let second = masked_texts(&["end", "four"]);
        peer.send([&first[..], &pong, &second, &pong].concat())?;

        peer.expect_texts(&["one 1", "two 1", "add 1", "three 1", "second three 1", "pong true"])?;
        peer.expect_texts(&["end 1", "second end 1", "second four 0", "pong false"])
    })
}

/// A slot of one kind of messages may disconnect that of the other, which is dropped at once.
#[test]
fn a_slot_of_binary_messages_disconnects_that_of_texts() -> Result<()> {
    let server = listening_server()?;
    let port = server.server_port();
    server.new_connection().connect(|server, ()| {
        let Some(socket) = server.next_pending_connection() else { return };
        let captured = Rc::new(());
        let kept = Rc::downgrade(&captured);
        let texts = socket.text_message_received().connect(move |socket, text| {
            socket.send_text_message(format!("{text} {}", Rc::strong_count(&captured)));
        });
        socket.binary_message_received().connect(move |socket, _bytes| {
            texts.disconnect();
            socket.send_text_message(format!("left {}", kept.strong_count()));
        });
    });

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        let (texts, binary) = (masked_texts(&["one", "two", "three"]), masked(BINARY, b""));
        peer.send([&texts[..], &binary, &texts, &binary].concat())?;

        peer.expect_texts(&["one 1", "two 1", "three 1", "left 0", "left 0"])
    })
}

/// A chat as users write it: methods as slots, the sockets in a list, removed in `disconnected`.
#[derive(Default)]
struct Chat {
    clients: RefCell<Vec<WebSocket>>,
}

impl Chat {
    fn on_new_connection(self: &Rc<Self>, server: &WebSocketServer, (): &()) {
        while let Some(socket) = server.next_pending_connection() {
            socket.text_message_received().connect_to(self, Self::process_message);
            socket.disconnected().connect_to(self, Self::socket_disconnected);
            socket.send_text_message("welcome");
            self.clients.borrow_mut().push(socket);
        }
    }

    fn process_message(self: &Rc<Self>, sender: &WebSocket, text: &str) {
        for client in self.clients.borrow().iter().filter(|client| *client != sender) {
            client.send_text_message(text);
        }
    }

    fn socket_disconnected(self: &Rc<Self>, socket: &WebSocket, (): &()) {
        self.clients.borrow_mut().retain(|client| client != socket);
    }
}

/// Users: 21 of 40 servers keep such a list, 19 remove from it inside `disconnected`.
#[test]
fn a_chat_forwards_to_those_that_are_there() -> Result<()> {
    let server = listening_server()?;
    let port = server.server_port();
    let chat = Rc::new(Chat::default());
    server.new_connection().connect_to(&chat, Chat::on_new_connection);

    let remaining = serve(move || {
        let mut peers = Vec::new();
        for _ in 0..4 {
            let mut peer = RawPeer::open(port)?;
            peer.expect_texts(&["welcome"])?;
            peers.push(peer);
        }
        peers[0].send(masked_texts(&["hello"]))?;
        for peer in &mut peers[1..] {
            peer.expect_texts(&["hello"])?;
        }
        peers.remove(3).reset()?;
        peers.remove(2).close(1000, "bye")?;
        peers[1].send(masked_texts(&["two left"]))?;
        peers[0].expect_texts(&["two left"])?;
        Ok(peers)
    })?;
    wait_until(|| chat.clients.borrow().len() == 2)?;

    drop(remaining);
    wait_until(|| chat.clients.borrow().is_empty())
}

/// Qt: a slot goes with its receiver.
#[test]
fn a_slot_goes_with_its_receiver() -> Result<()> {
    let server = listening_server()?;
    let port = server.server_port();
    let chat = Rc::new(Chat::default());
    server.new_connection().connect_to(&chat, Chat::on_new_connection);

    let mut peer = serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.expect_texts(&["welcome"])?;
        Ok(peer)
    })?;
    let socket = chat.clients.borrow()[0].clone();
    drop(chat);

    assert_eq!(server.new_connection().slot_count(), 0);
    assert_eq!(socket.text_message_received().slot_count(), 0);
    serve(move || peer.close(1000, "").map(drop))
}

type End = fn(&WebSocket);
type Connect = fn(&WebSocket, &Recorder, End);

/// Semantics of slots, for each signal of a socket: a slot that disconnects itself, connects
/// another one, and closes or aborts the sender is called once; the other one, from then on.
#[test]
fn a_slot_may_change_everything_about_its_own_socket() -> Result<()> {
    let close: End = |socket| _ = socket.close(CloseCode::NORMAL, "by a slot");
    let orderly = masked_close(1000, "");
    // With the number of later emissions when the slot closes, and when it aborts.
    let table: [(&str, Connect, &[u8], [usize; 2]); 8] = [
        (
            "text",
            |s, log, end| restless(s, WebSocket::text_message_received, log, end),
            b"",
            [1, 0],
        ),
        (
            "binary",
            |s, log, end| restless(s, WebSocket::binary_message_received, log, end),
            b"",
            [1, 0],
        ),
        ("pong", |s, log, end| restless(s, WebSocket::pong, log, end), b"", [1, 0]),
        ("written", |s, log, end| restless(s, WebSocket::bytes_written, log, end), b"", [1, 0]),
        ("about", |s, log, end| restless(s, WebSocket::about_to_close, log, end), &orderly, [0, 0]),
        ("state", |s, log, end| restless(s, WebSocket::state_changed, log, end), &orderly, [1, 1]),
        ("error", |s, log, end| restless(s, WebSocket::error_occurred, log, end), b"", [0, 0]),
        ("disconnected", |s, log, end| restless(s, WebSocket::disconnected, log, end), b"", [0, 0]),
    ];

    for (name, connect, last_words, later) in table {
        for (end, later) in [close, WebSocket::abort].into_iter().zip(later) {
            let lines = live_and_end(connect, end, last_words)?;
            let count = |wanted| lines.iter().filter(|line| *line == wanted).count();
            ensure!(count("restless") == 1, "{name}: {lines:?}");
            ensure!(count("disconnected") == 1, "{name}: {lines:?}");
            ensure!(count("later") == later, "{name}: {later} expected, {lines:?}");
        }
    }
    Ok(())
}

/// Connects a slot that does all it may do to its own signal and sender.
fn restless<T: ?Sized + ToOwned<Owned: Send> + 'static>(
    socket: &WebSocket,
    signal: for<'a> fn(&'a WebSocket) -> SignalRef<'a, WebSocket, T>,
    recorder: &Recorder,
    end: End,
) {
    let own = Rc::new(OnceCell::<Connection>::new());
    let (in_slot, recorder) = (Rc::clone(&own), recorder.clone());
    let connection = signal(socket).connect(move |socket, _value| {
        recorder.add("restless");
        in_slot.get().map(Connection::disconnect);
        let later = recorder.clone();
        signal(socket).connect(move |_socket, _value| later.add("later"));
        end(socket);
    });
    own.get_or_init(|| connection);
}

/// Runs a socket from its beginning to its end, and returns what was recorded.
fn live_and_end(connect: Connect, end: End, last_words: &[u8]) -> Result<Vec<String>> {
    let recorder = Recorder::default();
    let server = listening_server()?;
    let port = server.server_port();
    let watcher = recorder.clone();
    server.new_connection().connect(move |server, ()| {
        let Some(socket) = server.next_pending_connection() else { return };
        connect(&socket, &watcher, end);
        let watcher = watcher.clone();
        socket.disconnected().connect(move |_socket, ()| watcher.add("disconnected"));
        socket.send_text_message("welcome");
    });

    let messages = [masked_texts(&["text"]), masked(BINARY, b"binary"), masked(PONG, b"pong")];
    let bytes = [messages.concat().repeat(2), last_words.to_vec()].concat();
    serve(move || {
        let mut peer = RawPeer::open(port)?;
        // Refused when the server was quicker to end.
        let _ = peer.send(bytes).and_then(|()| peer.finish());
        peer.read_to_end().map(drop)
    })?;
    recorder.wait_for_disconnected(1)?;
    Ok(recorder.lines())
}

/// Qt: a signal may be emitted inside its own slot: here by a loop that accepts a second client.
#[test]
fn new_connection_may_be_emitted_inside_its_own_slot() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();
    let (depth, deepest) = (Cell::new(0), Rc::new(Cell::new(0)));
    let seen = Rc::clone(&deepest);
    server.new_connection().connect(move |_server, ()| {
        depth.set(depth.get() + 1);
        seen.set(seen.get().max(depth.get()));
        match depth.get() {
            1 => _ = EventLoop::current().exec(),
            _ => EventLoop::current().quit(),
        }
        depth.set(depth.get() - 1);
    });

    serve(move || {
        let mut first = RawPeer::open(port)?;
        check_good_client(port)?;
        first.check_echo("first")
    })?;

    assert_eq!(deepest.get(), 2);
    Ok(())
}
