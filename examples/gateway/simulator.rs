//! Simulated devices, to try the gateway: clients that report once a second.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use log::warn;
use slotwork::{Timer, WebSocket};

use crate::messages::{FromDevice, ToDevice, to_json};

pub(crate) struct SimulatedDevice {
    socket: WebSocket,
    url: String,
    timer: Timer,
    seconds: Cell<f64>,
}

/// Returns the devices, which live as long as their thread keeps them.
pub(crate) fn start(url: &str, count: u32) -> Vec<Rc<SimulatedDevice>> {
    (1..=count)
        .map(|number| SimulatedDevice::new(format!("{url}/sensor-{number}"), number.into()))
        .collect()
}

impl SimulatedDevice {
    fn new(url: String, phase: f64) -> Rc<Self> {
        let (socket, timer) = (WebSocket::new(), Timer::new());
        let device = Rc::new(Self { socket, url, timer, seconds: Cell::new(phase * 10.0) });
        device.socket.connected().connect_to(&device, |device, _socket, ()| device.report());
        device.socket.text_message_received().connect_to(&device, Self::on_text);
        device.socket.disconnected().connect_to(&device, Self::on_disconnected);
        device.timer.timeout().connect_to(&device, |device, _timer, ()| device.report());
        device.timer.start(Duration::from_secs(1));
        device.open();
        device
    }

    fn open(&self) {
        if let Err(error) = self.socket.open(&self.url) {
            warn!("cannot open {}: {error}", self.url);
        }
    }

    fn on_text(self: &Rc<Self>, socket: &WebSocket, text: &str) {
        match serde_json::from_str(text) {
            Ok(ToDevice::Command { id, command }) => {
                let text = format!("{command}: done");
                socket.send_text_message(to_json(&FromDevice::Answer { id, text }));
            }
            Err(error) => warn!("{} sent {text:?}: {error}", self.url),
        }
    }

    fn on_disconnected(self: &Rc<Self>, _socket: &WebSocket, (): &()) {
        Timer::single_shot_to(Duration::from_secs(1), self, |device| device.open());
    }

    fn report(&self) {
        self.seconds.set(self.seconds.get() + 1.0);
        let temperature = 20.0 + 5.0 * (self.seconds.get() / 20.0).sin();
        let humidity = 50.0 + 10.0 * (self.seconds.get() / 35.0).cos();
        let values = [("temperature", temperature), ("humidity", humidity)];
        let values = values.map(|(name, value)| (name.to_owned(), (value * 10.0).round() / 10.0));
        self.socket.send_text_message(to_json(&FromDevice::Report { values: values.into() }));
    }
}
