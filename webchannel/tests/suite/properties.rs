//! Properties: writes, updates and their flow control.

use anyhow::{Result, ensure};
use serde_json::json;
use slotwork::EventLoop;
use support::{run_until, serve, wait_until};

use crate::device::{Device, Fixture};
use crate::page::Page;

/// The notify signal's index, in JSON keys, and the property's.
const NAME: (&str, &str) = ("1", "0");
const LEVEL: (&str, &str) = ("2", "1");

/// An update has the arguments of the last emission, and the value.
#[test]
fn an_update_has_signals_and_properties() -> Result<()> {
    let Fixture { port, channel: _channel, device: _device, server: _server } = Fixture::new()?;

    serve(move || {
        let mut page = Page::open(port)?;
        page.set_property("device", 0, &json!("new"))?;
        let update = page.next_update()?;
        let object = json!({
            "object": "device", "signals": {NAME.0: ["new"]}, "properties": {NAME.1: "new"},
        });
        ensure!(update == object, "{update}");
        Ok(())
    })
}

/// A refused, ill-typed or forbidden write is taken back without a signal, for the writer alone.
#[test]
fn a_refused_write_is_taken_back() -> Result<()> {
    let Fixture { port, channel: _channel, device: _device, server: _server } = Fixture::new()?;

    serve(move || {
        let (mut page, mut other) = (Page::open(port)?, Page::open(port)?);
        for (property, value, truth) in [
            (0, json!(""), json!("first")),
            (0, json!(5), json!("first")),
            (1, json!(7), json!(0)),
            (3, json!("constant"), json!(null)),
            (0, json!({"__QObject*__": true, "id": "x"}), json!("first")),
        ] {
            page.set_property("device", property, &value)?;
            let update = page.next_update()?;
            let object = json!({
                "object": "device", "signals": {}, "properties": {property.to_string(): truth},
            });
            ensure!(update == object, "{update}");
            page.idle()?;
        }
        other.expect_nothing()
    })
}

/// Changes within an interval are one update, with the values of its end.
#[test]
fn changes_are_collected() -> Result<()> {
    let Fixture { channel: _channel, device, server: _server, port } = Fixture::without_interval()?;
    device.set_hook(|device| {
        (1..=1000).for_each(|level| device.set_level(level));
        json!(null)
    });

    serve(move || {
        let mut page = Page::open(port)?;
        page.call_hook()?;
        let update = page.next_update()?;
        let object = json!({
            "object": "device", "signals": {LEVEL.0: [1000]}, "properties": {LEVEL.1: 1000},
        });
        ensure!(update == object, "{update}");
        page.idle()?;
        page.expect_nothing()
    })
}

/// Flow control: a client that is not idle gets nothing, and what it has missed at its idle.
#[test]
fn a_busy_client_waits_for_its_idle() -> Result<()> {
    let Fixture { channel: _channel, device, server: _server, port } = Fixture::without_interval()?;
    device.set_hook(Device::raise_level);

    serve(move || {
        let mut page = Page::open(port)?;
        page.call_hook()?;
        ensure!(page.next_update()?["properties"][LEVEL.1] == 1);
        for _ in 0..3 {
            page.call_hook()?;
        }
        page.expect_nothing()?;
        page.idle()?;
        ensure!(page.next_update()?["signals"][LEVEL.0] == json!([4]));
        Ok(())
    })
}

/// Without an init, and without an idle, there are no updates.
#[test]
fn a_client_that_never_waits_gets_no_updates() -> Result<()> {
    let Fixture { channel: _channel, device, server: _server, port } = Fixture::without_interval()?;
    device.set_hook(Device::raise_level);

    serve(move || {
        let (mut silent, mut early) = (Page::connect(port)?, Page::connect(port)?);
        silent.init()?;
        early.idle()?;
        early.call_hook()?;
        silent.expect_nothing()?;
        early.expect_nothing()
    })
}

