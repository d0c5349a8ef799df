//! Calls from many threads, at every moment of a connection's life.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use slotwork::{EventThread, SocketState, WebSocket, WebSocketServer};

use support::{DEADLINE, echo_server, wait_until};

/// What the threads do, and with what.
#[derive(Clone)]
struct Chaos {
    url: String,
    sockets: Vec<WebSocket>,
    server: WebSocketServer,
    opened: Arc<AtomicU32>,
    mistakes: Arc<Mutex<Vec<String>>>,
}

/// docs/architecture.md: any thread may call anything at any time. Each connection has one end, all
/// frames are whole and in order, and nothing is left of them.
#[test]
fn calls_of_many_threads_leave_each_connection_one_end() -> Result<()> {
    let (say, said) = mpsc::channel();
    let _thread = EventThread::spawn("server", move || say.send(echo_server()))?;
    let server = said.recv_timeout(DEADLINE)??;
    let ended = Rc::new(Cell::new(0));
    let chaos = Chaos {
        url: server.server_url(),
        sockets: (0..6).map(|_| WebSocket::new()).collect(),
        server,
        opened: Arc::default(),
        mistakes: Arc::default(),
    };
    for socket in &chaos.sockets {
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
    wait_until(|| threads.iter().all(thread::JoinHandle::is_finished))?;
    chaos.sockets.iter().for_each(WebSocket::abort);

    let count = || chaos.opened.load(Ordering::Relaxed);
    wait_until(|| ended.get() == count())
        .with_context(|| format!("{} of {} ended", ended.get(), count()))?;
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
                0..=9 if socket.open(&*self.url).is_ok() => {
                    self.opened.fetch_add(1, Ordering::Relaxed);
                }
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
