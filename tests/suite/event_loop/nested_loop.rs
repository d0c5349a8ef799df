//! Slots that run a loop of their own: other sockets are served, their own delivers nothing.

use std::cell::{Cell, RefCell};
use std::net::{Ipv4Addr, TcpStream};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use slotwork::signals::{self, Signal, SignalSpy};
use slotwork::{EventLoop, NestedLoop, Timer, Verdict, WebSocket, WebSocketServer};
use smol::{channel, future};
use socket2::SockRef;

use support::logged::warnings_of;
use support::raw_peer::{PING, PONG, RawPeer, TEXT, masked, masked_frame, masked_texts};
use support::recorder::Recorder;
use support::{echo_server, listening_server, recorded_server, serve, wait_until};

/// Qt: RCV-17; regression QTBUG-87279 (a slot that re-enters got messages twice). Messages that
/// arrive meanwhile come after the slot has returned, in order; others are served inside.
#[test]
fn a_socket_is_not_reentered_while_others_are_served() -> Result<()> {
    let (server, recorder) = nesting_server()?;
    let port = server.server_port();

    let _peers = serve(move || {
        let (mut nesting, mut other) = (RawPeer::open(port)?, RawPeer::open(port)?);
        nesting.send(masked_texts(&["nest", "first"]))?;
        nesting.send(masked_frame(TEXT, b"sec"))?;
        other.check_echo("inside")?;
        nesting.send(masked_frame(0x80, b"ond"))?;
        other.check_echo("leave")?;

        nesting.expect_texts(&["nest", "first", "second"])?;
        nesting.check_echo("afterwards")?;
        Ok([nesting, other])
    })?;
    recorder.check(&[
        "text nest",
        "text inside",
        "text leave",
        "text first",
        "text second",
        "text afterwards",
    ])
}

/// An async slot and a verifier that run a loop of their own in the middle of a step, and wait for
/// input in it, continue afterwards, by each way into a loop.
#[test]
fn async_code_that_runs_a_loop_is_woken_by_what_comes_in_it() -> Result<()> {
    type Way = fn(&SignalSpy<i32>);
    let ways: [(&str, Way); 4] = [
        ("processEvents", |_| _ = EventLoop::current().process_events()),
        ("queue", |_| _ = signals::process_events()),
        ("QEventLoop", |_| {
            let nested = Rc::new(NestedLoop::new());
            let quitting = Rc::clone(&nested);
            Timer::single_shot(Duration::from_millis(1), move || quitting.quit());
            nested.exec();
        }),
        ("QSignalSpy", |spy| _ = spy.wait_for_within(usize::MAX, Duration::from_millis(1))),
    ];
    for (name, run_loop) in ways {
        let wait = async move || {
            let signal = Signal::new();
            let spy = SignalSpy::new(&signal);
            let nested = async {
                signal.emit(&1);
                run_loop(&spy);
            };
            future::zip(signal.next(), nested).await.0
        };
        let (go, done) = (Signal::<()>::new(), Rc::new(Cell::new(None)));
        let slot = Rc::clone(&done);
        go.connect_async(async move |()| slot.set(wait().await));
        let server = echo_server()?;
        server.set_verifier(async move |_server, _handshake| match wait().await {
            Some(1) => Verdict::accept(),
            _ => Verdict::refuse(403, ""),
        });
        let port = server.server_port();

        go.emit(&());
        wait_until(|| done.get() == Some(1)).context(name)?;
        serve(move || RawPeer::open(port)?.check_echo("hello")).context(name)?;
    }
    Ok(())
}

/// Qt: RCV-17: what a slot was lent stays as it is, whatever is received in the loop inside it.
#[test]
fn a_lent_message_does_not_change_inside_a_nested_loop() -> Result<()> {
    let (server, _recorder) = nesting_server()?;
    let port = server.server_port();
    let big = format!("nest {}", "n".repeat(200_000));

    serve(move || {
        for text in ["nest", &big] {
            let (mut nesting, mut other) = (RawPeer::open(port)?, RawPeer::open(port)?);
            nesting.send(masked(TEXT, text.as_bytes()))?;
            for length in [10, 60_000, 300_000] {
                other.check_echo(&"o".repeat(length))?;
            }
            other.check_echo("leave")?;
            nesting.expect_texts(&[text])?;
        }
        Ok(())
    })
}

