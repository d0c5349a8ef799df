//! A server and its clients in memory, which do what a script says.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use slotwork::signals::Handle;
use slotwork::testing::{Direction, Host, Link, VirtualClock};
use slotwork::{
    Compression, Error, SocketState, SslMode, WeakWebSocket, WebSocket, WebSocketServer,
};

use crate::record::{Log, Record, broadcast};
use crate::script::{Action, Ending, Fault, Request, Script, Settings, Side};

/// All objects of a run.
pub(crate) struct World {
    pub(crate) clock: Rc<VirtualClock>,
    pub(crate) server: WebSocketServer,
    pub(crate) clients: Vec<Client>,
    pub(crate) accepted: Rc<RefCell<Vec<Accepted>>>,
    pub(crate) log: Log,
    pub(crate) violations: Rc<RefCell<Vec<String>>>,
    pub(crate) server_closed: Rc<Cell<usize>>,
    pub(crate) settings: Settings,
    broadcasts: Cell<usize>,
}

/// A client, and the host at which it reaches the server.
pub(crate) struct Client {
    pub(crate) socket: WebSocket,
    pub(crate) host: Host,
    /// The records of its connections; the last one is current.
    pub(crate) records: Rc<RefCell<Vec<Rc<Record>>>>,
    faults: Rc<RefCell<Vec<Fault>>>,
}

/// A socket of the server.
pub(crate) struct Accepted {
    pub(crate) socket: WeakWebSocket,
    pub(crate) record: Rc<Record>,
}

impl World {
    pub(crate) fn new(settings: Settings) -> Self {
        let clock = Rc::new(VirtualClock::install());
        let server = WebSocketServer::new("Chaos", SslMode::NonSecure);
        server.set_keepalive_interval(settings.keepalive);
        if settings.is_compressed {
            server.set_compression(Compression::default());
        }
        let (log, violations) = (Log::default(), Rc::<RefCell<Vec<String>>>::default());
        let accepted = Rc::default();
        accept_all(&server, &clock, &accepted, &log, &violations);
        let server_closed = Rc::new(Cell::new(0));
        server.closed().connect_to(&server_closed, |closed, _server, ()| {
            closed.set(closed.get() + 1);
        });
        let clients = (0..settings.clients)
            .map(|index| Client::new(index, settings, &server, &clock))
            .collect();
        let broadcasts = Cell::new(0);
        Self {
            clock,
            server,
            clients,
            accepted,
            log,
            violations,
            server_closed,
            settings,
            broadcasts,
        }
    }

    /// Runs all steps, and then the ending.
    pub(crate) fn run(&self, script: &Script) {
        for step in &script.steps {
            if let Some(client) = self.clients.get(step.client) {
                self.log.borrow_mut().push(format!("{:?} {step}", self.clock.elapsed()));
                self.act(step.client, client, &step.action);
                self.check_connecting();
            }
        }
        self.end();
    }

    fn act(&self, index: usize, client: &Client, action: &Action) {
        let now = self.clock.elapsed();
        match action {
            Action::Open => self.open(index, client),
            Action::Send { from, size, request } => {
                self.with_end(index, *from, |socket, record| record.send(socket, *size, *request));
            }
            Action::Ping(side) => {
                self.with_end(index, *side, |socket, _| _ = socket.ping("x"));
            }
            Action::Close(side) => {
                self.with_end(index, *side, |socket, record| record.close(now, socket));
            }
            Action::Abort(side) => {
                self.with_end(index, *side, |socket, record| record.abort(now, socket));
            }
            Action::Pause(side) => self.with_end(index, *side, |socket, _| socket.pause_reading()),
            Action::Resume(side) => {
                self.with_end(index, *side, |socket, _| socket.resume_reading());
            }
            Action::Broadcast { size } => {
                let number = self.broadcasts.replace(self.broadcasts.get() + 1);
                self.server.broadcast_text(broadcast(number, *size));
            }
            Action::Fault(fault) => {
                if let Some(link) = client.host.links().last() {
                    fault.apply(link);
                }
            }
            Action::FaultAtConnect(fault) => client.faults.borrow_mut().push(fault.clone()),
            Action::Advance(time) => self.clock.advance(*time),
        }
    }

    /// Opens a client that is not connected.
    fn open(&self, index: usize, client: &Client) {
        if client.socket.state() != SocketState::Unconnected || client.is_open() {
            return;
        }
        let number = client.records.borrow().len();
        let record = self.record(Side::Client, index, number);
        client.records.borrow_mut().push(Rc::clone(&record));
        let url = format!("ws://{}/{index}/{number}", client.host.name());
        if let Err(error) = client.socket.open(url) {
            record.violation(format!("open: {error}"));
        }
    }

    fn record(&self, side: Side, client: usize, number: usize) -> Rc<Record> {
        let now = self.clock.elapsed();
        Rc::new(Record::new(side, client, number, now, &self.log, &self.violations))
    }

