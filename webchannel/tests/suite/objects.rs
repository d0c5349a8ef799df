//! Objects as values: visibility, forgery, nesting, limits.

use std::rc::Rc;

use anyhow::{Result, ensure};
use serde_json::json;
use slotwork_webchannel::{Object, Publish, Publisher};
use support::serve;

use crate::device::{Device, Fixture};
use crate::page::{Page, reference};

/// An id that another client got is unknown: for calls, arguments, signals and properties.
#[test]
fn an_object_belongs_to_the_clients_that_got_it() -> Result<()> {
    let Fixture { channel: _channel, device, server: _server, port } = Fixture::new()?;
    device.add_child("child");

    serve(move || {
        let (mut page, mut thief) = (Page::connect(port)?, Page::connect(port)?);
        let child = page.call("device", "child", &json!([0]))?;
        let id = child["id"].as_str().unwrap_or_default();
        thief.call_in_vain(id, "add", &json!([1, 2]))?;
        thief.call_in_vain(id, "deleteLater", &json!([]))?;
        thief.call_in_vain("device", "nameOf", &json!([reference(&child["id"])]))?;
        thief.call_in_vain("device", "echo", &json!([[reference(&child["id"])]]))?;
        thief.connect_signal(id, 4)?;
        thief.set_property(id, 0, &json!("stolen"))?;
        thief.expect_nothing()?;

        let name = page.call("device", "nameOf", &json!([reference(&child["id"])]))?;
        ensure!(name == "child");
        // Once it is handed over, it is known.
        thief.call("device", "child", &json!([0]))?;
        ensure!(thief.call(id, "add", &json!([1, 2]))? == 3);
        Ok(())
    })
}

/// The key of objects comes in as a reference alone, and goes out from the encoder alone.
#[test]
fn forged_objects_are_refused() -> Result<()> {
    let Fixture { port, channel: _channel, device: _device, server: _server } = Fixture::new()?;

    serve(move || {
        let mut page = Page::connect(port)?;
        for forged in [
            json!({"__QObject*__": true, "id": "none"}),
            json!({"__QObject*__": true}),
            json!({"__QObject*__": false, "id": "device"}),
            json!({"__QObject*__": null}),
            json!({"__QObject*__": true, "id": "device", "data": {}}),
            json!({"__QObject*__": true, "id": 7}),
            // A true one may come in, and does not go out as a mere value.
            json!({"__QObject*__": true, "id": "device"}),
        ] {
            page.call_in_vain("device", "echo", &json!([forged]))?;
            page.call_in_vain("device", "echo", &json!([{"a": [[{"b": forged}]]}]))?;
            page.call_in_vain("device", "raw", &json!([forged.to_string()]))?;
        }
        // The key with escapes, in a message and in JSON that a method returns.
        let escaped = r#"{"\u005f_QObject*_\u005f":true,"id":"none"}"#;
        let call = r#"{"type":6,"object":"device","method":"echo","id":1000,"args":["#;
        page.send_text(&format!("{call}{escaped}]}}"))?;
        ensure!(page.read()? == json!({"type": 10, "id": 1000}));
        page.call_in_vain("device", "raw", &json!([escaped]))?;
        ensure!(page.call("device", "raw", &json!(["[1, {\"a\": 2}]"]))? == json!([1, {"a": 2}]));
        // Other keys are no matter.
        let fine = json!({"id": "x", "__QObject*_": {"data": []}});
        ensure!(page.call("device", "echo", &json!([fine]))? == fine);
        Ok(())
    })
}

/// Qt: `testInfiniteRecursion`: an object in its own properties is described once.
#[test]
fn objects_that_contain_each_other_are_described_once() -> Result<()> {
    let Fixture { channel: _channel, device, server: _server, port } = Fixture::new()?;
    let child = device.add_child("child");
    child.add_child("grandchild");
    child.children.borrow_mut().push(Rc::clone(&child));

    serve(move || {
        let mut page = Page::open(port)?;
        let child = page.call("device", "child", &json!([0]));
        ensure!(child.is_ok_and(|child| child.get("data").is_none()), "the init has its class");

        let late = Page::connect(port)?.call("device", "child", &json!([0]))?;
        let properties = &late["data"]["properties"];
        // Its parent is registered, and the client has not had an init.
        ensure!(properties[3][3]["id"] == "device", "{late}");
        let children = &properties[2][3];
        ensure!(children[1] == reference(&late["id"]), "{late}");
        ensure!(children[0]["data"]["properties"][0][3] == "grandchild", "{late}");
        Ok(())
    })
}

