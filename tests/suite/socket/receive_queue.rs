//! The receive queue: back-pressure of queued and async slots, and of slots of other threads.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use slotwork::signals::Handle;
use slotwork::{
    EventLoop, EventThread, LoopHandle, NestedLoop, Role, Timer, WebSocket, WebSocketServer,
};

use support::pipe::pipe;
use support::raw_peer::{BINARY, Frame, PING, PONG, RawPeer, TEXT, masked, masked_texts};
use support::{listening_server, run_until, serve, wait_until};

const MESSAGES: usize = 2000;

/// A server that gives its first socket to `connect`, and the count of delivered messages.
fn counting_server(
    connect: impl Fn(&WebSocket) + 'static,
) -> Result<(WebSocketServer, Arc<AtomicUsize>)> {
    let server = listening_server()?;
    let delivered = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&delivered);
    server.new_connection().connect(move |server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            if server.clients().len() > 1 {
                continue;
            }
            let count = Arc::clone(&count);
            socket
                .text_message_received()
                .direct()
                .connect(move |_socket, _text| _ = count.fetch_add(1, Ordering::Relaxed));
            connect(&socket);
        }
    });
    Ok((server, delivered))
}

/// A peer with its socket taken from the server.
fn connected_peer(server: &WebSocketServer) -> Result<RawPeer> {
    let port = server.server_port();
    let peer = serve(move || RawPeer::open(port))?;
    wait_until(|| !server.clients().is_empty())?;
    Ok(peer)
}

/// Sends a flood, and shows that others are served then; returns the peer.
fn flood(mut peer: RawPeer, server: &WebSocketServer) -> Result<RawPeer> {
    let port = server.server_port();
    serve(move || {
        let texts = texts();
        peer.send(masked_texts(&texts.iter().map(String::as_str).collect::<Vec<_>>()))?;
        // While a good client is served the loop takes turns, in which it could read all.
        (0..20).try_for_each(|_| check_served(port))?;
        Ok(peer)
    })
}

fn texts() -> Vec<String> {
    (0..MESSAGES).map(|number| number.to_string()).collect()
}

/// Shows that a client is served; without a message, which counts.
fn check_served(port: u16) -> Result<()> {
    let mut other = RawPeer::open(port)?;
    other.send(masked(PING, b"are you there?"))?;
    other.expect(&Frame { opcode: PONG, payload: b"are you there?".into() })
}

/// Keeps another loop from everything until something is sent; then it makes a call.
fn block(handle: &LoopHandle, call: impl FnOnce() + Send + 'static) -> mpsc::Sender<()> {
    let (end, may_end) = mpsc::channel();
    let (begun, has_begun) = mpsc::channel();
    handle.post(move || {
        begun.send(()).unwrap();
        let _: Result<(), _> = may_end.recv();
        call();
    });
    has_begun.recv().unwrap();
    end
}

/// Runs a call in another loop and waits for it.
fn run_on(handle: &LoopHandle, call: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    handle.post(move || {
        call();
        done.send(()).unwrap();
    });
    is_done.recv().unwrap();
}

/// Issue: a slot in another thread that is slower than the peer holds the peer back; nothing is lost.
#[test]
fn a_slow_slot_in_another_thread_holds_its_peer_back() -> Result<()> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let worker = EventThread::spawn("worker", || {})?;
    let (entries, to_worker) = (Arc::clone(&heard), worker.handle());
    let (server, delivered) = counting_server(move |socket| {
        let (socket, entries) = (socket.clone(), Arc::clone(&entries));
        run_on(&to_worker, move || {
            socket.text_message_received().connect(move |_socket, text| {
                entries.lock().unwrap().push(text.to_owned());
            });
        });
    })?;
    let peer = connected_peer(&server)?;
    let start = block(&worker.handle(), || {});

    let _peer = flood(peer, &server)?;
    let waiting = delivered.load(Ordering::Relaxed);
    ensure!((20..=32).contains(&waiting), "{waiting} messages wait in 128 KiB");
    server.clients().iter().for_each(|socket| socket.set_receive_queue_limit(1024 * 1024));
    wait_until(|| delivered.load(Ordering::Relaxed) > waiting)?;

    start.send(())?;
    wait_until(|| heard.lock().unwrap().len() == MESSAGES)?;
    ensure!(*heard.lock().unwrap() == texts(), "in order");
    Ok(())
}

