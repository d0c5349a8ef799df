//! Calls of methods: arguments, answers, failures, async calls and their limit.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use anyhow::{Result, ensure};
use serde_json::json;
use slotwork::EventLoop;
use slotwork::signals::SignalSpy;
use slotwork_webchannel::{CallFailure, WebChannel};
use support::{DEADLINE, panic_in_slot, serve, wait_until};

use crate::device::Fixture;
use crate::page::{Page, invoke, reference};

/// An id is given back as it came, and answered once; without one there is no answer.
#[test]
fn each_id_is_answered_once() -> Result<()> {
    let Fixture { port, channel: _channel, device: _device, server: _server } = Fixture::new()?;

    serve(move || {
        let mut page = Page::connect(port)?;
        for id in [json!(7), json!("seven"), json!({"a": [1, null]}), json!(-1.5e300)] {
            let mut call = invoke("device", "add", &json!([1, 2]));
            call["id"] = id.clone();
            page.send(&call)?;
            let answer = page.read()?;
            ensure!(answer == json!({"type": 10, "id": id, "data": 3}), "{answer}");
        }
        page.send(&invoke("device", "add", &json!([1, 2])))?;
        page.send(&invoke("nothing", "add", &json!([1, 2])))?;
        page.send(&json!({"type": 3}))?;
        page.expect_nothing()
    })
}

/// A method is called by its name, or by its index as one with a signature is.
#[test]
fn a_method_has_a_name_and_an_index() -> Result<()> {
    let Fixture { port, channel: _channel, device: _device, server: _server } = Fixture::new()?;

    serve(move || {
        let mut page = Page::connect(port)?;
        let by_index = json!({"type": 6, "object": "device", "method": 0, "args": [2, 3]});
        ensure!(page.ask(by_index)?["data"] == 5);
        let unknown = json!({"type": 6, "object": "device", "method": 99, "args": []});
        ensure!(page.ask(unknown)?.get("data").is_none());
        // Without arguments the list may be absent.
        let bare = json!({"type": 6, "object": "device", "method": "hook"});
        ensure!(page.ask(bare)?["data"].is_null());
        Ok(())
    })
}

/// The reason goes to `call_failed`, not to the page; the caller is known there.
#[test]
fn failed_calls_are_reported_with_their_cause() -> Result<()> {
    let Fixture { channel, device, server: _server, port } = Fixture::new()?;
    device.set_hook(|_| panic_in_slot());
    let failures = Rc::new(RefCell::new(Vec::new()));
    channel.call_failed().connect_to(&failures, |failures, _channel, error| {
        let is_known = WebChannel::caller().is_some();
        failures.borrow_mut().push((error.method.clone(), error.cause.clone(), is_known));
    });

    serve(move || {
        let mut page = Page::connect(port)?;
        page.call_in_vain("device", "hook", &json!([]))?;
        page.call_in_vain("device", "child", &json!([0]))?;
        page.call_in_vain("device", "add", &json!(["a", 1]))?;
        page.call_in_vain("device", "add", &json!([1, 2, 3]))?;
        page.call_in_vain("device", "add", &json!({"a": 1}))?;
        page.call_in_vain("device", "none", &json!([]))?;
        page.call_in_vain("none", "add", &json!([]))?;
        page.call_in_vain("device", "deleteLater", &json!([]))?;
        page.expect_nothing()
    })?;

    let failures = failures.take();
    ensure!(failures.iter().all(|(_, _, is_known)| *is_known), "{failures:?}");
    let causes: Vec<_> = failures.into_iter().map(|(name, cause, _)| (name, cause)).collect();
    ensure!(
        causes.first() == Some(&("hook".into(), CallFailure::Panicked("a slot panics".into())))
    );
    ensure!(causes.get(1) == Some(&("child".into(), CallFailure::Failed("no such child".into()))));
    let arguments = causes.get(2..5).unwrap_or_default();
    ensure!(arguments.iter().all(|(_, cause)| matches!(cause, CallFailure::InvalidArguments(_))));
    let rest: Vec<_> = causes.iter().skip(5).map(|(_, cause)| cause).collect();
    let expected =
        [CallFailure::UnknownMethod, CallFailure::UnknownObject, CallFailure::NotDeletable];
    ensure!(rest == expected.iter().collect::<Vec<_>>(), "{rest:?}");
    Ok(())
}