    /// Calls `act` with an end of the current connection of a client, if there is one.
    fn with_end(&self, client: usize, side: Side, act: impl FnOnce(&WebSocket, &Record)) {
        match side {
            Side::Client => {
                let Some(client) = self.clients.get(client) else { return };
                let record = client.records.borrow().last().cloned();
                if let Some(record) = record {
                    act(&client.socket, &record);
                }
            }
            Side::Server => {
                let accepted = self.accepted.borrow();
                let last = accepted.iter().rev().find(|it| it.record.client == client);
                let end = last.and_then(|it| Some((it.socket.upgrade()?, Rc::clone(&it.record))));
                drop(accepted);
                if let Some((socket, record)) = end {
                    act(&socket, &record);
                }
            }
        }
    }

    /// An attempt to connect lasts 10 s at the most.
    fn check_connecting(&self) {
        for client in &self.clients {
            let records = client.records.borrow();
            let Some(record) = records.last() else { continue };
            let age = self.clock.elapsed().saturating_sub(record.begin);
            if client.socket.state() == SocketState::Connecting && age > CONNECT_TIMEOUT {
                record.violation(format!("it connects since {age:?}"));
            }
        }
    }

    /// Ends all connections, and gives them the time that they may take.
    fn end(&self) {
        let ending = self.settings.ending;
        self.log.borrow_mut().push(format!("{:?} {ending:?}", self.clock.elapsed()));
        for client in &self.clients {
            client.faults.borrow_mut().clear();
            for link in client.host.links() {
                match ending {
                    Ending::ClientsClose | Ending::Shutdown => recover(&link),
                    Ending::Stalled => link.stall(),
                    Ending::Cut => link.cut(),
                }
            }
        }
        let now = self.clock.elapsed();
        // Also those of earlier connections: a socket that is paused does not notice its end.
        for (socket, record) in self.open_ends() {
            socket.resume_reading();
            let closes = match record.side {
                Side::Client => ending != Ending::Shutdown,
                Side::Server => ending == Ending::Stalled,
            };
            if closes {
                record.close(now, &socket);
            }
        }
        if ending == Ending::Shutdown {
            // A server that is shut down still serves later connections: those of this instant
            // begin before.
            self.clock.advance(Duration::ZERO);
            self.server.shutdown(SHUTDOWN_TIMEOUT);
        }
        self.clock.advance(match ending {
            Ending::ClientsClose => PROMPT,
            Ending::Shutdown => SHUTDOWN_TIMEOUT + PROMPT,
            Ending::Stalled => LONGEST_END,
            Ending::Cut => Duration::ZERO,
        });
    }
}

impl World {
    /// Returns the ends of all connections that have not ended.
    fn open_ends(&self) -> Vec<(WebSocket, Rc<Record>)> {
        let clients = self.clients.iter().filter_map(|client| {
            Some((client.socket.clone(), client.records.borrow().last().cloned()?))
        });
        let accepted = self.accepted.borrow();
        let servers =
            accepted.iter().filter_map(|it| Some((it.socket.upgrade()?, Rc::clone(&it.record))));
        let ends = clients.chain(servers);
        ends.filter(|(_, record)| record.disconnections.get() == 0).collect()
    }
}

impl Client {
    fn new(
        index: usize,
        settings: Settings,
        server: &WebSocketServer,
        clock: &Rc<VirtualClock>,
    ) -> Self {
        let host = Host::new(format!("client-{index}.test"), server);
        let faults = Rc::<RefCell<Vec<Fault>>>::default();
        let applied = Rc::clone(&faults);
        host.set_on_connect(move |link| {
            applied.borrow().iter().for_each(|fault| fault.apply(link));
        });
        let socket = WebSocket::new();
        if settings.is_compressed {
            socket.set_compression(Compression::default());
        }
        let records = Rc::<RefCell<Vec<Rc<Record>>>>::default();
        let current = Rc::clone(&records);
        watch(&socket, clock, move || current.borrow().last().cloned());
        Self { socket, host, records, faults }
    }

    /// Returns whether the end of its last connection was not reported yet.
    fn is_open(&self) -> bool {
        let records = self.records.borrow();
        records.last().is_some_and(|record| record.disconnections.get() == 0)
    }
}

/// Takes each socket of the server, and records its signals.
fn accept_all(
    server: &WebSocketServer,
    clock: &Rc<VirtualClock>,
    accepted: &Rc<RefCell<Vec<Accepted>>>,
    log: &Log,
    violations: &Rc<RefCell<Vec<String>>>,
) {
    let (clock, log, violations) = (Rc::clone(clock), Rc::clone(log), Rc::clone(violations));
    server.new_connection().connect_to(accepted, move |accepted, server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            let path = socket.resource_name();
            let mut parts = path.trim_start_matches('/').split('/').map(str::parse);
            let (Some(Ok(client)), Some(Ok(number))) = (parts.next(), parts.next()) else {
                violations.borrow_mut().push(format!("a client at {path}"));
                continue;
            };
            let now = clock.elapsed();
            let record = Record::new(Side::Server, client, number, now, &log, &violations);
            let record = Rc::new(record);
            record.is_connected.set(true);
            let current = Rc::clone(&record);
            watch(&socket, &clock, move || Some(Rc::clone(&current)));
            accepted.borrow_mut().push(Accepted { socket: socket.downgrade(), record });
        }
    });
}