/// The same for async slots that wait for something else, within their own limit.
#[test]
fn async_slots_that_wait_hold_their_peer_back() -> Result<()> {
    let (open, gate) = smol::channel::bounded::<()>(1);
    let finished = Rc::new(Cell::new(0));
    let count = Rc::clone(&finished);
    let (server, delivered) = counting_server(move |socket| {
        socket.set_receive_queue_limit(128 * 1024);
        socket.set_max_allowed_incoming_message_size(1024);
        let (gate, count) = (gate.clone(), Rc::clone(&count));
        socket.text_message_received().connect_async(move |_socket, _text| {
            let (gate, count) = (gate.clone(), Rc::clone(&count));
            async move {
                let _: Result<_, _> = gate.recv().await;
                count.set(count.get() + 1);
            }
        });
    })?;

    let _peer = flood(connected_peer(&server)?, &server)?;
    let waiting = delivered.load(Ordering::Relaxed);
    ensure!((400..=513).contains(&waiting), "{waiting} async slots wait");

    drop(open);
    wait_until(|| finished.get() == MESSAGES)
}

/// `QEventLoop` inside a queued slot: what has begun does not count, so that it can wait for more.
#[test]
fn a_queued_slot_waits_for_its_own_socket_whatever_the_limit() -> Result<()> {
    let heard = Rc::new(Cell::new(0));
    let count = Rc::clone(&heard);
    let (server, _) = counting_server(move |socket| {
        socket.set_receive_queue_limit(0);
        let count = Rc::clone(&count);
        socket.text_message_received().queued().connect(move |socket, text| {
            count.set(count.get() + 1);
            if text == "0" {
                let nested = Rc::new(NestedLoop::new());
                let next = Rc::clone(&nested);
                socket.text_message_received().once().connect(move |_socket, _text| next.quit());
                nested.exec();
            }
        });
    })?;

    let _peer = flood(connected_peer(&server)?, &server)?;

    wait_until(|| heard.get() == MESSAGES)
}

/// An async slot may await what its own socket receives next, behind a message of any length.
#[test]
fn an_async_slot_awaits_the_next_message_of_its_own_socket() -> Result<()> {
    let server = listening_server()?;
    server.new_connection().connect(|server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            socket.set_receive_queue_limit(0);
            socket.binary_message_received().connect_async(async |socket, message| {
                let (pong, text) = (socket.pong().next(), socket.text_message_received().next());
                socket.ping("how are you?");
                let all = pong.await.zip(text.await).map(|(pong, text)| {
                    format!("{} bytes, {} bytes, {text}", message.len(), pong.payload.len())
                });
                socket.send_text_message(all.unwrap_or_default());
            });
        }
    });
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        for _ in 0..3 {
            peer.send(masked(BINARY, &vec![7; 3_000_000]))?;
            let ping = peer.read_frame()?;
            ensure!(ping.opcode == PING, "{ping:?}");
            peer.send(masked(PONG, &ping.payload))?;
            peer.send(masked(TEXT, b"next"))?;
            peer.expect_texts(&["3000000 bytes, 12 bytes, next"])?;
        }
        Ok(())
    })
}

/// Messages that a receiving thread did not take before its end hold no socket back.
#[test]
fn the_end_of_a_receiving_thread_lets_its_sockets_go_on() -> Result<()> {
    let worker = EventThread::spawn("worker", || {})?;
    let to_worker = worker.handle();
    let (server, delivered) = counting_server(move |socket| {
        let socket = socket.clone();
        run_on(&to_worker, move || {
            socket.text_message_received().connect(|_socket, _text| {});
        });
    })?;
    let peer = connected_peer(&server)?;
    let end = block(&worker.handle(), || EventLoop::current().quit());

    let _peer = flood(peer, &server)?;
    ensure!(delivered.load(Ordering::Relaxed) < MESSAGES);
    end.send(())?;

    wait_until(|| delivered.load(Ordering::Relaxed) == MESSAGES)?;
    worker.wait()?;
    Ok(())
}

