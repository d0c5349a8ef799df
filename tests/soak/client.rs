//! The clients of the soak test: `soak-client`, run by `tests/soak/run`.
//!
//! Each sends a text a second, of a length of its own, and waits for the echo. A client in a thousand
//! closes its connection in each second, and opens another one. Each line that is printed holds what
//! happened since the last one, as JSON. The exit status is 1 after an error of any kind.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use rand::RngExt;
use serde::Serialize;
use slotwork::{CloseCode, EventLoop, Timer, TlsCertificate, TlsConfig, WebSocket};

use bench_support::server::raise_descriptor_limit;

/// Sends a text a second over each of many connections
#[derive(Parser)]
struct Options {
    /// The URL of the server without TLS
    plain: String,
    /// The URL of the server with TLS, where every tenth client goes
    secure: String,
    /// The certificate that the clients trust, instead of the system's trust store
    #[arg(long)]
    certificate: Option<String>,
    #[arg(long, default_value_t = 9000)]
    connections: usize,
    /// How long messages are sent, once all connections are open
    #[arg(long, default_value_t = 600)]
    seconds: u64,
}

fn main() -> Result<()> {
    raise_descriptor_limit()?;
    let options = Options::parse();
    let tls = match &options.certificate {
        Some(path) => TlsConfig::new().ca_certificates(TlsCertificate::from_pem_file(path)?),
        None => TlsConfig::new(),
    };
    let soak = Rc::new(Soak::default());
    open(&soak, &options, &tls)?;
    ensure!(wait_until_open(&soak, options.connections), "not all connections were opened");
    println!("open");

    let (ticks, lines) = (Timer::new(), Timer::new());
    ticks.timeout().connect_to(&soak, |soak, _timer, ()| soak.tick());
    lines.timeout().connect_to(&soak, |soak, _timer, ()| soak.report());
    ticks.start(TICK);
    lines.start(LINE);
    Timer::single_shot(Duration::from_secs(options.seconds), || EventLoop::current().quit());
    EventLoop::current().exec();
    ticks.stop();
    lines.stop();
    soak.close();
    ensure!(!soak.has_failed.get(), "see the errors above");
    Ok(())
}

/// Opens so many connections, some at a time, so that the server's queue does not overflow.
fn open(soak: &Rc<Soak>, options: &Options, tls: &TlsConfig) -> Result<()> {
    for place in 0..options.connections {
        let is_secure = place % 10 == 0;
        let url = if is_secure { &options.secure } else { &options.plain };
        let client = Rc::new(Client::new(place, url.clone()));
        client.socket.set_tls_config(tls.clone());
        client.connect_slots(soak);
        client.socket.open(&*client.url).with_context(|| client.url.clone())?;
        soak.clients.borrow_mut().push(client);
        if place % AT_A_TIME == AT_A_TIME - 1 {
            ensure!(
                wait_until_open(soak, place + 1),
                "{place} connections were opened, and no more"
            );
        }
    }
    Ok(())
}

fn wait_until_open(soak: &Rc<Soak>, count: usize) -> bool {
    EventLoop::current().wait_until(|| soak.open.get() == count, PATIENCE)
}

/// All clients, and what happened since the last line.
#[derive(Default)]
struct Soak {
    clients: RefCell<Vec<Rc<Client>>>,
    open: Cell<usize>,
    turn: Cell<usize>,
    line: RefCell<Line>,
    times: RefCell<Vec<Duration>>,
    has_failed: Cell<bool>,
    is_ending: Cell<bool>,
}

#[derive(Default, Serialize)]
struct Line {
    open: usize,
    echoes: u64,
    broadcasts: u64,
    reconnects: u64,
    errors: u64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

struct Client {
    socket: WebSocket,
    url: String,
    /// What was sent last and has no echo yet, and when.
    awaited: RefCell<Option<(String, Instant)>>,
    place: usize,
    is_reopening: Cell<bool>,
}

impl Soak {
    /// Lets one of the groups of clients send: each has its turn once a second.
    fn tick(&self) {
        let turn = self.turn.get();
        self.turn.set((turn + 1) % TURNS);
        for client in self.clients.borrow().iter().skip(turn).step_by(TURNS) {
            client.send(self);
        }
    }

