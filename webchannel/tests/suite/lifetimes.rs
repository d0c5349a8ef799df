//! The end of objects and channels: `destroyed`, and what keeps what alive.

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::{Result, ensure};
use serde_json::json;
use slotwork::EventLoop;
use slotwork_webchannel::{CallFailure, Publish, Publisher};
use support::{serve, wait_until};

use crate::device::{Device, Fixture};
use crate::page::{Page, invoke};

/// The program drops a registered object: its clients get `destroyed`.
#[test]
fn a_dropped_object_is_destroyed() -> Result<()> {
    let Fixture { channel, device, server: _server, port } = Fixture::new()?;
    let guest = RefCell::new(Some(Device::new("guest")));
    guest.borrow().as_ref().map(|guest| channel.register("guest", guest)).transpose()?;
    device.set_hook(move |_| json!(guest.take().is_some()));

    serve(move || {
        let mut page = Page::open(port)?;
        page.call_hook()?;
        page.expect_destroyed("guest")?;
        page.call_in_vain("guest", "add", &json!([1, 2]))?;
        ensure!(Page::connect(port)?.init()?.get("guest").is_none());
        page.expect_nothing()
    })
}

/// An object without signals is found dead when it is used.
#[test]
fn an_object_without_signals_is_found_dead() -> Result<()> {
    struct Silent;
    impl Publish for Silent {
        fn publish(with: &mut Publisher<Self>) {
            with.constant("version", |_| 1);
        }
    }
    let Fixture { channel, device, server: _server, port } = Fixture::new()?;
    let silent = RefCell::new(Some(Rc::new(Silent)));
    silent.borrow().as_ref().map(|silent| channel.register("silent", silent)).transpose()?;
    device.set_hook(move |_| json!(silent.take().is_some()));

    serve(move || {
        let mut page = Page::open(port)?;
        page.call_hook()?;
        page.call_in_vain("silent", "none", &json!([]))?;
        page.expect_destroyed("silent")
    })
}

/// An object may be dropped in its own method: the answer comes first, then `destroyed`.
#[test]
fn an_object_is_dropped_in_its_own_method() -> Result<()> {
    let Fixture { channel, device: _device, server: _server, port } = Fixture::new()?;
    let guest = Device::new("guest");
    channel.register("guest", &guest)?;
    let owner = Rc::new(RefCell::new(None));
    let kept = Rc::clone(&owner);
    guest.set_hook(move |_| {
        kept.take();
        json!("done")
    });
    owner.replace(Some(guest));

    serve(move || {
        let mut page = Page::open(port)?;
        ensure!(page.call("guest", "hook", &json!([]))? == "done");
        ensure!(page.earlier.is_empty());
        page.expect_destroyed("guest")
    })
}

/// A method may withdraw its own object: its result comes first.
#[test]
fn an_object_is_withdrawn_in_its_own_method() -> Result<()> {
    let Fixture { channel, device: _device, server: _server, port } = Fixture::new()?;
    let guest = Device::new("guest");
    channel.register("guest", &guest)?;
    guest.set_hook(move |guest| json!(channel.deregister(guest)));

    serve(move || {
        let mut page = Page::open(port)?;
        ensure!(page.call("guest", "hook", &json!([]))? == true);
        ensure!(page.earlier.is_empty());
        page.expect_destroyed("guest")?;
        page.call_in_vain("guest", "hook", &json!([]))?;
        page.expect_nothing()
    })
}

/// Qt: `deleteLater()` of a wrapped object: for all clients, the answer first.
#[test]
fn delete_later_destroys_an_object_that_a_method_has_returned() -> Result<()> {
    let Fixture { channel: _channel, device, server: _server, port } = Fixture::new()?;
    let child = device.add_child("child");

    serve(move || {
        let (mut page, mut other) = (Page::connect(port)?, Page::connect(port)?);
        let child = page.call("device", "child", &json!([0]))?;
        other.call("device", "child", &json!([0]))?;
        let id = child["id"].as_str().unwrap_or_default();
        ensure!(page.call(id, "deleteLater", &json!([]))?.is_null());
        ensure!(page.earlier.is_empty());
        for page in [&mut page, &mut other] {
            page.expect_destroyed(id)?;
            page.call_in_vain(id, "add", &json!([1, 2]))?;
        }
        // The program has it still: it is another object for the page.
        let again = page.call("device", "child", &json!([0]))?;
        ensure!(again["id"] != id && again["data"].is_object(), "{again}");
        Ok(())
    })?;

    ensure!(child.name_changed.slot_count() <= 1);
    Ok(())
}

