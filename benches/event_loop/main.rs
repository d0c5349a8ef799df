//! The cost of the event loop: timers, posted calls, and round trips between threads.
//!
//! `cargo bench --bench event_loop` prints the best of several rounds, in nanoseconds. Run
//! `benches/compare_event_loop` to see it beside Qt's loop, in turns on one core: only the ratios of
//! one run mean something. ROUNDS in the environment sets how many rounds.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use slotwork::signals::Signal;
use slotwork::{EventLoop, EventThread, HostAddress, LoopHandle, SslMode, Timer, WebSocketServer};

use bench_support::client::Client;
use bench_support::exchange::Exchange;

fn main() -> Result<()> {
    // `cargo test --all-targets` runs this program too, to see whether it works.
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let wanted = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    let bench = if is_bench {
        Bench { rounds: wanted.unwrap_or(15), scale: 1 }
    } else {
        Bench { rounds: 1, scale: 100 }
    };

    bench.timer("timer start + stop", 0);
    bench.timer("timer start + stop, 1,000 others", 1_000);
    bench.timer("timer start + stop, 10,000 others", 10_000);
    bench.timer("timer start + stop, 100,000 others", 100_000);
    bench.deferred_calls();
    bench.posts();
    bench.queued_slots();
    bench.round_trips_of_posts()?;
    bench.round_trips_of_signals()?;
    bench.echo()
}

struct Bench {
    rounds: usize,
    /// By how much less is done to see whether it works.
    scale: u32,
}

impl Bench {
    /// Prints the time of one of the `parts` that each round of `work` does.
    fn row(&self, name: &str, parts: u32, mut work: impl FnMut(u32)) {
        let parts = parts.div_ceil(self.scale);
        let times = (0..self.rounds).map(|_| {
            let begin = Instant::now();
            work(parts);
            begin.elapsed()
        });
        print_row(name, times.min().unwrap_or_default(), parts);
    }

    /// Each timer of a ring is stopped and started anew, so that it is the last to expire.
    fn timer(&self, name: &str, others: usize) {
        let _others = running_timers(others);
        let mut ring: VecDeque<_> = (0..10).map(|_| Timer::new()).collect();
        self.row(name, 10_000, |parts| {
            for _ in 0..parts {
                ring.rotate_left(1);
                if let Some(timer) = ring.front() {
                    timer.start(HOUR);
                    timer.stop();
                }
            }
        });
    }

    fn deferred_calls(&self) {
        let (event_loop, count) = (EventLoop::current(), Rc::new(Cell::new(0)));
        self.row("queued call, same thread, by 100", 100_000, |parts| {
            for _ in 0..parts / 100 {
                for _ in 0..100 {
                    event_loop.defer_to(&count, |count| count.set(count.get() + 1));
                }
                event_loop.process_events();
            }
        });
    }

    fn posts(&self) {
        self.row("post to another thread, call", 100_000, |parts| {
            let handle = EventLoop::current().handle();
            LEFT.set(parts);
            let poster = thread::spawn(move || (0..parts).for_each(|_| handle.post(count_down)));
            EventLoop::current().exec();
            let _ = poster.join();
        });
    }

    fn queued_slots(&self) {
        let changed = Arc::new(Signal::<u64>::new());
        changed.connect(|_| count_down());
        self.row("post to another thread, slot", 100_000, |parts| {
            let changed = Arc::clone(&changed);
            LEFT.set(parts);
            let emitter = thread::spawn(move || (0..parts).for_each(|_| changed.emit(&1)));
            EventLoop::current().exec();
            let _ = emitter.join();
        });
    }

    fn round_trips_of_posts(&self) -> Result<()> {
        let thread = EventThread::spawn("peer", || ())?;
        self.row("round trip, call", 20_000, |parts| {
            bounce(EventLoop::current().handle(), thread.handle(), 2 * parts);
            EventLoop::current().exec();
        });
        Ok(())
    }

