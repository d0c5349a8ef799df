//! Sockets that are used, and listened to, in other threads.

use std::cell::Cell;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, anyhow, ensure};
use slotwork::{CloseCode, EventLoop, LoopHandle};

use support::raw_peer::{Frame, RawPeer, masked_close, masked_texts};
use support::recorder::Recorder;
use support::{DEADLINE, listening_server, recorded_server, serve};

/// A cloned handle sends from a thread of its own; nothing is lost, torn or out of order.
#[test]
fn another_thread_sends_with_a_clone() -> Result<()> {
    let (server, _recorder) = recorded_server(|socket, _text| {
        let socket = socket.clone();
        thread::spawn(move || {
            for number in 0..500 {
                socket.send_text_message(number.to_string());
            }
        });
    })?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked_texts(&["go"]))?;
        (0..500).try_for_each(|number: u32| peer.expect_texts(&[&number.to_string()]))
    })
}

/// Small messages are written by the loop, big ones by the thread that sends them: each thread's
/// own keep their order, and no frame is torn, also when the peer is slower.
#[test]
fn messages_of_many_threads_keep_the_order_of_each() -> Result<()> {
    const THREADS: usize = 4;
    const MESSAGES: usize = 60;
    let (server, _recorder) = recorded_server(|socket, _text| {
        for name in 0..THREADS {
            let socket = socket.clone();
            thread::spawn(move || {
                for number in 0..MESSAGES {
                    let filling = if number % 2 == 0 { 10 } else { 60_000 };
                    let text = format!("{name} {number} {}", ".".repeat(filling));
                    socket.send_text_message(text);
                }
            });
        }
    })?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked_texts(&["go"]))?;
        let mut next = [0; THREADS];
        for _ in 0..THREADS * MESSAGES {
            let text = String::from_utf8(peer.read_frame()?.payload)?;
            let mut words = text.split(' ');
            let mut number = || words.next().context("torn")?.parse::<usize>().context("torn");
            let (name, number) = (number()?, number()?);
            ensure!(number == next[name], "message {number} of {name}, not {}", next[name]);
            next[name] += 1;
        }
        Ok(())
    })
}

/// A call from another thread wakes a loop that sleeps, each time.
#[test]
fn a_sleeping_loop_is_woken_for_each_message() -> Result<()> {
    let (hand_over, sockets) = mpsc::channel();
    let (server, _recorder) = recorded_server(move |socket, _text| {
        let _ = hand_over.send(socket.clone());
    })?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked_texts(&["go"]))?;
        let socket = sockets.recv_timeout(DEADLINE)?;
        for number in 0..1000 {
            let text = number.to_string();
            socket.send_text_message(&text);
            peer.expect_texts(&[&text])?;
        }
        Ok(())
    })
}

/// `close` from another thread, with all signals, on the server's thread, in the right order.
#[test]
fn another_thread_closes() -> Result<()> {
    let (server, recorder) = recorded_server(|socket, _text| {
        let socket = socket.clone();
        thread::spawn(move || {
            socket.send_text_message("last");
            socket.close(CloseCode::GOING_AWAY, "from afar")
        });
    })?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked_texts(&["go"]))?;
        peer.expect_texts(&["last"])?;
        peer.expect(&Frame::close(1001, "from afar"))?;
        peer.send(masked_close(1001, ""))
    })?;
    recorder.check_life(&[
        "text go",
        "about to close",
        "Closing",
        "Unconnected",
        "disconnected Some(1001) from afar",
    ])
}

/// Qt: CLS-11, from another thread: the peer sees the end without a close frame.
#[test]
fn another_thread_aborts() -> Result<()> {
    let (server, recorder) = recorded_server(|socket, _text| {
        let socket = socket.clone();
        thread::spawn(move || socket.abort());
    })?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked_texts(&["go"]))?;
        let rest = peer.read_to_end()?;
        ensure!(rest.is_empty(), "{rest:?}");
        Ok(())
    })?;
    recorder.check_life(&["text go", "about to close", "Unconnected", "disconnected Some(1006) "])
}

/// Slots run in the thread that connected them (`Qt::AutoConnection`), and see what happens to the
/// socket to the end, although it has ended when they run, and nobody there holds it.
#[test]
fn slots_of_another_thread_see_all_up_to_the_end() -> Result<()> {
    let server = listening_server()?;
    let port = server.server_port();
    let here = Recorder::default();
    let worker = Worker::start()?;
    let (open_gate, gate) = mpsc::channel::<()>();

    let (watcher, handle, gate) = (here.clone(), worker.handle.clone(), Cell::new(Some(gate)));
    server.new_connection().connect(move |server, ()| {
        let (Some(socket), Some(gate)) = (server.next_pending_connection(), gate.take()) else {
            return;
        };
        watcher.watch(&socket);
        handle.post(move || {
            THERE.with(|recorder| recorder.watch(&socket));
            socket.send_text_message("connected");
            drop(socket);
            let _ = gate.recv_timeout(DEADLINE);
        });
    });
    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.expect_texts(&["connected"])?;
        peer.send(masked_texts(&["one", "two", "three"]))?;
        peer.close(1000, "bye").map(drop)
    })?;
    here.wait_for_disconnected(1)?;
    open_gate.send(())?;

    let (here, there) = (here.lines(), worker.finish()?);
    ensure!(here == there, "{there:#?}, not {here:#?}");
    Ok(())
}

/// A thread with a loop, and a recorder in it.
struct Worker {
    handle: LoopHandle,
    thread: JoinHandle<Vec<String>>,
}

impl Worker {
    fn start() -> Result<Self> {
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            let event_loop = EventLoop::current();
            let _ = tell.send(event_loop.handle());
            event_loop.exec();
            THERE.with(Recorder::lines)
        });
        Ok(Self { handle: told.recv_timeout(DEADLINE)?, thread })
    }

    /// Ends the loop, behind what is queued, and returns what was recorded.
    fn finish(self) -> Result<Vec<String>> {
        self.handle.quit();
        self.thread.join().map_err(|_| anyhow!("the worker panicked"))
    }
}

thread_local! {
    static THERE: Recorder = Recorder::default();
}
