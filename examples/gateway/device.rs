//! A connected device: its reports, and the commands that it has not answered yet.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::mem;
use std::rc::Rc;
use std::time::{Duration, Instant};

use log::info;
use slotwork::signals::{Scope, Signal, SignalRef};
use slotwork::{CloseCode, Timer, WebSocket};

use crate::messages::{FromDevice, ToDevice, Values, to_json};

/// In Qt a `QObject` that owns its `QWebSocket` and its `QTimer`.
pub(crate) struct Device {
    name: String,
    socket: WebSocket,
    input: Scope,
    second: Cell<Instant>,
    messages: Cell<u32>,
    silence: Timer,
    last_id: Cell<u64>,
    unanswered: RefCell<BTreeMap<u64, Command>>,
    reported: Signal<Values>,
    silent: Signal<()>,
    command_finished: Signal<Outcome>,
    disconnected: Signal<()>,
}

/// A command, and the page that waits for its outcome.
#[derive(Clone)]
pub(crate) struct Command {
    pub(crate) text: String,
    pub(crate) page: WebSocket,
}

/// The device's answer, or the reason why there is none.
#[derive(Clone)]
pub(crate) struct Outcome {
    pub(crate) command: Command,
    pub(crate) answer: Result<String, String>,
}

/// Devices that send more are disconnected.
const MAX_MESSAGES_PER_SECOND: u32 = 100;
const MAX_UNANSWERED: usize = 20;
const MAX_VALUES: usize = 16;
const MAX_NAME_LENGTH: usize = 32;

impl Device {
    pub(crate) fn new(name: &str, socket: WebSocket, silence: Duration) -> Rc<Self> {
        let device = Rc::new(Self {
            name: name.to_owned(),
            socket,
            input: Scope::new(),
            second: Cell::new(Instant::now()),
            messages: Cell::new(0),
            silence: Timer::new(),
            last_id: Cell::new(0),
            unanswered: RefCell::default(),
            reported: Signal::new(),
            silent: Signal::new(),
            command_finished: Signal::new(),
            disconnected: Signal::new(),
        });
        let socket = &device.socket;
        device.input.add(socket.text_message_received().connect_to(&device, Self::on_text));
        device.input.add(socket.binary_message_received().connect_to(&device, Self::on_binary));
        socket.disconnected().connect_to(&device, Self::on_disconnected);
        device.silence.timeout().connect_to(&device, |device, _timer, ()| device.silent.emit(&()));
        device.silence.set_single_shot(true);
        device.silence.start(silence);
        device
    }

    /// Sends a command; `command_finished` follows within `timeout`.
    pub(crate) fn send_command(self: &Rc<Self>, command: Command, timeout: Duration) {
        if self.unanswered.borrow().len() >= MAX_UNANSWERED {
            let answer = Err("too many commands without an answer".to_owned());
            return self.command_finished.emit(&Outcome { command, answer });
        }
        let id = self.last_id.get() + 1;
        self.last_id.set(id);
        let message = ToDevice::Command { id, command: command.text.clone() };
        self.unanswered.borrow_mut().insert(id, command);
        self.socket.send_text_message(to_json(&message));
        let error = format!("no answer within {} s", timeout.as_secs());
        Timer::single_shot_to(timeout, self, move |device| device.finish(id, Err(error)));
    }

    /// Closes the connection, and takes no further message of the device.
    pub(crate) fn reject(&self, code: CloseCode, reason: &str) {
        info!("{} is rejected: {reason}", self.name);
        self.input.clear();
        self.socket.close(code, reason);
        self.finish_all(reason);
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn reported(self: &Rc<Self>) -> SignalRef<'_, Rc<Self>, Values> {
        SignalRef::new(self, &self.reported)
    }

    pub(crate) fn silent(self: &Rc<Self>) -> SignalRef<'_, Rc<Self>, ()> {
        SignalRef::new(self, &self.silent)
    }

    pub(crate) fn command_finished(self: &Rc<Self>) -> SignalRef<'_, Rc<Self>, Outcome> {
        SignalRef::new(self, &self.command_finished)
    }

    pub(crate) fn disconnected(self: &Rc<Self>) -> SignalRef<'_, Rc<Self>, ()> {
        SignalRef::new(self, &self.disconnected)
    }

    fn on_text(self: &Rc<Self>, _socket: &WebSocket, text: &str) {
        if self.is_flooding() {
            return self.reject(CloseCode::POLICY_VIOLATED, "too many messages");
        }
        match serde_json::from_str(text) {
            Ok(FromDevice::Report { values }) if are_acceptable(&values) => {
                self.silence.restart();
                self.reported.emit(&values);
            }
            Ok(FromDevice::Report { .. }) => {
                self.reject(CloseCode::POLICY_VIOLATED, "too many values, or too long a name");
            }
            Ok(FromDevice::Answer { id, text }) => self.finish(id, Ok(text)),
            Err(error) => self.reject(CloseCode::POLICY_VIOLATED, &error.to_string()),
        }
    }

    fn on_binary(self: &Rc<Self>, _socket: &WebSocket, _data: &[u8]) {
        self.reject(CloseCode::DATATYPE_NOT_SUPPORTED, "messages are JSON texts");
    }

    fn on_disconnected(self: &Rc<Self>, _socket: &WebSocket, (): &()) {
        self.silence.stop();
        self.finish_all("the device has disconnected");
        self.disconnected.emit(&());
    }

    /// Does nothing for a command that has finished already.
    fn finish(&self, id: u64, answer: Result<String, String>) {
        let command = self.unanswered.borrow_mut().remove(&id);
        if let Some(command) = command {
            self.command_finished.emit(&Outcome { command, answer });
        }
    }

    fn finish_all(&self, reason: &str) {
        let unanswered = mem::take(&mut *self.unanswered.borrow_mut());
        for command in unanswered.into_values() {
            self.command_finished.emit(&Outcome { command, answer: Err(reason.to_owned()) });
        }
    }

    fn is_flooding(&self) -> bool {
        if self.second.get().elapsed() >= Duration::from_secs(1) {
            self.second.set(Instant::now());
            self.messages.set(0);
        }
        self.messages.set(self.messages.get() + 1);
        self.messages.get() > MAX_MESSAGES_PER_SECOND
    }
}

fn are_acceptable(values: &Values) -> bool {
    values.len() <= MAX_VALUES && values.keys().all(|name| name.len() <= MAX_NAME_LENGTH)
}