/// Qt: RCV-17: nested twice; each `leave` ends the innermost loop.
#[test]
fn nested_loops_end_from_the_inside() -> Result<()> {
    let (server, _recorder) = nesting_server()?;
    let port = server.server_port();

    serve(move || {
        let mut peers = [RawPeer::open(port)?, RawPeer::open(port)?, RawPeer::open(port)?];
        let [outer, inner, other] = &mut peers;
        outer.send(masked_texts(&["nest outer"]))?;
        other.check_echo("both")?;
        inner.send(masked_texts(&["nest inner"]))?;
        other.check_echo("inside")?;

        other.check_echo("leave")?;
        inner.expect_texts(&["nest inner"])?;
        other.check_echo("still inside the outer one")?;
        other.check_echo("leave")?;
        outer.expect_texts(&["nest outer"])
    })
}

/// The peer of a slot that runs a loop closes meanwhile: the socket ends after the slot.
#[test]
fn a_peer_that_closes_inside_a_nested_loop_is_noticed_afterwards() -> Result<()> {
    let (server, recorder) = nesting_server()?;
    let port = server.server_port();

    let _other = serve(move || {
        let (mut nesting, mut other) = (RawPeer::open(port)?, RawPeer::open(port)?);
        nesting.send(masked_texts(&["nest"]))?;
        drop(nesting);
        other.check_echo("inside")?;
        other.check_echo("leave")?;
        Ok(other)
    })?;
    recorder.check_life(&[
        "text nest",
        "text inside",
        "text leave",
        "error: the peer closed the connection without a closing handshake",
        "Unconnected",
        "disconnected Some(1006) ",
    ])
}

/// What a slot has sent goes out before it waits in a loop of its own, as in Qt.
#[test]
fn output_leaves_while_the_slot_runs_a_nested_loop() -> Result<()> {
    let (server, _recorder) = recorded_server(|socket, text| match text {
        "nest" => {
            socket.send_text_message("please wait");
            EventLoop::current().exec();
        }
        _ => EventLoop::current().quit(),
    })?;
    let port = server.server_port();

    serve(move || {
        let (mut nesting, mut other) = (RawPeer::open(port)?, RawPeer::open(port)?);
        nesting.send(masked_texts(&["nest"]))?;
        let outcome = nesting.expect_texts(&["please wait"]);
        other.send(masked_texts(&["leave"]))?;
        outcome
    })
}

/// The same for more than the kernel takes at once.
#[test]
fn much_output_leaves_while_the_slot_runs_a_nested_loop() -> Result<()> {
    const MUCH: usize = 12 * 1024 * 1024;
    let (server, _recorder) = recorded_server(|socket, text| match text {
        "nest" => {
            socket.send_binary_message(vec![0; MUCH]);
            EventLoop::current().exec();
        }
        _ => EventLoop::current().quit(),
    })?;
    let port = server.server_port();

    serve(move || {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        SockRef::from(&stream).set_recv_buffer_size(64 * 1024)?;
        let (mut nesting, mut other) = (RawPeer::of(stream)?, RawPeer::open(port)?);
        nesting.shake_hands()?;
        nesting.send(masked_texts(&["nest"]))?;
        let outcome = nesting.read_bytes(MUCH);
        other.send(masked_texts(&["leave"]))?;
        outcome.map(drop)
    })
}

/// Qt: RCV-17: a loop inside a slot gets nothing of the slot's own socket, which debug builds log
/// once; a queued slot and an async slot may wait for it.
#[test]
fn a_loop_that_holds_up_its_own_socket_is_logged() -> Result<()> {
    let mut warnings = warnings_of(|| {
        let (server, _recorder) = nesting_server()?;
        let port = server.server_port();
        serve(move || {
            let (mut nesting, mut other) = (RawPeer::open(port)?, RawPeer::open(port)?);
            nesting.send(masked_texts(&["nest"]))?;
            other.check_echo("inside")?;
            for text in ["first", "second"] {
                nesting.send(masked_texts(&[text]))?;
                other.check_echo("meanwhile")?;
            }
            other.check_echo("leave")?;
            nesting.expect_texts(&["nest", "first", "second"])
        })
    })?;

    let expected =
        ["a socket has received more while its slot runs a loop: it waits for the slot's end"];
    let expected: &[&str] = if cfg!(debug_assertions) { &expected } else { &[] };
    // On a busy machine anything may seem to block its thread.
    warnings.retain(|warning| !warning.contains("blocked its thread"));
    ensure!(warnings == expected, "{warnings:?}");
    Ok(())
}

