//! The gateway: devices on one side, pages on the other, and the journal.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use log::{info, warn};
use slotwork::signals::{Signal, SignalStream};
use slotwork::{
    CloseCode, EventLoop, OpeningHandshake, OriginPolicy, PreparedMessage, SslMode, Timer, Verdict,
    WebSocket, WebSocketServer,
};
use smol::Task;

use crate::device::{Command, Device, Outcome};
use crate::journal::Journal;
use crate::messages::{DeviceState, FromPage, Presence, Reading, ToPage, Values, to_json};

pub(crate) struct Gateway {
    server: WebSocketServer,
    journal: Arc<Journal>,
    answer_timeout: Duration,
    silence: Duration,
    /// The devices that are connected.
    devices: RefCell<BTreeMap<String, Rc<Device>>>,
    /// All devices that have ever reported.
    states: RefCell<BTreeMap<String, DeviceState>>,
    /// Those that the pages do not know yet.
    changed: RefCell<BTreeSet<String>>,
    refresh: Timer,
    reading_received: Signal<Reading>,
}

/// What a client is, by the path of its request.
enum Role {
    Device(String),
    Page,
}

/// Pages get changes together, this long after the first one.
const REFRESH_INTERVAL: Duration = Duration::from_millis(250);
const MAX_DEVICES: usize = 1000;
const MAX_COMMAND_LENGTH: usize = 200;
const MAX_CLIENTS: usize = 2000;
/// Readings that the journal has not taken yet; older ones are lost.
const MAX_UNRECORDED: usize = 10_000;

impl Gateway {
    pub(crate) fn new(
        journal: Journal,
        answer_timeout: Duration,
        silence: Duration,
    ) -> Result<Rc<Self>> {
        let server = WebSocketServer::new("Gateway", SslMode::NonSecure);
        server.set_origin_policy(OriginPolicy::SameOrigin)?;
        server.set_max_connections(Some(MAX_CLIENTS));
        server.set_max_allowed_incoming_message_size(16 * 1024);
        // A client that does not read its messages is disconnected.
        server.set_output_limit(1024 * 1024);
        server.set_verifier(async |_server, handshake| verify(&handshake));

        let last_readings = journal.last_readings()?.into_iter();
        let states = last_readings.map(|(name, Reading { time, values, .. })| {
            (name.clone(), DeviceState { name, presence: Presence::Offline, time, values })
        });
        let gateway = Rc::new(Self {
            server,
            journal: Arc::new(journal),
            answer_timeout,
            silence,
            devices: RefCell::default(),
            states: RefCell::new(states.collect()),
            changed: RefCell::default(),
            refresh: Timer::new(),
            reading_received: Signal::new(),
        });
        gateway.server.new_connection().connect_to(&gateway, Self::on_new_connection);
        gateway.server.server_error().connect(|_server, error| info!("refused: {error}"));
        gateway.refresh.timeout().connect_to(&gateway, Self::on_refresh);
        gateway.refresh.set_single_shot(true);
        gateway.refresh.set_interval(REFRESH_INTERVAL);
        Ok(gateway)
    }

    pub(crate) fn server(&self) -> &WebSocketServer {
        &self.server
    }

    /// Starts to write readings into the journal; the task ends when the gateway is dropped.
    pub(crate) fn start_recording(&self) -> Task<()> {
        let readings = self.reading_received.stream_latest(MAX_UNRECORDED);
        EventLoop::current().spawn(record(readings, Arc::clone(&self.journal)))
    }

    fn on_new_connection(self: &Rc<Self>, server: &WebSocketServer, (): &()) {
        while let Some(socket) = server.next_pending_connection() {
            socket.error_occurred().connect(|socket, error| info!("{socket:?}: {error}"));
            match socket.data::<Role>().as_deref() {
                Some(Role::Device(name)) => self.add_device(name, socket),
                _ => self.add_page(&socket),
            }
        }
    }

    fn add_device(self: &Rc<Self>, name: &str, socket: WebSocket) {
        let is_new = !self.states.borrow().contains_key(name);
        if is_new && self.states.borrow().len() >= MAX_DEVICES {
            socket.close(CloseCode::TRY_AGAIN_LATER, "too many devices");
            return;
        }
        let device = Device::new(name, socket, self.silence);
        device.reported().connect_to(self, Self::on_reported);
        device.silent().connect_to(self, |gateway, device, ()| {
            gateway.update(device.name(), |state| state.presence = Presence::Silent);
        });
        device.command_finished().connect(send_outcome);
        device.disconnected().connect_to(self, Self::on_disconnected);

        // The former one is dropped here, so that its `disconnected` removes nothing.
        let former = self.devices.borrow_mut().insert(name.to_owned(), device);
        if let Some(former) = former {
            former.reject(CloseCode::POLICY_VIOLATED, "replaced by a newer connection");
        }
        self.update(name, |state| state.presence = Presence::Online);
    }

