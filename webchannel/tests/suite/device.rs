//! The published class of most tests, and a server for it.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use anyhow::Result;
use serde_json::Value;
use slotwork::WebSocketServer;
use slotwork::signals::{Signal, SignalRef};
use slotwork_webchannel::{Object, Publish, Publisher, WebChannel};
use support::listening_server;

/// What a test has a method do.
type Hook = Rc<dyn Fn(&Rc<Device>) -> Value>;

/// An object with a member of each kind.
#[derive(Default)]
pub(crate) struct Device {
    pub(crate) name: RefCell<String>,
    pub(crate) level: Cell<i32>,
    /// How often a getter was called.
    pub(crate) reads: Cell<usize>,
    pub(crate) parent: RefCell<Weak<Device>>,
    pub(crate) children: RefCell<Vec<Rc<Device>>>,
    pub(crate) hook: RefCell<Option<Hook>>,
    /// Async calls wait for it.
    pub(crate) gate: RefCell<Option<smol::channel::Receiver<()>>>,
    pub(crate) running: Rc<Cell<usize>>,
    pub(crate) name_changed: Signal<str>,
    pub(crate) level_changed: Signal<i32>,
    pub(crate) children_changed: Signal<()>,
    pub(crate) pressed: Signal<i32>,
    pub(crate) child_added: Signal<Object<Device>>,
}

impl Publish for Device {
    fn publish(with: &mut Publisher<Self>) {
        with.writable_property("name", Self::name, Self::set_name, Self::name_changed)
            .property("level", Self::level, |device| device.signal(&device.level_changed))
            .property("children", Self::children, |device| device.signal(&device.children_changed))
            .constant("parent", |device| device.parent.borrow().upgrade().map(Object))
            .signal("pressed", |device| device.signal(&device.pressed))
            .local_signal("childAdded", |device| device.signal(&device.child_added))
            .method("add", |_device: &Rc<Self>, a: i64, b: i64| a + b)
            .method("echo", |_device: &Rc<Self>, value: Value| value)
            .method("raw", |_device: &Rc<Self>, text: String| {
                serde_json::value::RawValue::from_string(text).ok()
            })
            .method("hook", Self::call_hook)
            .method("nameOf", |_device: &Rc<Self>, other: Object<Self>| other.name())
            .try_method("child", Self::child)
            .method_async("wait", Self::wait);
    }
}

impl Device {
    pub(crate) fn new(name: &str) -> Rc<Self> {
        Rc::new(Self { name: RefCell::new(name.to_owned()), ..Self::default() })
    }

    /// Makes a child, which knows its parent.
    pub(crate) fn add_child(self: &Rc<Self>, name: &str) -> Rc<Self> {
        let child = Self::new(name);
        child.parent.replace(Rc::downgrade(self));
        self.children.borrow_mut().push(Rc::clone(&child));
        child
    }

    pub(crate) fn set_hook(&self, hook: impl Fn(&Rc<Self>) -> Value + 'static) {
        self.hook.replace(Some(Rc::new(hook)));
    }

    pub(crate) fn set_level(&self, level: i32) {
        self.level.set(level);
        self.level_changed.emit(&level);
    }

    /// A hook: the next level.
    pub(crate) fn raise_level(self: &Rc<Self>) -> Value {
        self.set_level(self.level.get() + 1);
        self.level.get().into()
    }

    fn signal<'a, T: ?Sized>(
        self: &'a Rc<Self>,
        signal: &'a Signal<T>,
    ) -> SignalRef<'a, Rc<Self>, T> {
        SignalRef::new(self, signal)
    }

    fn name(self: &Rc<Self>) -> String {
        self.name.borrow().clone()
    }

    /// Refuses an empty one.
    fn set_name(self: &Rc<Self>, name: String) {
        if !name.is_empty() {
            self.name_changed.emit(&name);
            self.name.replace(name);
        }
    }

    fn name_changed(self: &Rc<Self>) -> SignalRef<'_, Rc<Self>, str> {
        self.signal(&self.name_changed)
    }

    fn level(self: &Rc<Self>) -> i32 {
        self.reads.set(self.reads.get() + 1);
        self.level.get()
    }

    fn children(self: &Rc<Self>) -> Vec<Object<Self>> {
        self.children.borrow().iter().map(Object::from).collect()
    }

    fn child(self: &Rc<Self>, number: usize) -> Result<Object<Self>, &'static str> {
        self.children.borrow().get(number).map(Object::from).ok_or("no such child")
    }

    fn call_hook(self: &Rc<Self>) -> Value {
        let hook = self.hook.borrow().clone();
        hook.map_or(Value::Null, |hook| hook(self))
    }

    async fn wait(self: Rc<Self>, number: i32) -> i32 {
        let _running = Running::new(&self.running);
        let gate = self.gate.borrow().clone();
        if let Some(gate) = gate {
            // It ends when the gate is closed.
            _ = gate.recv().await;
        }
        number
    }
}

/// Counts an async call while it runs.
struct Running(Rc<Cell<usize>>);

impl Running {
    fn new(count: &Rc<Cell<usize>>) -> Self {
        count.set(count.get() + 1);
        Self(Rc::clone(count))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// A channel with a device called `device`, and its server.
pub(crate) struct Fixture {
    pub(crate) channel: WebChannel,
    pub(crate) device: Rc<Device>,
    pub(crate) server: WebSocketServer,
    pub(crate) port: u16,
}

impl Fixture {
    pub(crate) fn new() -> Result<Self> {
        let (channel, device) = (WebChannel::new(), Device::new("first"));
        channel.register("device", &device)?;
        let server = serve_channel(&channel)?;
        let port = server.server_port();
        Ok(Self { channel, device, server, port })
    }

    /// The same with updates in the next turn of the loop.
    pub(crate) fn without_interval() -> Result<Self> {
        let fixture = Self::new()?;
        fixture.channel.set_property_update_interval(Duration::ZERO);
        Ok(fixture)
    }
}

/// Starts a server whose clients are those of a channel.
pub(crate) fn serve_channel(channel: &WebChannel) -> Result<WebSocketServer> {
    let server = listening_server()?;
    server.new_connection().connect_to(channel, |channel, server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            channel.connect_to(&socket);
        }
    });
    Ok(server)
}