    fn round_trips_of_signals(&self) -> Result<()> {
        let (ping, reply) = (Arc::new(Signal::<u64>::new()), Arc::new(Signal::<u64>::new()));
        let (question, answer) = (Arc::clone(&ping), Arc::clone(&reply));
        let _thread = EventThread::spawn("peer", move || {
            question.connect(move |value| answer.emit(value));
        })?;
        let again = Arc::downgrade(&ping);
        reply.connect(move |value| {
            count_down();
            if let Some(ping) = again.upgrade().filter(|_| LEFT.get() > 0) {
                ping.emit(value);
            }
        });
        self.row("round trip, slot", 20_000, |parts| {
            LEFT.set(parts);
            ping.emit(&1);
            EventLoop::current().exec();
        });
        Ok(())
    }

    /// An echo server's round trips, without timers and with many of them, in turns.
    fn echo(&self) -> Result<()> {
        let names = ["echo of 20 bytes", "echo of 20 bytes, 100,000 timers"];
        let (mut servers, mut best) = (Vec::new(), [Duration::MAX; 2]);
        for timers in [0, 100_000] {
            servers.push(EchoServer::start(timers)?);
        }
        let parts = 5_000_u32.div_ceil(self.scale);
        for _ in 0..self.rounds {
            for (server, best) in servers.iter_mut().zip(&mut best) {
                *best = server.exchange(parts)?.min(*best);
            }
        }
        for (name, best) in names.iter().zip(best) {
            print_row(name, best, parts);
        }
        Ok(())
    }
}

fn print_row(name: &str, time: Duration, parts: u32) {
    let each = time.as_secs_f64() * 1e9 / f64::from(parts);
    println!("{name:38} {each:9.1} ns");
}

/// Ends the loop of this thread at the last of the calls that are left.
fn count_down() {
    LEFT.set(LEFT.get() - 1);
    if LEFT.get() == 0 {
        EventLoop::current().quit();
    }
}

/// Posts a call to `there` that posts one back, until `left` of them were made; then `here` ends.
fn bounce(here: LoopHandle, there: LoopHandle, left: u32) {
    let receiver = there.clone();
    receiver.post(move || {
        if left > 1 {
            bounce(there, here, left - 1);
        } else {
            EventLoop::current().quit();
        }
    });
}

fn running_timers(count: usize) -> Vec<Timer> {
    let timers: Vec<_> = (0..count).map(|_| Timer::new()).collect();
    for timer in &timers {
        timer.start(HOUR);
    }
    timers
}

/// A server in a thread, and its client.
struct EchoServer {
    client: Client,
    exchange: Exchange,
    _thread: EventThread,
}

impl EchoServer {
    fn start(timers: usize) -> Result<Self> {
        let (say_port, port) = std::sync::mpsc::channel();
        let thread = EventThread::spawn("server", move || {
            let server = WebSocketServer::new("Echo Server", SslMode::NonSecure);
            server.new_connection().connect(|server, ()| {
                while let Some(socket) = server.next_pending_connection() {
                    socket.binary_message_received().connect(|socket, bytes| {
                        socket.send_binary_message(bytes);
                    });
                }
            });
            let listening = server.listen(HostAddress::LocalHost, 0);
            let _ = say_port.send(listening.map(|()| server.server_port()));
            (server, running_timers(timers))
        })?;
        let port = port.recv().context("the server did not start")??;
        let exchange = Exchange::new(1, 20, 1, false)?;
        Ok(Self { client: Client::open(port)?, exchange, _thread: thread })
    }

    fn exchange(&mut self, count: u32) -> Result<Duration> {
        let (begin, mut buffer) = (Instant::now(), [0; 1024]);
        for _ in 0..count {
            self.client.send(&self.exchange)?;
            while !self.client.receive(&self.exchange, &mut buffer)? {
                thread::yield_now();
            }
        }
        Ok(begin.elapsed())
    }
}

thread_local! {
    /// How many calls are left until the loop ends.
    static LEFT: Cell<u32> = const { Cell::new(0) };
}

const HOUR: Duration = Duration::from_secs(3600);