    fn add_page(self: &Rc<Self>, page: &WebSocket) {
        page.text_message_received().connect_to(self, Self::on_page_text);
        let devices = self.states.borrow().values().cloned().collect();
        page.send_text_message(to_json(&ToPage::Devices { devices }));
    }

    fn on_reported(self: &Rc<Self>, device: &Rc<Device>, values: &Values) {
        let time = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_millis();
        let time = u64::try_from(time).unwrap_or(u64::MAX);
        let (device, values) = (device.name().to_owned(), values.clone());
        self.update(&device, |state| {
            state.presence = Presence::Online;
            state.time = time;
            state.values.clone_from(&values);
        });
        self.reading_received.emit(&Reading { device, time, values });
    }

    fn on_disconnected(self: &Rc<Self>, device: &Rc<Device>, (): &()) {
        self.devices.borrow_mut().remove(device.name());
        self.update(device.name(), |state| state.presence = Presence::Offline);
    }

    fn on_page_text(self: &Rc<Self>, page: &WebSocket, text: &str) {
        match serde_json::from_str(text) {
            Ok(FromPage::Command { command, .. }) if command.len() > MAX_COMMAND_LENGTH => {
                page.close(CloseCode::POLICY_VIOLATED, "the command is too long");
            }
            Ok(FromPage::Command { device, command }) => self.send_command(page, &device, command),
            Ok(FromPage::History { device }) => {
                let history = send_history(Arc::clone(&self.journal), page.clone(), device);
                EventLoop::current().spawn(history).detach();
            }
            Err(error) => _ = page.close(CloseCode::POLICY_VIOLATED, error.to_string()),
        }
    }

    fn send_command(&self, page: &WebSocket, name: &str, text: String) {
        let device = self.devices.borrow().get(name).cloned();
        let Some(device) = device else {
            page.send_text_message(to_json(&ToPage::Outcome {
                device: name,
                command: &text,
                succeeded: false,
                text: "the device is offline",
            }));
            return;
        };
        device.send_command(Command { text, page: page.clone() }, self.answer_timeout);
    }

    fn update(&self, name: &str, change: impl FnOnce(&mut DeviceState)) {
        let mut states = self.states.borrow_mut();
        change(states.entry(name.to_owned()).or_insert_with(|| DeviceState {
            name: name.to_owned(),
            presence: Presence::Offline,
            time: 0,
            values: Values::new(),
        }));
        self.changed.borrow_mut().insert(name.to_owned());
        if !self.refresh.is_active() {
            self.refresh.restart();
        }
    }

    fn on_refresh(self: &Rc<Self>, _timer: &Timer, (): &()) {
        let changed = mem::take(&mut *self.changed.borrow_mut());
        let states = self.states.borrow();
        let devices = changed.iter().filter_map(|name| states.get(name).cloned()).collect();
        let message = PreparedMessage::text(to_json(&ToPage::Devices { devices }));
        for client in self.server.clients() {
            if matches!(client.data::<Role>().as_deref(), Some(Role::Page)) {
                client.send_prepared(&message);
            }
        }
    }
}

/// Accepts `/page`, and `/devices/` with a name.
fn verify(handshake: &OpeningHandshake) -> Verdict {
    let path = handshake.request().resource_name();
    if path == "/page" {
        return Verdict::accept_with(Role::Page);
    }
    let is_valid = |name: &str| {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=32).contains(&name.len()) && name.bytes().all(is_allowed)
    };
    match path.strip_prefix("/devices/") {
        Some(name) if is_valid(name) => Verdict::accept_with(Role::Device(name.to_owned())),
        Some(_) => Verdict::refuse(400, "a name has 1 to 32 letters, digits and hyphens\n"),
        None => Verdict::refuse(404, "devices connect to /devices/NAME\n"),
    }
}

/// Answers the page that sent the command.
fn send_outcome(device: &Rc<Device>, Outcome { command, answer }: &Outcome) {
    let (Ok(text) | Err(text)) = answer;
    command.page.send_text_message(to_json(&ToPage::Outcome {
        device: device.name(),
        command: &command.text,
        succeeded: answer.is_ok(),
        text,
    }));
}

/// Writes in another thread, one reading after the other.
async fn record(mut readings: SignalStream<Reading>, journal: Arc<Journal>) {
    let mut missed = 0;
    while let Some(reading) = readings.next().await {
        let journal = Arc::clone(&journal);
        if let Err(error) = smol::unblock(move || journal.append(&reading)).await {
            warn!("a reading is lost: {error}");
        }
        if readings.missed() > missed {
            missed = readings.missed();
            warn!("the journal is too slow: {missed} readings are lost");
        }
    }
}

/// Reads the journal in another thread; the page's next message is read behind it.
async fn send_history(journal: Arc<Journal>, page: WebSocket, device: String) {
    page.pause_reading();
    let name = device.clone();
    match smol::unblock(move || journal.history(&name)).await {
        Ok(readings) => {
            let history = ToPage::History { device: &device, readings };
            page.send_text_message(to_json(&history));
        }
        Err(error) => warn!("cannot read the journal: {error}"),
    }
    page.resume_reading();
}
