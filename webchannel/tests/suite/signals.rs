//! Plain signals: subscribing, and their order among other messages.

use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use slotwork::signals::{Signal, SignalRef, SignalSpy};
use slotwork_webchannel::{CallFailure, Publish, Publisher};
use support::serve;

use crate::device::Fixture;
use crate::page::Page;

/// The index of `pressed`, behind three notify signals.
const PRESSED: usize = 4;
const CHILD_ADDED: usize = 5;

/// A signal goes to the clients that have connected it, in the moment of its emission.
#[test]
fn a_signal_goes_to_its_subscribers() -> Result<()> {
    let Fixture { channel: _channel, device, server: _server, port } = Fixture::new()?;
    device.set_hook(|device| {
        device.pressed.emit(&7);
        json!(device.pressed.slot_count())
    });

    serve(move || {
        let (mut page, mut other) = (Page::open(port)?, Page::open(port)?);
        page.connect_signal("device", PRESSED)?;
        page.connect_signal("device", PRESSED)?;
        page.call_hook()?;
        // Before the answer, and once.
        let signal = json!({"type": 1, "object": "device", "signal": PRESSED, "args": [7]});
        ensure!(page.earlier == [signal], "{:?}", page.earlier);
        other.expect_nothing()?;

        page.earlier.clear();
        page.send(&json!({"type": 8, "object": "device", "signal": PRESSED}))?;
        ensure!(page.call_hook()? == 0, "it is still connected");
        page.expect_nothing()
    })
}

/// What the client sends though it is superfluous is ignored: `destroyed`, notify signals.
#[test]
fn superfluous_subscriptions_are_ignored() -> Result<()> {
    let Fixture { channel: _channel, device, server: _server, port } = Fixture::new()?;
    device.set_hook(|device| {
        device.set_level(1);
        device.pressed.emit(&7);
        json!(null)
    });

    serve(move || {
        let mut page = Page::connect(port)?;
        for _ in 0..100 {
            page.connect_signal("device", 0)?;
            page.connect_signal("device", 1)?;
            page.send(&json!({"type": 8, "object": "device", "signal": 0}))?;
            page.send(&json!({"type": 8, "object": "none", "signal": 99}))?;
        }
        page.call_hook()?;
        page.expect_nothing()
    })
}

/// The class info of an object is sent to each client that lacks it, and to no other.
#[test]
fn an_object_in_a_signal_comes_with_its_class_where_it_is_needed() -> Result<()> {
    let Fixture { channel: _channel, device, server: _server, port } = Fixture::new()?;
    let child = crate::device::Device::new("child");
    device.set_hook(move |device| {
        device.child_added.emit(&slotwork_webchannel::Object::from(&child));
        json!(null)
    });

    serve(move || {
        let mut pages = [Page::open(port)?, Page::open(port)?, Page::open(port)?];
        for has_class in [[true, false, false], [false, true, false], [false, false, true]] {
            let number = has_class.iter().position(|it| *it).unwrap_or_default();
            pages[number].connect_signal("device", CHILD_ADDED)?;
            pages[number].call_hook()?;
            for (page, has_class) in pages.iter_mut().zip(has_class).take(number + 1) {
                let object = page.next_of(1)?["args"][0].clone();
                ensure!(object["data"].is_object() == has_class, "{object}");
                let id = object["id"].as_str().unwrap_or_default();
                ensure!(page.call(id, "add", &json!([1, 2]))? == 3);
            }
        }
        Ok(())
    })
}

/// A tuple is spread; of anything else there is no message, but a report.
#[test]
fn several_arguments_are_a_tuple() -> Result<()> {
    struct Mover(Signal<i32>);
    impl Publish for Mover {
        fn publish(with: &mut Publisher<Self>) {
            with.signal_args("expected", |it| SignalRef::new(it, &it.0), |by| (*by, -by))
                .signal_args("wrong", |it| SignalRef::new(it, &it.0), |by| *by)
                .method("move", |it: &Rc<Self>, by: i32| it.0.emit(&by));
        }
    }
    let Fixture { channel, device: _device, server: _server, port } = Fixture::new()?;
    let mover = Rc::new(Mover(Signal::new()));
    channel.register("mover", &mover)?;
    let failures = SignalSpy::new(&channel.call_failed());

    serve(move || {
        let mut page = Page::open(port)?;
        page.connect_signal("mover", 1)?;
        page.connect_signal("mover", 2)?;
        page.call("mover", "move", &json!([3]))?;
        let expected = json!({"type": 1, "object": "mover", "signal": 1, "args": [3, -3]});
        ensure!(page.earlier == [expected], "{:?}", page.earlier);
        Ok(())
    })?;

    let error = failures.take_first().context("no report")?;
    ensure!(error.method == "wrong" && matches!(error.cause, CallFailure::InvalidValue(_)));
    Ok(())
}

/// A worker thread emits through a queue, as everywhere.
#[test]
fn a_signal_of_another_thread_is_sent() -> Result<()> {
    struct Download(Arc<Signal<i32>>);
    impl Publish for Download {
        fn publish(with: &mut Publisher<Self>) {
            with.signal("progress", |it| SignalRef::new(it, &it.0)).method(
                "start",
                |it: &Rc<Self>| {
                    let signal = Arc::clone(&it.0);
                    std::thread::spawn(move || signal.emit(&100)).join().is_ok()
                },
            );
        }
    }
    let Fixture { channel, device: _device, server: _server, port } = Fixture::new()?;
    let download = Rc::new(Download(Arc::default()));
    channel.register("download", &download)?;

    serve(move || {
        let mut page = Page::open(port)?;
        page.connect_signal("download", 1)?;
        page.call("download", "start", &json!([]))?;
        ensure!(page.next_of(1)?["args"] == json!([100]));
        Ok(())
    })
}
