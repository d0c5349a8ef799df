//! Registering objects: names, classes, class infos.

use std::rc::Rc;

use anyhow::{Result, ensure};
use serde_json::json;
use slotwork::signals::{Signal, SignalRef};
use slotwork_webchannel::{Error, Object, Publish, Publisher, WebChannel};
use support::serve;

use crate::device::{Device, Fixture, serve_channel};
use crate::page::Page;

/// Qt: `registerObject()`, `deregisterObject()`, `registeredObjects()`.
#[test]
fn a_name_and_an_object_are_registered_once() -> Result<()> {
    let (channel, one, two) = (WebChannel::new(), Device::new("one"), Device::new("two"));

    channel.register("one", &one)?;

    ensure!(channel.register("one", &two) == Err(Error::NameTaken("one".into())));
    ensure!(channel.register("two", &one) == Err(Error::AlreadyRegistered("one".into())));
    for name in ["", "__proto__"] {
        ensure!(channel.register(name, &two) == Err(Error::InvalidName(name.into())));
    }
    channel.register("two", &two)?;
    ensure!(channel.registered_names() == ["one", "two"]);
    ensure!(channel.deregister(&one) && !channel.deregister(&one));
    ensure!(channel.registered_names() == ["two"]);
    Ok(())
}

/// Objects are held weakly: the name of one that was dropped is free at once.
#[test]
fn the_name_of_a_dropped_object_is_free() -> Result<()> {
    struct Plain;
    impl Publish for Plain {
        fn publish(_with: &mut Publisher<Self>) {}
    }
    let channel = WebChannel::new();
    channel.register("name", &Rc::new(Plain))?;
    channel.register("name", &Device::new("another class"))?;
    let last = Rc::new(Plain);

    channel.register("name", &last)?;

    ensure!(channel.registered_names() == ["name"]);
    Ok(())
}

/// Names that break the client, or the object, are refused with the reason.
#[test]
fn a_class_with_a_wrong_member_is_refused() {
    struct Wrong<const CASE: usize>(Signal<()>);
    impl<const CASE: usize> Wrong<CASE> {
        fn changed(self: &Rc<Self>) -> SignalRef<'_, Rc<Self>, ()> {
            SignalRef::new(self, &self.0)
        }

        fn fails(self: &Rc<Self>) -> Result<i32, String> {
            Err(format!("{:p}", self.0.slot_count() as *const ()))
        }
    }
    impl<const CASE: usize> Publish for Wrong<CASE> {
        fn publish(with: &mut Publisher<Self>) {
            _ = match CASE {
                0 => with.method("propertyUpdate", |_: &Rc<Self>| {}),
                1 => with.method("deleteLater", |_: &Rc<Self>| {}),
                2 => with.signal("destroyed", Self::changed),
                3 => with.constant("twice", |_| 1).signal("twice", Self::changed),
                4 => with.signal("aChanged", Self::changed).property("a", |_| 1, Self::changed),
                5 => with.enumeration("", &[]),
                6 => with.method("result", Self::fails),
                7 => with.method("then", |_: &Rc<Self>| {}),
                8 => with.constant("__proto__", |_| 1),
                _ => with.constant("fine", |_| 1).method("then_", |_: &Rc<Self>| {}),
            };
        }
    }
    fn refusal<const CASE: usize>() -> Option<String> {
        let outcome = WebChannel::new().register("object", &Rc::new(Wrong::<CASE>(Signal::new())));
        match outcome {
            Err(Error::InvalidClass { member, .. }) => Some(member),
            _ => None,
        }
    }

    let refused = [
        refusal::<0>(),
        refusal::<1>(),
        refusal::<2>(),
        refusal::<3>(),
        refusal::<4>(),
        refusal::<5>(),
        refusal::<6>(),
        refusal::<7>(),
        refusal::<8>(),
        refusal::<9>(),
    ];

    let expected =
        ["propertyUpdate", "deleteLater", "destroyed", "twice", "aChanged", "", "result"];
    let expected = expected.into_iter().chain(["then", "__proto__"]).map(|it| Some(it.to_owned()));
    assert_eq!(refused.to_vec(), expected.chain([None]).collect::<Vec<_>>());
}