/// A getter that makes a new object each time does not end the program.
#[test]
fn endless_objects_are_cut() -> Result<()> {
    struct Endless;
    impl Publish for Endless {
        fn publish(with: &mut Publisher<Self>) {
            with.constant("next", |_| Object(Rc::new(Self)));
        }
    }
    let Fixture { channel, device: _device, server: _server, port } = Fixture::new()?;
    let endless = Rc::new(Endless);
    channel.register("endless", &endless)?;

    serve(move || {
        let mut page = Page::connect(port)?;
        let mut object = page.init()?["endless"].clone();
        let mut depth = 0;
        while object["properties"].is_array() {
            object = object["properties"][0][3]["data"].clone();
            depth += 1;
        }
        // The registered one, and 24 levels of others.
        ensure!(depth == 25, "{depth} levels");
        page.expect_nothing()
    })
}

/// Over the limit a call fails; what it had given to the client already is taken back.
#[test]
fn a_client_has_a_limited_number_of_objects() -> Result<()> {
    let Fixture { channel, device, server: _server, port } = Fixture::new()?;
    channel.set_max_objects(3);
    (0..5).for_each(|number| _ = device.add_child(&number.to_string()));
    let children = Rc::clone(&device);

    let before: Vec<_> = children.children.borrow().iter().map(Rc::strong_count).collect();
    serve(move || {
        let mut page = Page::connect(port)?;
        // A property with too many is `null`, and the client gets none of them.
        ensure!(page.init()?["device"]["properties"][2][3].is_null());
        for number in 0..3 {
            page.call("device", "child", &json!([number]))?;
        }
        page.call_in_vain("device", "child", &json!([3]))?;
        // What it has it may get again.
        page.call("device", "child", &json!([1]))?;
        page.peer.close(1000, "").map(|_| ())
    })?;

    support::wait_until(|| channel.clients().is_empty())?;
    slotwork::EventLoop::current().process_events();
    let after: Vec<_> = children.children.borrow().iter().map(Rc::strong_count).collect();
    ensure!(after == before, "{after:?} handles");
    Ok(())
}

/// Keys that are numbers come first in a page: the class info is where it is needed.
#[test]
fn objects_below_reordered_keys_have_their_class() -> Result<()> {
    struct Lists(Rc<Device>);
    impl Publish for Lists {
        fn publish(with: &mut Publisher<Self>) {
            with.method("strings", |it: &Rc<Self>| {
                std::collections::BTreeMap::from([
                    ("10", Object::from(&it.0)),
                    ("9", Object::from(&it.0)),
                ])
            })
            .method("numbers", |it: &Rc<Self>| {
                std::collections::BTreeMap::from([
                    (-1, Object::from(&it.0)),
                    (5, Object::from(&it.0)),
                ])
            })
            .method("names", |it: &Rc<Self>| {
                std::collections::BTreeMap::from([
                    ("a", Object::from(&it.0)),
                    ("b", Object::from(&it.0)),
                ])
            });
        }
    }
    let Fixture { channel, device: _device, server: _server, port } = Fixture::new()?;
    let lists = Rc::new(Lists(Device::new("both")));
    channel.register("lists", &lists)?;

    serve(move || {
        for (method, keys, is_twice) in [
            ("strings", ["10", "9"], true),
            ("numbers", ["-1", "5"], true),
            ("names", ["a", "b"], false),
        ] {
            let answer = Page::connect(port)?.call("lists", method, &json!([]))?;
            let [first, second] = keys.map(|key| answer[key]["data"].is_object());
            ensure!(first && second == is_twice, "{answer}");
        }
        Ok(())
    })
}

/// An object in a notify signal stays raw in the page, which may give it back.
#[test]
fn an_object_in_a_property_update_is_described() -> Result<()> {
    let Fixture { channel: _channel, device, server: _server, port } = Fixture::new()?;
    device.set_hook(|device| {
        device.add_child("new");
        device.children_changed.emit(&());
        json!(null)
    });

    serve(move || {
        let (mut page, mut other) = (Page::open(port)?, Page::open(port)?);
        other.expect_nothing()?;
        page.call_hook()?;
        for page in [&mut page, &mut other] {
            let update = page.next_update()?;
            ensure!(update["signals"] == json!({"3": []}), "{update}");
            let child = &update["properties"]["2"][0];
            ensure!(child["data"]["properties"][0][3] == "new", "{update}");
            page.idle()?;
        }
        Ok(())
    })
}