/// Calls under way of an object that is gone are rejected before `destroyed`.
#[test]
fn open_calls_are_rejected_before_the_end() -> Result<()> {
    let Fixture { channel, device, server: _server, port } = Fixture::new()?;
    let (_open, gate) = smol::channel::bounded::<()>(1);
    let guest = Device::new("guest");
    guest.gate.replace(Some(gate));
    channel.register("guest", &guest)?;
    let failures = Rc::new(RefCell::new(Vec::new()));
    channel.call_failed().connect_to(&failures, |failures, _channel, error| {
        failures.borrow_mut().push((error.method.clone(), error.cause.clone()));
    });
    let (running, withdrawn) = (Rc::clone(&guest.running), Rc::clone(&guest));
    device.set_hook(move |_| json!(channel.deregister(&withdrawn)));
    let watched = Rc::clone(&running);
    let page = std::thread::spawn(move || -> Result<()> {
        let mut page = Page::open(port)?;
        let mut call = invoke("guest", "wait", &json!([1]));
        call["id"] = json!("open");
        page.send(&call)?;
        ensure!(page.call_hook()? == true);
        ensure!(page.earlier == [json!({"type": 1, "object": "guest", "signal": 0})]);
        Ok(())
    });

    // The rejection of the open call is an answer to another id.
    wait_until(|| page.is_finished())?;
    let outcome = page.join().unwrap();
    ensure!(outcome.is_err_and(|error| error.to_string().contains(r#""id":"open""#)));
    EventLoop::current().process_events();
    ensure!(watched.get() == 0);
    ensure!(failures.take() == [("wait".to_owned(), CallFailure::ObjectDestroyed)]);
    Ok(())
}

/// What only clients hold is dropped with the last of them.
#[test]
fn objects_are_dropped_with_their_last_client() -> Result<()> {
    let Fixture { channel, device, server: _server, port } = Fixture::new()?;
    let child = Rc::downgrade(&device.add_child("child"));
    device.set_hook(|device| json!(device.children.take().len()));

    serve(move || {
        let (mut page, mut other) = (Page::connect(port)?, Page::connect(port)?);
        let child = page.call("device", "child", &json!([0]))?;
        other.call("device", "child", &json!([0]))?;
        page.call_hook()?;
        page.peer.close(1000, "")?;
        let id = child["id"].as_str().unwrap_or_default();
        ensure!(other.call(id, "add", &json!([1, 2]))? == 3);
        other.peer.close(1000, "").map(|_| ())
    })?;

    wait_until(|| channel.clients().is_empty())?;
    EventLoop::current().process_events();
    ensure!(child.strong_count() == 0);
    Ok(())
}

/// A channel that is dropped leaves its objects and sockets alone, and nothing behind.
#[test]
fn a_dropped_channel_leaves_nothing_behind() -> Result<()> {
    let Fixture { channel, device, server, port } = Fixture::new()?;
    // The first call pauses its socket.
    channel.set_max_calls(1);
    let (_open, gate) = smol::channel::bounded::<()>(1);
    device.gate.replace(Some(gate));
    let (running, level) = (Rc::clone(&device.running), Rc::clone(&device));
    let page = std::thread::spawn(move || -> Result<()> {
        let mut page = Page::open(port)?;
        page.connect_signal("device", 4)?;
        page.send(&invoke("device", "wait", &json!([1])))?;
        page.peer.expect_silence()?;
        page.peer.close(1000, "").map(|_| ())
    });
    wait_until(|| running.get() == 1)?;

    drop(channel);

    level.set_level(1);
    level.pressed.emit(&1);
    wait_until(|| page.is_finished())?;
    page.join().unwrap()?;
    ensure!(running.get() == 0);
    let slots = device.level_changed.slot_count() + device.pressed.slot_count();
    ensure!(slots == 0 && Rc::strong_count(&device) == 2);
    drop(server);
    Ok(())
}