/// Records the signals of a socket in its current record.
fn watch(
    socket: &WebSocket,
    clock: &Rc<VirtualClock>,
    current: impl Fn() -> Option<Rc<Record>> + Clone + 'static,
) {
    let on = |act: fn(&WebSocket, &Record, Duration)| {
        let (clock, current) = (Rc::clone(clock), current.clone());
        move |socket: &WebSocket| {
            if let Some(record) = current() {
                act(socket, &record, clock.elapsed());
            }
        }
    };
    let connected = on(|_socket, record, now| {
        record.signal(now, "connected");
        record.is_connected.set(true);
    });
    socket.connected().connect(move |socket, ()| connected(socket));
    let disconnected = on(|socket, record, now| {
        let code = socket.close_code();
        record.signal(now, format!("disconnected {code:?}"));
        record.final_code.set(code);
        record.disconnections.set(record.disconnections.get() + 1);
    });
    socket.disconnected().connect(move |socket, ()| disconnected(socket));
    let about_to_close = on(|_socket, record, now| record.signal(now, "about_to_close"));
    socket.about_to_close().connect(move |socket, ()| about_to_close(socket));
    let ponged = on(|_socket, record, now| record.signal(now, "pong"));
    socket.pong().connect(move |socket, _pong| ponged(socket));
    let written = on(|_socket, record, now| record.signal(now, "bytes_written"));
    socket.bytes_written().connect(move |socket, _bytes| written(socket));

    let (clock, record) = (Rc::clone(clock), current);
    let (times, records) = (Rc::clone(&clock), record.clone());
    socket.error_occurred().connect(move |_socket, error| {
        if let Some(record) = records() {
            note_error(&record, times.elapsed(), error);
        }
    });
    let (times, records) = (Rc::clone(&clock), record.clone());
    socket.text_message_received().connect(move |socket, text| {
        if let Some(record) = records() {
            receive(socket, &record, times.elapsed(), text);
        }
    });
    socket.binary_message_received().connect(move |socket, bytes| {
        if let Some(record) = record() {
            receive(socket, &record, clock.elapsed(), &String::from_utf8_lossy(bytes));
        }
    });
}

fn receive(socket: &WebSocket, record: &Record, now: Duration, text: &str) {
    match record.receive(now, text) {
        Request::Nothing => {}
        Request::Echo => record.send(socket, 10, Request::Nothing),
        Request::Close => record.close(now, socket),
        Request::Abort => record.abort(now, socket),
    }
}

/// Deadlines are kept, to the instant where the time of their begin is known.
fn note_error(record: &Record, now: Duration, error: &Error) {
    record.signal(now, format!("error: {error}"));
    let age = now.saturating_sub(record.begin);
    match error {
        Error::ConnectTimeout(_) if age != CONNECT_TIMEOUT => {
            record.violation(format!("the connect timeout expires after {age:?}"));
        }
        Error::WriteTimeout(_) if age < WRITE_TIMEOUT => {
            record.violation(format!("the write timeout expires after {age:?}"));
        }
        Error::Connection { .. } if !record.is_connected.get() => {}
        Error::Connection { .. } | Error::NotConnected => {
            record.violation(format!("unexpected: {error:?}"));
        }
        _ => {}
    }
}

impl Fault {
    fn apply(&self, link: &Link) {
        let to = |side: &Side| match side {
            Side::Client => link.to_client(),
            Side::Server => link.to_server(),
        };
        match self {
            Self::Stall(side) => to(side).stall(),
            Self::Recover(side) => recover_direction(&to(side)),
            Self::Delay(side, delay) => to(side).delay(*delay),
            Self::Bandwidth(side, bandwidth) => to(side).bandwidth(*bandwidth),
            Self::Fragment(side, bytes) => to(side).fragment(*bytes),
            Self::Buffer(side, bytes) => to(side).buffer(*bytes),
            Self::CutAfter(side, bytes) => to(side).cut_after(*bytes),
            Self::Cut => link.cut(),
        }
    }
}

/// Ends all faults of a link but those that have ended it.
fn recover(link: &Link) {
    recover_direction(&link.to_server());
    recover_direction(&link.to_client());
}

fn recover_direction(direction: &Direction) {
    direction.resume();
    direction.delay(Duration::ZERO);
    direction.bandwidth(None);
    direction.fragment(None);
    direction.buffer(64 * 1024);
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest delay of the network, and the 2 s that a peer has to end the connection.
const PROMPT: Duration = Duration::from_secs(6);
/// Four write timeouts, a closing handshake of 60 s, and 2 s for the end.
const LONGEST_END: Duration = Duration::from_secs(185);
