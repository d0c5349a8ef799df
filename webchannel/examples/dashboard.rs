//! A greenhouse with a dashboard: live properties, a slider that writes, and a chart of a signal.
//!
//! Run `cargo run -p slotwork-webchannel --example dashboard`, serve the page with
//! `python3 -m http.server --directory webchannel/examples`, and open
//! `http://localhost:8000/dashboard.html` in two windows. The page has Qt's `qwebchannel.js`, which
//! is not part of this package: from a file beside it, such as that of npm's `qwebchannel`, or else
//! from a CDN. Qt's `standalone` example is similar.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use serde::{Deserialize, Serialize};
use slotwork::signals::{Signal, SignalRef};
use slotwork::{EventLoop, HostAddress, OriginPolicy, SslMode, Timer, WebSocketServer};
use slotwork_webchannel::{Publish, Publisher, WebChannel};

/// Slotwork example: dashboard
#[derive(Parser)]
struct Options {
    /// Port for the server
    #[arg(short, long, default_value_t = 1234)]
    port: u16,
}

/// What the heating does; a string in the page.
#[derive(Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
enum Mode {
    Off,
    #[default]
    Automatic,
    On,
}

/// A value of the chart.
#[derive(Clone, Serialize)]
struct Measurement {
    seconds: f64,
    temperature: f64,
    target: f64,
}

struct Greenhouse {
    temperature: Cell<f64>,
    target: Cell<f64>,
    mode: Cell<Mode>,
    is_heating: Cell<bool>,
    ticks: Cell<u32>,
    temperature_changed: Signal<f64>,
    target_changed: Signal<f64>,
    mode_changed: Signal<Mode>,
    heating_changed: Signal<bool>,
    measured: Signal<Measurement>,
}

impl Publish for Greenhouse {
    fn publish(with: &mut Publisher<Self>) {
        with.constant("name", |_house| "Greenhouse 1")
            .constant("range", |_house| RANGE)
            .property("temperature", |house| house.temperature.get(), Self::temperature_changed)
            .property("heating", |house| house.is_heating.get(), Self::heating_changed)
            .writable_property(
                "target",
                |it| it.target.get(),
                Self::set_target,
                Self::target_changed,
            )
            .writable_property("mode", |it| it.mode.get(), Self::set_mode, Self::mode_changed)
            .signal("measured", Self::measured)
            .try_method("openWindow", Self::open_window);
    }
}

impl Greenhouse {
    fn new() -> Rc<Self> {
        Rc::new(Self {
            temperature: Cell::new(17.0),
            target: Cell::new(21.0),
            mode: Cell::default(),
            is_heating: Cell::default(),
            ticks: Cell::default(),
            temperature_changed: Signal::new(),
            target_changed: Signal::new(),
            mode_changed: Signal::new(),
            heating_changed: Signal::new(),
            measured: Signal::new(),
        })
    }

    /// Lets a bit of time pass.
    fn on_timeout(self: &Rc<Self>, _timer: &Timer, (): &()) {
        let (temperature, target) = (self.temperature.get(), self.target.get());
        let is_heating = match self.mode.get() {
            Mode::Off => false,
            Mode::On => true,
            // With some hysteresis.
            Mode::Automatic if self.is_heating.get() => temperature < target + 0.4,
            Mode::Automatic => temperature < target - 0.4,
        };
        if self.is_heating.replace(is_heating) != is_heating {
            self.heating_changed.emit(&is_heating);
        }
        let ticks = self.ticks.get() + 1;
        self.ticks.set(ticks);
        let heat = if is_heating { 0.09 } else { 0.0 };
        let draft = 0.02 * (f64::from(ticks) / 7.0).sin();
        let temperature = temperature + heat + draft - (temperature - OUTSIDE) * 0.004;
        self.temperature.set(temperature);
        self.temperature_changed.emit(&temperature);
        let seconds = f64::from(ticks) * TICK.as_secs_f64();
        self.measured.emit(&Measurement { seconds, temperature, target });
    }

    /// Keeps it within the range: the page gets the value back that it really is.
    fn set_target(self: &Rc<Self>, target: f64) {
        let target = target.clamp(RANGE.0, RANGE.1);
        self.target.set(target);
        self.target_changed.emit(&target);
    }

    fn set_mode(self: &Rc<Self>, mode: Mode) {
        if self.mode.replace(mode) != mode {
            self.mode_changed.emit(&mode);
        }
    }

    /// Lets cold air in; an error rejects the promise of the page.
    fn open_window(self: &Rc<Self>) -> Result<f64, &'static str> {
        if self.temperature.get() < OUTSIDE + 2.0 {
            return Err("it is cold enough");
        }
        self.temperature.update(|temperature| temperature - 2.0);
        Ok(self.temperature.get())
    }

    fn temperature_changed(self: &Rc<Self>) -> SignalRef<'_, Rc<Self>, f64> {
        SignalRef::new(self, &self.temperature_changed)
    }

    fn target_changed(self: &Rc<Self>) -> SignalRef<'_, Rc<Self>, f64> {
        SignalRef::new(self, &self.target_changed)
    }

    fn mode_changed(self: &Rc<Self>) -> SignalRef<'_, Rc<Self>, Mode> {
        SignalRef::new(self, &self.mode_changed)
    }

    fn heating_changed(self: &Rc<Self>) -> SignalRef<'_, Rc<Self>, bool> {
        SignalRef::new(self, &self.heating_changed)
    }

    fn measured(self: &Rc<Self>) -> SignalRef<'_, Rc<Self>, Measurement> {
        SignalRef::new(self, &self.measured)
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    let (house, channel, timer) = (Greenhouse::new(), WebChannel::new(), Timer::new());
    channel.register("greenhouse", &house)?;
    timer.timeout().connect_to(&house, Greenhouse::on_timeout);
    timer.start(TICK);

    let server = WebSocketServer::new("Dashboard", SslMode::NonSecure);
    // Pages of this machine: each page that may connect can call everything that is registered.
    server.set_origin_policy(OriginPolicy::Loopback)?;
    server.set_max_allowed_incoming_message_size(64 * 1024);
    server.new_connection().connect_to(&channel, |channel, server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            channel.connect_to(&socket);
        }
    });
    server.closed().connect(|_server, ()| EventLoop::current().quit());
    server.listen(HostAddress::LocalHost, options.port).context("cannot start the server")?;
    println!("Dashboard listening on port {}", server.server_port());

    #[cfg(unix)]
    EventLoop::current().quit_on_signals()?;
    EventLoop::current().exec();
    server.shutdown(Duration::from_secs(3));
    EventLoop::current().exec();
    Ok(())
}

const TICK: Duration = Duration::from_millis(250);
/// The targets that can be set, in degrees Celsius.
const RANGE: (f64, f64) = (10.0, 30.0);
/// The temperature outside.
const OUTSIDE: f64 = 6.0;