    fn report(&self) {
        let mut line = self.line.take();
        let mut times = self.times.take();
        times.sort_unstable();
        let quantile = |part: usize| {
            let place = (times.len() * part / 100).min(times.len().saturating_sub(1));
            times.get(place).map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        (line.p50_ms, line.p99_ms, line.max_ms) = (quantile(50), quantile(99), quantile(100));
        line.open = self.open.get();
        match serde_json::to_string(&line) {
            Ok(line) => println!("{line}"),
            Err(error) => self.fail(&error.to_string()),
        }
    }

    fn fail(&self, what: &str) {
        eprintln!("{what}");
        self.line.borrow_mut().errors += 1;
        self.has_failed.set(true);
    }

    fn close(self: &Rc<Self>) {
        self.is_ending.set(true);
        for client in self.clients.borrow().iter() {
            client.socket.close_normally();
        }
        if !wait_until_open(self, 0) {
            self.fail("connections were not closed");
        }
    }
}

impl Client {
    fn new(place: usize, url: String) -> Self {
        let socket = WebSocket::new();
        Self { socket, url, awaited: RefCell::default(), place, is_reopening: Cell::default() }
    }

    fn connect_slots(self: &Rc<Self>, soak: &Rc<Soak>) {
        self.socket.connected().connect_to(soak, |soak, _socket, ()| {
            soak.open.set(soak.open.get() + 1);
        });
        self.socket.error_occurred().connect_to(soak, |soak, _socket, error| {
            soak.fail(&format!("an error: {error}"));
        });
        let soak_of_texts = Rc::clone(soak);
        self.socket.text_message_received().connect_to(self, move |client, _socket, text| {
            client.take(&soak_of_texts, text);
        });
        let soak = Rc::clone(soak);
        self.socket.disconnected().connect_to(self, move |client, _socket, ()| {
            soak.open.set(soak.open.get() - 1);
            client.reopen(&soak);
        });
    }

    /// Sends the next message, or closes the connection.
    fn send(&self, soak: &Soak) {
        if let Some((text, since)) = &*self.awaited.borrow() {
            if since.elapsed() > PATIENCE {
                soak.fail(&format!("client {} waits for an echo of {} B", self.place, text.len()));
            }
            return;
        }
        if self.is_reopening.get() {
            return;
        }
        if rand::rng().random_ratio(1, 1000) {
            self.is_reopening.set(true);
            self.socket.close(CloseCode::NORMAL, "again");
            return;
        }
        let number: u32 = rand::rng().random();
        let text = format!("{number:0width$}", width = 20 + self.place % 1000);
        self.socket.send_text_message(&*text);
        self.awaited.replace(Some((text, Instant::now())));
    }

    fn take(&self, soak: &Soak, text: &str) {
        if text == "broadcast" {
            soak.line.borrow_mut().broadcasts += 1;
            return;
        }
        match self.awaited.take() {
            Some((sent, since)) if sent == text => {
                soak.times.borrow_mut().push(since.elapsed());
                soak.line.borrow_mut().echoes += 1;
            }
            _ => soak.fail("an echo differs"),
        }
    }

    fn reopen(&self, soak: &Soak) {
        if soak.is_ending.get() {
            return;
        }
        if !self.is_reopening.replace(false) {
            let code = self.socket.close_code();
            soak.fail(&format!("client {} was disconnected: {code:?}", self.place));
        }
        soak.line.borrow_mut().reconnects += 1;
        if let Err(error) = self.socket.open(&*self.url) {
            soak.fail(&format!("cannot open {}: {error}", self.url));
        }
    }
}

/// The groups of clients that send one after the other.
const TURNS: usize = 100;
const TICK: Duration = Duration::from_millis(10);
const LINE: Duration = Duration::from_secs(10);
/// How long an echo, and the opening of connections, may take.
const PATIENCE: Duration = Duration::from_secs(30);
const AT_A_TIME: usize = 100;