/// `QObject::sender()`: what a client has received reaches slots of other threads without its handles.
#[test]
fn the_last_words_of_a_client_reach_another_thread_without_its_handles() -> Result<()> {
    let server = listening_server()?;
    server.new_connection().connect(|server, ()| {
        if let Some(peer) = server.next_pending_connection() {
            peer.send_text_message("result");
            peer.close(1000, "");
        }
    });
    let (client, heard) = (WebSocket::new(), Arc::new(Mutex::new(Vec::new())));
    let (shared, texts, ends) = (client.clone(), Arc::clone(&heard), Arc::clone(&heard));
    let worker = EventThread::spawn("worker", move || {
        shared.text_message_received().connect(move |_socket, text| {
            texts.lock().unwrap().push(text.to_owned());
        });
        shared.disconnected().connect(move |_socket, ()| {
            ends.lock().unwrap().push("disconnected".to_owned());
        });
    })?;
    let start = block(&worker.handle(), || {});

    client.open(server.server_url())?;
    let weak = client.downgrade();
    let disconnected = client.disconnected().next();
    let last = Rc::new(Cell::new(Some(client.clone())));
    client.disconnected().connect(move |_socket, ()| drop(last.take()));
    drop(client);
    run_until(disconnected)?.context("it has not disconnected")?;
    start.send(())?;
    wait_until(|| heard.lock().unwrap().len() == 2)?;

    ensure!(*heard.lock().unwrap() == ["result", "disconnected"], "{heard:?}");
    wait_until(|| weak.upgrade().is_none())
}

/// `QObject::sender()`: the queued calls of timers and servers outlive the last handle as well.
#[test]
fn queued_calls_of_timers_and_servers_outlive_the_last_handle() -> Result<()> {
    let (ticks, ends) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let (timer, server) = (Timer::new(), listening_server()?);
    let (count_tick, count_end) = (Rc::clone(&ticks), Rc::clone(&ends));
    timer.timeout().queued().connect(move |_timer, ()| count_tick.set(count_tick.get() + 1));
    server.closed().queued().connect(move |_server, ()| count_end.set(count_end.get() + 1));
    let (last_timer, last_server) = (Rc::new(Cell::new(None)), Rc::new(Cell::new(None)));
    let (of_timer, of_server) = (Rc::clone(&last_timer), Rc::clone(&last_server));
    timer.timeout().connect(move |_timer, ()| drop(of_timer.take()));
    server.closed().connect(move |_server, ()| drop(of_server.take()));

    timer.set_single_shot(true);
    timer.start(Duration::ZERO);
    server.close();
    last_timer.set(Some(timer));
    last_server.set(Some(server));

    wait_until(|| ticks.get() + ends.get() == 2)
}

/// Idle connections are many: for slots of its own thread a socket remembers no sender.
#[test]
fn sockets_are_emitted_by_the_thread_of_their_loop() -> Result<()> {
    let server = listening_server()?;
    let _peer = serve({
        let port = server.server_port();
        move || RawPeer::open(port)
    })?;
    wait_until(|| server.has_pending_connections())?;
    let sockets = [server.next_pending_connection().context("there is none")?, WebSocket::new()];

    ensure!(sockets.iter().all(Handle::is_emitted_here));
    let elsewhere = move || sockets.iter().any(Handle::is_emitted_here);
    ensure!(std::thread::spawn(elsewhere).join().is_ok_and(|is_emitted| !is_emitted));
    Ok(())
}

/// Calls of which the receiver is gone count no more: the socket reads on.
#[test]
fn calls_without_a_receiver_leave_the_queue() -> Result<()> {
    type Connect = fn(&WebSocket, &Rc<()>);
    let connects: [Connect; 3] = [
        |socket, receiver| {
            socket.text_message_received().queued().connect_to(receiver, |_, _, _| ());
        },
        |socket, receiver| {
            let texts = socket.text_message_received();
            texts.connect_async_to(receiver, async |_, _, _| std::future::pending().await);
        },
        |socket, receiver| {
            let texts = socket.text_message_received().once();
            texts.connect_async_to(receiver, async |_, _, _| std::future::pending().await);
        },
    ];
    for connect in connects {
        let receiver = Rc::new(());
        let (stream, peer) = pipe();
        let socket = WebSocket::from_upgraded_stream(stream, &[], Role::Server, None)?;
        socket.set_receive_queue_limit(0);
        let count = Rc::new(Cell::new(0));
        connect(&socket, &receiver);
        let receiver = Cell::new(Some(receiver));
        socket.text_message_received().connect_to(&count, move |count, _socket, _text| {
            // The call of the first message is in the queue.
            drop(receiver.take());
            count.set(count.get() + 1);
        });

        peer.send(masked_texts(&["a", "b", "c", "d"]));

        wait_until(|| count.get() == 4)?;
    }
    Ok(())
}
