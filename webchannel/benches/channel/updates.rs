//! 2,000 changes of one property in a second, for 1,000 clients; beside broadcasts of equal texts.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use slotwork::signals::{Signal, SignalRef};
use slotwork::{EventLoop, EventThread, Timer, WebSocket};
use slotwork_webchannel::{Publish, Publisher, WebChannel};
use support::wait_until;

use crate::{cpu_time, ratio, serve_channel};

#[derive(Default)]
struct Sensor {
    value: Cell<u32>,
    /// How often the value was read: once for each encoding.
    reads: Cell<u64>,
    value_changed: Signal<u32>,
}

impl Publish for Sensor {
    fn publish(with: &mut Publisher<Self>) {
        with.property("value", Self::value, Self::value_changed);
    }
}

impl Sensor {
    fn value(self: &Rc<Self>) -> u32 {
        self.reads.set(self.reads.get() + 1);
        self.value.get()
    }

    fn value_changed(self: &Rc<Self>) -> SignalRef<'_, Rc<Self>, u32> {
        SignalRef::new(self, &self.value_changed)
    }

    fn change(self: &Rc<Self>) {
        self.value.set(self.value.get() + 1);
        self.value_changed.emit(&self.value.get());
    }
}

/// The clients' counts.
#[derive(Default)]
struct Counts {
    opened: AtomicU64,
    updates: AtomicU64,
}

pub(crate) fn run() -> Result<()> {
    let (channel, sensor) = (WebChannel::new(), Rc::new(Sensor::default()));
    channel.register("sensor", &sensor)?;
    let server = serve_channel(&channel)?;
    let counts = Arc::new(Counts::default());
    let (url, counted) = (server.server_url(), Arc::clone(&counts));
    let pages = EventThread::spawn("pages", move || open_pages(&url, &counted))?;
    wait_until(|| counts.opened.load(Ordering::Relaxed) == CLIENTS as u64)?;

    measure_changes(&sensor, &counts)?;
    measure_round(&channel, &sensor)?;
    server.close();
    pages.quit();
    Ok(())
}

/// Clients that answer as the JavaScript client does.
fn open_pages(url: &str, counts: &Arc<Counts>) -> Vec<WebSocket> {
    let open = |_| {
        let (page, counts) = (WebSocket::new(), Arc::clone(counts));
        page.connected().connect(|page, ()| _ = page.send_text_message(r#"{"type":3,"id":0}"#));
        page.text_message_received().connect(move |page, text| {
            let is_update = text.starts_with(r#"{"type":2"#);
            let count = if is_update { &counts.updates } else { &counts.opened };
            count.fetch_add(1, Ordering::Relaxed);
            page.send_text_message(r#"{"type":4}"#);
        });
        page.open(url).is_ok().then_some(page)
    };
    (0..CLIENTS).filter_map(open).collect()
}

/// Two changes a millisecond.
fn measure_changes(sensor: &Rc<Sensor>, counts: &Counts) -> Result<()> {
    EventLoop::current().wait(SETTLED);
    let (reads, updates) = (sensor.reads.get(), counts.updates.load(Ordering::Relaxed));
    let cpu = cpu_time()?;
    let timer = Timer::new();
    timer.timeout().connect_to(sensor, |sensor, timer, ()| {
        sensor.change();
        sensor.change();
        if sensor.value.get() >= CHANGES {
            timer.stop();
        }
    });
    timer.start(Duration::from_millis(1));
    wait_until(|| !timer.is_active())?;
    EventLoop::current().wait(SETTLED);
    let cpu = cpu_time()? - cpu;

    let updates = counts.updates.load(Ordering::Relaxed) - updates;
    let each = ratio(updates, CLIENTS as u64);
    println!("\n{CHANGES} changes, {CLIENTS} clients: {each:.1} updates a client,");
    println!("{} encodings, {:.0} ms CPU", sensor.reads.get() - reads, ratio(cpu, 1_000_000));
    Ok(())
}

/// One update to all clients, and the same bytes as broadcasts.
fn measure_round(channel: &WebChannel, sensor: &Rc<Sensor>) -> Result<()> {
    channel.set_property_update_interval(Duration::ZERO);
    let sockets = channel.clients();
    let text =
        r#"{"type":2,"data":[{"object":"sensor","properties":{"0":2000},"signals":{"1":[2000]}}]}"#;
    let (mut updates, mut broadcasts) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        EventLoop::current().wait(SETTLED);
        let start = cpu_time()?;
        sensor.change();
        let reads = sensor.reads.get();
        while sensor.reads.get() == reads {
            EventLoop::current().process_events();
        }
        let update = cpu_time()? - start;
        EventLoop::current().wait(SETTLED);
        let start = cpu_time()?;
        let message = slotwork::PreparedMessage::text(text);
        for socket in &sockets {
            socket.send_prepared(&message);
        }
        EventLoop::current().process_events();
        updates.push(ratio(update, 1000));
        broadcasts.push(ratio(cpu_time()? - start, 1000));
    }
    let [update, broadcast] = [updates, broadcasts].map(|mut times| {
        times.sort_by(f64::total_cmp);
        times.get(ROUNDS / 2).copied().unwrap_or_default()
    });
    println!("\n| update to {CLIENTS} clients, µs CPU | loop of `send_prepared` |\n|---|---|");
    println!("| {update:.0} | {broadcast:.0} |");
    Ok(())
}

pub(crate) const CLIENTS: usize = 1000;
const CHANGES: u32 = 2000;
/// Medians are of these.
const ROUNDS: usize = 41;
/// After it nothing is under way.
const SETTLED: Duration = Duration::from_millis(200);