/// Qt: `setBlockUpdates()` holds updates back, and then sends them at once.
#[test]
fn blocked_updates_are_sent_when_they_are_unblocked() -> Result<()> {
    let Fixture { channel, device, server: _server, port } = Fixture::without_interval()?;
    channel.set_block_updates(true);
    ensure!(channel.block_updates());
    device.set_hook(move |device| {
        device.raise_level();
        // The third call unblocks.
        channel.set_block_updates(device.level.get() < 3);
        json!(null)
    });

    serve(move || {
        let mut page = Page::open(port)?;
        page.call_hook()?;
        page.call_hook()?;
        page.expect_nothing()?;
        page.call_hook()?;
        ensure!(page.next_update()?["properties"][LEVEL.1] == 3);
        Ok(())
    })
}

/// A change between init and idle is not lost, and one before the init is not sent.
#[test]
fn a_client_gets_the_changes_since_its_init() -> Result<()> {
    let Fixture { channel: _channel, device, server: _server, port } = Fixture::without_interval()?;
    device.set_hook(Device::raise_level);

    serve(move || {
        let mut page = Page::connect(port)?;
        page.call_hook()?;
        ensure!(page.init()?["device"]["properties"][1][3] == 1);
        page.call_hook()?;
        page.idle()?;
        ensure!(page.next_update()?["properties"][LEVEL.1] == 2);
        page.idle()?;
        page.expect_nothing()
    })
}

/// A client over its high-water mark is busy, and gets what it has missed when it has read.
#[test]
fn a_client_that_reads_nothing_waits() -> Result<()> {
    let Fixture { channel, device, server: _server, port } = Fixture::without_interval()?;
    let (go, start) = std::sync::mpsc::channel::<()>();
    let (ready, is_ready) = smol::channel::bounded(1);
    let page = std::thread::spawn(move || -> Result<()> {
        let mut page = Page::open(port)?;
        page.expect_nothing()?;
        ready.send_blocking(())?;
        _ = start.recv();
        // Megabytes of something else come first.
        while page.peer.read_frame()?.payload.len() > 1000 {}
        page.idle()?;
        page.expect_nothing()
    });
    run_until(is_ready.recv())??;
    let socket = channel.clients().remove(0);
    socket.set_output_limit(usize::MAX);
    socket.set_high_water_mark(1024);
    let big = "x".repeat(1024 * 1024);
    while socket.bytes_to_write() <= 1024 {
        socket.send_text_message(&big);
        EventLoop::current().process_events();
    }
    let count = device.reads.get();
    device.set_level(1);
    while EventLoop::current().process_events() {}
    ensure!(device.reads.get() == count, "it was sent an update");

    drop(go);

    wait_until(|| page.is_finished())?;
    ensure!(device.reads.get() > count);
    page.join().unwrap()
}

/// A getter that panics, or has a forged object, is `null` for the page and reported.
#[test]
fn a_value_that_cannot_be_sent_is_null() -> Result<()> {
    use slotwork::signals::SignalSpy;
    use slotwork_webchannel::{Publish, Publisher};
    struct Broken;
    impl Publish for Broken {
        fn publish(with: &mut Publisher<Self>) {
            with.constant("panics", |_| -> i32 { support::panic_in_slot() })
                .constant("forged", |_| json!([1, {"__QObject*__": true, "id": "device"}]))
                .constant("fine", |_| [f64::NAN, 1.5]);
        }
    }
    let Fixture { channel, device: _device, server: _server, port } = Fixture::new()?;
    let broken = std::rc::Rc::new(Broken);
    channel.register("broken", &broken)?;
    let failures = SignalSpy::new(&channel.call_failed());

    let objects = serve(move || Page::connect(port)?.init())?;

    let properties = objects["broken"]["properties"].as_array().cloned().unwrap_or_default();
    let values: Vec<_> = properties.iter().map(|property| property[3].clone()).collect();
    ensure!(values == [json!(null), json!(null), json!([null, 1.5])], "{values:?}");
    ensure!(failures.count() == 2);
    Ok(())
}
