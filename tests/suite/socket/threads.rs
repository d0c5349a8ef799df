//! Sockets that other threads than their own use and receive signals of.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use slotwork::{
    CloseCode, EventLoop, EventThread, LoopHandle, SocketState, WebSocket, WebSocketServer,
};

use support::raw_peer::{Frame, RawPeer, masked_close, masked_texts};
use support::recorder::Recorder;
use support::{DEADLINE, echo_server, listening_server, recorded_server, serve, wait_until};

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
/// socket to the end, although it has ended when they run, without a handle there.
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

/// What the threads do, and with what.
#[derive(Clone)]
struct Chaos {
    url: String,
    sockets: Vec<WebSocket>,
    server: WebSocketServer,
    mistakes: Arc<Mutex<Vec<String>>>,
}

/// docs/architecture.md: any thread may call anything at any time. Each connection has one end, all
/// frames are whole and in order, and nothing is left of them.
#[test]
fn calls_of_many_threads_leave_each_connection_one_end() -> Result<()> {
    let (say, said) = mpsc::channel();
    let _thread = EventThread::spawn("server", move || say.send(echo_server()))?;
    let server = said.recv_timeout(DEADLINE)??;
    let (begun, ended) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let chaos = Chaos {
        url: server.server_url(),
        sockets: (0..6).map(|_| WebSocket::new()).collect(),
        server,
        mistakes: Arc::default(),
    };
    for socket in &chaos.sockets {
        // Not each `open` that succeeds: one that waits may be replaced or dropped.
        socket.state_changed().connect_to(&begun, |begun, _socket, state| {
            begun.set(begun.get() + u32::from(*state == SocketState::Connecting));
        });
        let watching = chaos.clone();
        socket.disconnected().connect_to(&ended, move |ended, socket, ()| {
            ended.set(ended.get() + 1);
            watching.watch_end(socket);
        });
    }

    let threads: Vec<_> = (1..=3)
        .map(|seed| {
            let chaos = chaos.clone();
            thread::spawn(move || chaos.run(seed))
        })
        .collect();
    wait_until(|| threads.iter().all(JoinHandle::is_finished))?;
    chaos.sockets.iter().for_each(WebSocket::abort);

    wait_until(|| ended.get() == begun.get())
        .with_context(|| format!("{} of {} ended", ended.get(), begun.get()))?;
    wait_until(|| chaos.server.clients().is_empty() && !chaos.server.has_pending_connections())?;
    ensure!(chaos.sockets.iter().all(|socket| socket.state() == SocketState::Unconnected));
    let mistakes = chaos.mistakes.lock().unwrap_or_else(PoisonError::into_inner);
    ensure!(mistakes.is_empty(), "{mistakes:?}");
    Ok(())
}

impl Chaos {
    /// Calls this and that, as the numbers from `random` on say (xorshift). Less of it where others
    /// are busy too: each `yield_now` leaves them a whole time slice.
    fn run(&self, mut random: u64) {
        let begin = Instant::now();
        let text = "x".repeat(300_000);
        let mut stream = None;
        for _ in 0..20_000 {
            if begin.elapsed() > DEADLINE / 4 {
                break;
            }
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let [call, which, length, ..] = random.to_le_bytes().map(usize::from);
            let Some(socket) = self.sockets.get(which % self.sockets.len()) else { return };
            match call % 64 {
                0..=9 => _ = socket.open(&*self.url),
                10..=19 => _ = socket.send_text_message(&text[..length]),
                20..=23 => _ = socket.send_text_message(&text[..length * 200]),
                24 => _ = socket.send_text_message(&text),
                25..=26 => _ = socket.ping("x"),
                27..=29 => _ = socket.flush(),
                30 => _ = socket.close(1000, "enough"),
                31 => socket.abort(),
                32..=33 => socket.pause_reading(),
                34..=39 => socket.resume_reading(),
                40 => stream = Some(socket.message_stream()),
                41 => stream = None,
                42 => _ = self.server.broadcast_text("x"),
                43 => self.end_client(length),
                _ => thread::yield_now(),
            }
        }
        drop(stream);
        self.sockets.iter().for_each(WebSocket::resume_reading);
    }

    /// Ends a connection from the server's end.
    fn end_client(&self, random: usize) {
        match self.server.clients().first() {
            Some(client) if random.is_multiple_of(2) => client.abort(),
            Some(client) => _ = client.close(1001, ""),
            None => {}
        }
    }

    /// Notes when one of the ends has found something wrong in what the other one sent.
    fn watch_end(&self, socket: &WebSocket) {
        let is_expected = |code| [1000, 1001, 1006].contains(&u16::from(code));
        // There is no code any more when another thread opens it anew already.
        if !socket.close_code().is_none_or(is_expected) {
            let mistake = format!("{:?} {}", socket.close_code(), socket.close_reason());
            self.mistakes.lock().unwrap_or_else(PoisonError::into_inner).push(mistake);
        }
    }
}