/// The ways out: a queued slot may run a loop for its own socket, an async slot needs none.
#[test]
fn queued_and_async_slots_may_wait_for_their_own_socket() -> Result<()> {
    let server = listening_server()?;
    server.new_connection().connect(|server, ()| {
        let Some(socket) = server.next_pending_connection() else { return };
        socket.text_message_received().queued().connect(|socket, text| {
            if text == "queued" {
                let pong = socket.pong().next();
                socket.ping("");
                EventLoop::current().run_until(pong);
                socket.send_text_message(text);
            }
        });
        socket.text_message_received().connect_async(async |socket: WebSocket, text: String| {
            if text == "async" {
                let pong = socket.pong().next();
                socket.ping("");
                pong.await;
                socket.send_text_message(text);
            }
        });
    });
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        for text in ["queued", "async"] {
            peer.send(masked_texts(&[text]))?;
            ensure!(peer.read_frame()?.opcode == PING);
            peer.send(masked(PONG, b""))?;
            peer.expect_texts(&[text])?;
        }
        Ok(())
    })
}

/// An echo server with a slot that runs a loop when a text begins with "nest", until another socket
/// receives "leave", which ends the innermost loop. It answers when its loop has ended.
fn nesting_server() -> Result<(WebSocketServer, Recorder)> {
    let loops = RefCell::new(Vec::new());
    recorded_server(move |socket, text| {
        let before = text.to_owned();
        if text.starts_with("nest") {
            let nested = Rc::new(NestedLoop::new());
            loops.borrow_mut().push(Rc::clone(&nested));
            nested.exec();
        } else if text == "leave"
            && let Some(nested) = loops.borrow_mut().pop()
        {
            nested.quit();
        }
        assert!(text == before, "the message changed under the slot");
        socket.send_text_message(text);
    })
}

/// Qt: CLI-21: `connected` comes before the first message, but a slot of it may wait for that.
#[test]
fn a_slot_of_connected_may_wait_for_a_message() -> Result<()> {
    let server = echo_server()?;
    let socket = WebSocket::new();
    let has_answer = Rc::new(Cell::new(false));
    socket.text_message_received().connect_to(&has_answer, |has_answer, _socket, _text| {
        has_answer.set(true);
    });
    let outcome = Rc::new(RefCell::new(None));
    socket.connected().connect_to((&outcome, &has_answer), |(outcome, has_answer), socket, ()| {
        socket.send_text_message("who am I?");
        outcome.replace(Some(wait_until(|| has_answer.get())));
    });

    socket.open(server.server_url())?;
    wait_until(|| outcome.borrow().is_some())?;

    outcome.take().context("it was not connected")?
}

/// A task of the thread that another thread wakes ends the sleep of the loop that runs it, which
/// may be inside a slot.
#[test]
fn a_task_that_another_thread_wakes_runs_in_a_nested_loop() -> Result<()> {
    let server = listening_server()?;
    server.set_keepalive_interval(None);
    server.new_connection().connect(|server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            socket.text_message_received().connect(|socket, text| {
                let nested = Rc::new(NestedLoop::new());
                let (start, started) = mpsc::channel();
                let (answer, answered) = channel::bounded(1);
                thread::spawn(move || started.recv().map(|()| answer.send_blocking(())));
                let quitting = Rc::clone(&nested);
                let waiting = async move {
                    let _ = answered.recv().await;
                    quitting.quit();
                };
                EventLoop::current().spawn(waiting).detach();
                // The nested loop has nothing else to do from here on.
                Timer::single_shot(Duration::from_millis(1), move || _ = start.send(()));
                nested.exec();
                socket.send_text_message(text);
            });
        }
    });
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        (0..20).try_for_each(|number| peer.check_echo(&number.to_string()))
    })
}