/// What a rude client sends is cut before it is reported.
#[test]
fn long_names_are_cut_in_reports() -> Result<()> {
    let Fixture { channel, device: _device, server: _server, port } = Fixture::new()?;
    let failures = SignalSpy::new(&channel.call_failed());

    serve(move || {
        let name = "ä".repeat(100_000);
        Page::connect(port)?.call_in_vain(&name, &name, &json!([]))
    })?;

    let error = failures.take_first().ok_or_else(|| anyhow::anyhow!("no report"))?;
    ensure!((error.object.len(), error.method.len()) == (256, 256));
    Ok(())
}

/// `caller` is the client inside of its calls, and unknown elsewhere.
#[test]
fn the_caller_is_known_inside_of_calls() -> Result<()> {
    let Fixture { channel: _channel, device, server: _server, port } = Fixture::new()?;
    device.set_hook(|_| json!(WebChannel::caller().map(|socket| socket.peer_port())));

    serve(move || {
        let mut page = Page::connect(port)?;
        let own = page.peer.stream_mut().local_addr()?.port();
        ensure!(page.call_hook()? == own);
        Ok(())
    })?;

    ensure!(WebChannel::caller().is_none());
    Ok(())
}

/// More async calls than the limit wait in the kernel, and all are answered.
#[test]
fn calls_over_the_limit_wait() -> Result<()> {
    let Fixture { channel, device, server: _server, port } = Fixture::new()?;
    channel.set_max_calls(8);
    let (open, gate) = smol::channel::bounded::<()>(1);
    device.gate.replace(Some(gate));
    let running = Rc::clone(&device.running);

    let page = std::thread::spawn(move || -> Result<Vec<u64>> {
        let mut page = Page::connect(port)?;
        for id in 0..100 {
            let mut call = invoke("device", "wait", &json!([id]));
            call["id"] = json!(id);
            page.send(&call)?;
        }
        let answers = (0..100).map(|_| page.read());
        answers.map(|answer| Ok(answer?["data"].as_u64().unwrap_or(u64::MAX))).collect()
    });
    wait_until(|| running.get() == 8)?;
    let socket = channel.clients().remove(0);
    ensure!(socket.is_reading_paused());
    EventLoop::current().process_events();
    ensure!(running.get() == 8);
    drop(open);
    wait_until(|| page.is_finished())?;

    let mut answers = page.join().unwrap()?;
    answers.sort_unstable();
    ensure!(answers == (0..100).collect::<Vec<_>>(), "{answers:?}");
    ensure!(!socket.is_reading_paused());
    Ok(())
}

/// Qt: `disconnectFrom()`: a socket that waits for a call to be done is read from again.
#[test]
fn a_socket_is_read_from_when_it_is_disconnected_from() -> Result<()> {
    let Fixture { channel, device, server: _server, port } = Fixture::new()?;
    channel.set_max_calls(1);
    let (_open, gate) = smol::channel::bounded::<()>(1);
    device.gate.replace(Some(gate));
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let page = std::thread::spawn(move || -> Result<()> {
        let mut page = Page::connect(port)?;
        page.send(&invoke("device", "wait", &json!([1])))?;
        _ = ended.recv();
        page.peer.close(1000, "").map(|_| ())
    });
    wait_until(|| device.running.get() == 1)?;
    let socket = channel.clients().remove(0);
    ensure!(socket.is_reading_paused());

    channel.disconnect_from(&socket);

    ensure!(!socket.is_reading_paused());
    wait_until(|| device.running.get() == 0)?;
    drop(end);
    wait_until(|| page.is_finished())?;
    page.join().unwrap()
}