/// The class info has what is published, `destroyed` first and `deleteLater` last.
#[test]
fn an_init_lists_objects_with_their_members() -> Result<()> {
    struct Small(Signal<()>, Signal<i32>);
    impl Publish for Small {
        fn publish(with: &mut Publisher<Self>) {
            with.method("run \"fast\"", |_: &Rc<Self>| {})
                .signal("done", |it| SignalRef::new(it, &it.0))
                .property("level", |_| 3, |it| SignalRef::new(it, &it.1))
                .constant("version", |_| "1.0")
                .enumeration("Kind", &[("Low", -1), ("High", 7)]);
        }
    }
    let (channel, small) = (WebChannel::new(), Rc::new(Small(Signal::new(), Signal::new())));
    channel.register("a \"small\" one", &small)?;
    let server = serve_channel(&channel)?;
    let port = server.server_port();

    let objects = serve(move || Page::connect(port)?.init())?;

    let class = json!({
        "signals": [["destroyed", 0], ["done", 1]],
        "methods": [["run \"fast\"", 0], ["deleteLater", 1]],
        "properties": [[0, "level", [1, 2], 3], [1, "version", null, "1.0"]],
        "enums": {"Kind": {"Low": -1, "High": 7}},
    });
    ensure!(objects == json!({"a \"small\" one": class}), "{objects}");
    Ok(())
}

/// Objects that were registered later are found by pages that connect later, and as results.
#[test]
fn late_objects_come_with_their_class_once() -> Result<()> {
    let Fixture { channel, device, server: _server, port } = Fixture::new()?;
    let late = Device::new("late");
    let kept = Rc::clone(&late);
    device.set_hook(move |device| {
        if channel.register("late", &kept).is_ok() {
            device.children.borrow_mut().push(Rc::clone(&kept));
        }
        json!(null)
    });

    serve(move || {
        let mut page = Page::open(port)?;
        page.call_hook()?;
        let first = page.call("device", "child", &json!([0]))?;
        ensure!(first["id"] == "late" && first["data"]["properties"][0][3] == "late", "{first}");
        let second = page.call("device", "child", &json!([0]))?;
        ensure!(second == json!({"__QObject*__": true, "id": "late"}), "{second}");
        let objects = Page::connect(port)?.init()?;
        ensure!(objects["late"]["properties"][0][3] == "late", "{objects}");
        Ok(())
    })
}

/// The first object of all may come after the init of a client.
#[test]
fn the_first_object_may_be_late() -> Result<()> {
    let channel = WebChannel::new();
    let server = serve_channel(&channel)?;
    let (port, device) = (server.server_port(), Device::new("late"));
    device.children.borrow_mut().push(Rc::clone(&device));
    // Behind the init of the client, which calls it too early.
    channel.call_failed().connect_to(&device, |device, channel, _error| {
        _ = channel.register("late", device);
    });

    serve(move || {
        let mut page = Page::open(port)?;
        page.call_in_vain("late", "add", &json!([1, 2]))?;
        let object = page.call("late", "child", &json!([0]))?;
        ensure!(object["data"].is_object(), "{object}");
        ensure!(page.init()?.get("late").is_some());
        Ok(())
    })
}

/// What a method has returned before can be registered: pages get it anew.
#[test]
fn a_returned_object_that_is_registered_gets_another_id() -> Result<()> {
    let Fixture { channel, device, server: _server, port } = Fixture::new()?;
    let child = device.add_child("child");
    device.set_hook(move |_| json!(channel.register("child", &child).is_ok()));

    serve(move || {
        let mut page = Page::open(port)?;
        let first = page.call("device", "child", &json!([0]))?;
        ensure!(page.call_hook()? == true);
        let destroyed = page.next_of(1)?;
        ensure!(destroyed == json!({"type": 1, "object": first["id"], "signal": 0}), "{destroyed}");
        let second = page.call("device", "child", &json!([0]))?;
        ensure!(second["id"] == "child" && second["data"].is_object(), "{second}");
        Ok(())
    })
}

/// An object outside of a channel's values is an error, not a text.
#[test]
fn objects_are_serialized_by_channels_alone() {
    let object = Object(Device::new("one"));

    let outside = serde_json::to_string(&object);

    assert!(outside.is_err_and(|error| error.to_string().contains("only a channel")));
}