/// A client that disconnects loses its calls, and nothing keeps their object.
#[test]
fn calls_of_a_client_end_with_it() -> Result<()> {
    let Fixture { channel, device, server: _server, port } = Fixture::new()?;
    let (_open, gate) = smol::channel::bounded::<()>(1);
    device.gate.replace(Some(gate));
    let running = Rc::clone(&device.running);
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let page = std::thread::spawn(move || -> Result<()> {
        let mut page = Page::connect(port)?;
        (0..5).try_for_each(|_| page.send(&invoke("device", "wait", &json!([1]))))?;
        _ = ended.recv();
        page.peer.reset()
    });
    wait_until(|| running.get() == 5)?;

    drop(end);

    wait_until(|| running.get() == 0 && channel.clients().is_empty())?;
    ensure!(Rc::strong_count(&device) == 1, "{} handles", Rc::strong_count(&device));
    page.join().unwrap()?;
    Ok(())
}

/// A method may run a loop of its own, in which other calls of the page are served.
#[test]
fn a_loop_inside_of_a_method_serves_others() -> Result<()> {
    let Fixture { channel: _channel, device, server: _server, port } = Fixture::new()?;
    let calls = Rc::new(Cell::new(0));
    device.set_hook(move |_| {
        calls.set(calls.get() + 1);
        if calls.get() == 2 {
            return json!("inner");
        }
        let (caller, watched) = (WebChannel::caller(), Rc::clone(&calls));
        let is_called = EventLoop::current().wait_until(move || watched.get() == 2, DEADLINE);
        // The inner call has ended: the caller is the outer one again.
        json!(is_called && WebChannel::caller() == caller)
    });

    serve(move || {
        let mut pages = [Page::connect(port)?, Page::connect(port)?];
        let mut call = invoke("device", "hook", &json!([]));
        call["id"] = json!(9);
        pages.iter_mut().try_for_each(|page| page.send(&call))?;
        let answers = pages.iter_mut().map(|page| Ok(page.read()?["data"].clone()));
        let answers = answers.collect::<Result<Vec<_>>>()?;
        ensure!(answers.contains(&json!("inner")) && answers.contains(&json!(true)), "{answers:?}");
        Ok(())
    })
}

/// A panic in an async method rejects its call alone.
#[test]
fn a_panic_in_an_async_method_is_a_failed_call() -> Result<()> {
    struct Fragile;
    impl slotwork_webchannel::Publish for Fragile {
        fn publish(with: &mut slotwork_webchannel::Publisher<Self>) {
            with.method_async("panic", async |_: Rc<Self>| -> () {
                smol::future::yield_now().await;
                panic_in_slot()
            });
        }
    }
    let Fixture { channel, device: _device, server: _server, port } = Fixture::new()?;
    let fragile = Rc::new(Fragile);
    channel.register("fragile", &fragile)?;
    let event_loop = EventLoop::current();
    let panics = SignalSpy::new(&event_loop.panicked());
    let failures = SignalSpy::new(&channel.call_failed());

    serve(move || {
        let mut page = Page::connect(port)?;
        page.call_in_vain("fragile", "panic", &json!([]))?;
        page.expect_nothing()
    })?;

    let error = failures.take_first().ok_or_else(|| anyhow::anyhow!("no report"))?;
    ensure!(error.cause == CallFailure::Panicked("a slot panics".into()), "{error}");
    ensure!(panics.count() == 0);
    Ok(())
}

/// An object of another class, or no object at all, does not fit.
#[test]
fn an_argument_of_another_class_is_refused() -> Result<()> {
    struct Other;
    impl slotwork_webchannel::Publish for Other {
        fn publish(_with: &mut slotwork_webchannel::Publisher<Self>) {}
    }
    let Fixture { channel, device: _device, server: _server, port } = Fixture::new()?;
    let other = Rc::new(Other);
    channel.register("other", &other)?;

    serve(move || {
        let mut page = Page::connect(port)?;
        let name = page.call("device", "nameOf", &json!([reference(&json!("device"))]))?;
        ensure!(name == "first");
        page.call_in_vain("device", "nameOf", &json!([reference(&json!("other"))]))?;
        page.call_in_vain("device", "nameOf", &json!([{"id": "device"}]))?;
        page.call_in_vain("device", "nameOf", &json!(["device"]))?;
        page.expect_nothing()
    })
}
