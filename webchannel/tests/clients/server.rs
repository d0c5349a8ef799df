//! Publishes objects for clients that are not ours: `webchannel-server`, started by `run`.

#![allow(
    clippy::needless_pass_by_value,
    clippy::unused_self,
    reason = "published methods take owned arguments, and `self` whether they use it or not"
)]

mod chat;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use slotwork::signals::{Signal, SignalRef};
use slotwork::{EventLoop, HostAddress, OriginPolicy, SslMode, WebSocketServer};
use slotwork_webchannel::{Object, Publish, Publisher, WebChannel};
use smol::Timer;

/// An object that methods return.
struct Item {
    name: RefCell<String>,
    name_changed: Signal<str>,
    shouted: Signal<str>,
    /// The object itself, in a property.
    this: RefCell<std::rc::Weak<Self>>,
}

impl Publish for Item {
    fn publish(with: &mut Publisher<Self>) {
        with.writable_property("name", Self::name, Self::set_name, Self::name_changed)
            .constant("self", |item| item.this.borrow().upgrade().map(Object))
            .signal("shouted", Self::shouted)
            .method("shout", Self::shout);
    }
}

impl Item {
    fn new(name: String) -> Rc<Self> {
        let item = Rc::new(Self {
            name: RefCell::new(name),
            name_changed: Signal::new(),
            shouted: Signal::new(),
            this: RefCell::default(),
        });
        item.this.replace(Rc::downgrade(&item));
        item
    }

    fn name(self: &Rc<Self>) -> String {
        self.name.borrow().clone()
    }

    fn set_name(self: &Rc<Self>, name: String) {
        self.name.replace(name.clone());
        self.name_changed.emit(&name);
    }

    fn shout(self: &Rc<Self>, text: String) {
        self.shouted.emit(&text.to_uppercase());
    }

    fn name_changed(self: &Rc<Self>) -> SignalRef<'_, Rc<Self>, str> {
        SignalRef::new(self, &self.name_changed)
    }

    fn shouted(self: &Rc<Self>) -> SignalRef<'_, Rc<Self>, str> {
        SignalRef::new(self, &self.shouted)
    }
}

/// The value of a signal.
#[derive(Clone, Serialize, Deserialize)]
struct Said {
    from: String,
    text: String,
}

/// The value of a signal with two arguments.
#[derive(Clone)]
struct Moved {
    x: i32,
    y: i32,
}

/// An object that comes and goes.
struct Guest {
    changed: Signal<()>,
}

impl Publish for Guest {
    fn publish(with: &mut Publisher<Self>) {
        with.property("number", |_guest| 7, |guest| SignalRef::new(guest, &guest.changed));
    }
}

/// The object with everything.
struct Demo {
    channel: WebChannel,
    topic: RefCell<String>,
    count: Cell<i32>,
    percent: Cell<i32>,
    running: Rc<Cell<i32>>,
    items: RefCell<Vec<Rc<Item>>>,
    guest: RefCell<Option<Rc<Guest>>>,
    topic_changed: Signal<str>,
    count_changed: Signal<i32>,
    percent_changed: Signal<i32>,
    running_changed: Signal<i32>,
    said: Signal<Said>,
    moved: Signal<Moved>,
    ticked: Signal<()>,
    item_added: Signal<Object<Item>>,
}

impl Publish for Demo {
    fn publish(with: &mut Publisher<Self>) {
        with.writable_property("topic", Self::topic, Self::set_topic, Self::topic_changed)
            .property("count", |demo| demo.count.get(), |demo| demo.signal(&demo.count_changed))
            .writable_property(
                "percent",
                |demo| demo.percent.get(),
                Self::set_percent,
                |demo| demo.signal(&demo.percent_changed),
            )
            .property(
                "running",
                |demo| demo.running.get(),
                |demo| demo.signal(&demo.running_changed),
            )
            .constant("version", |_demo| "1.0")
            .enumeration("Level", &[("Low", 0), ("High", 7)])
            .signal("said", |demo| demo.signal(&demo.said))
            .signal_args("moved", |demo| demo.signal(&demo.moved), |moved| (moved.x, moved.y))
            .signal("ticked", |demo| demo.signal(&demo.ticked))
            .local_signal("itemAdded", |demo| demo.signal(&demo.item_added))
            .method("add", |_demo: &Rc<Self>, a: i64, b: i64| a + b)
            .method("greet", Self::greet)
            .method("nothing", |_demo: &Rc<Self>| {})
            .method("say", Self::say)
            .method("move", Self::move_to)
            .method("tick", |demo: &Rc<Self>| demo.ticked.emit(&()))
            .method("countTo", Self::count_to)
            .method("echo", |_demo: &Rc<Self>, value: Value| value)
            .method("panic", Self::panic)
            .try_method("divide", Self::divide)
            .method_async("square", Self::square)
            .try_method_async("fail", Self::fail)
            .method_async("forever", Self::forever);
        Self::publish_objects(with);
    }
}

impl Demo {
    fn publish_objects(with: &mut Publisher<Self>) {
        with.method("makeItem", Self::make_item)
            .method("items", Self::items)
            .method("numbered", Self::numbered)
            .method("manyItems", Self::many_items)
            .method("nameOf", |_demo: &Rc<Self>, item: Object<Item>| item.name())
            .try_method("invite", Self::invite)
            .method("guest", |demo: &Rc<Self>| demo.guest.borrow().clone().map(Object))
            .method("bye", |demo: &Rc<Self>| drop(demo.guest.take()))
            .method("address", |_demo: &Rc<Self>| WebChannel::caller().map(|s| s.peer_port()))
            .method("clients", |demo: &Rc<Self>| demo.channel.clients().len());
    }

    fn new(channel: &WebChannel) -> Rc<Self> {
        Rc::new(Self {
            channel: channel.clone(),
            topic: RefCell::new("start".into()),
            count: Cell::new(0),
            percent: Cell::new(50),
            running: Rc::default(),
            items: RefCell::default(),
            guest: RefCell::default(),
            topic_changed: Signal::new(),
            count_changed: Signal::new(),
            percent_changed: Signal::new(),
            running_changed: Signal::new(),
            said: Signal::new(),
            moved: Signal::new(),
            ticked: Signal::new(),
            item_added: Signal::new(),
        })
    }

    fn signal<'a, T: ?Sized>(
        self: &'a Rc<Self>,
        signal: &'a Signal<T>,
    ) -> SignalRef<'a, Rc<Self>, T> {
        SignalRef::new(self, signal)
    }

    fn topic(self: &Rc<Self>) -> String {
        self.topic.borrow().clone()
    }

    /// Refuses an empty one.
    fn set_topic(self: &Rc<Self>, topic: String) {
        if !topic.is_empty() {
            self.topic.replace(topic.clone());
            self.topic_changed.emit(&topic);
        }
    }

    fn topic_changed(self: &Rc<Self>) -> SignalRef<'_, Rc<Self>, str> {
        self.signal(&self.topic_changed)
    }

    fn set_percent(self: &Rc<Self>, percent: i32) {
        let percent = percent.clamp(0, 100);
        if self.percent.replace(percent) != percent {
            self.percent_changed.emit(&percent);
        }
    }

    fn greet(self: &Rc<Self>, name: String, greeting: Option<String>) -> String {
        format!("{} {name}", greeting.unwrap_or_else(|| "hello".into()))
    }

    fn say(self: &Rc<Self>, from: String, text: String) -> usize {
        let length = text.len();
        self.said.emit(&Said { from, text });
        length
    }

    fn move_to(self: &Rc<Self>, x: i32, y: i32) {
        self.moved.emit(&Moved { x, y });
    }

    fn count_to(self: &Rc<Self>, end: i32) {
        for number in 1..=end {
            self.count.set(number);
            self.count_changed.emit(&number);
        }
    }

    fn panic(self: &Rc<Self>) {
        std::panic::resume_unwind(Box::new("a method panics"))
    }

    fn divide(self: &Rc<Self>, a: f64, b: f64) -> Result<f64, String> {
        if b == 0.0 { Err("division by zero".into()) } else { Ok(a / b) }
    }

    async fn square(self: Rc<Self>, number: f64) -> f64 {
        Timer::after(Duration::from_millis(20)).await;
        number * number
    }

    async fn fail(self: Rc<Self>) -> Result<(), &'static str> {
        Timer::after(Duration::from_millis(5)).await;
        Err("it fails")
    }

    /// Ends with its client alone; `running` counts these.
    async fn forever(self: Rc<Self>) {
        let _running = Running::new(&self);
        std::future::pending::<()>().await;
    }

    fn make_item(self: &Rc<Self>, name: String) -> Object<Item> {
        let item = Object(Item::new(name));
        self.items.borrow_mut().push(Rc::clone(&item));
        self.item_added.emit(&item);
        item
    }

    fn items(self: &Rc<Self>) -> Vec<Object<Item>> {
        self.items.borrow().iter().map(Object::from).collect()
    }

    /// Keys that the page visits in another order than they are written.
    fn numbered(self: &Rc<Self>) -> std::collections::BTreeMap<String, Vec<Object<Item>>> {
        let items = [Object(Item::new("both".into())), Object(Item::new("one".into()))];
        [("10".into(), items.to_vec()), ("9".into(), items.into())].into()
    }

    fn many_items(self: &Rc<Self>, count: usize) -> Vec<Object<Item>> {
        (0..count).map(|number| Object(Item::new(number.to_string()))).collect()
    }

    /// Registers an object when the clients have had their list.
    fn invite(self: &Rc<Self>) -> Result<(), slotwork_webchannel::Error> {
        let guest = Rc::new(Guest { changed: Signal::new() });
        self.channel.register("guest", &guest)?;
        self.guest.replace(Some(guest));
        Ok(())
    }
}

/// Counts a call that runs.
struct Running(Rc<Demo>);

impl Running {
    fn new(demo: &Rc<Demo>) -> Self {
        demo.running.set(demo.running.get() + 1);
        demo.running_changed.emit(&demo.running.get());
        Self(Rc::clone(demo))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.set(self.0.running.get() - 1);
        self.0.running_changed.emit(&self.0.running.get());
    }
}

fn main() -> Result<()> {
    let server = WebSocketServer::new("Web Channel", SslMode::NonSecure);
    server.set_origin_policy(OriginPolicy::Loopback)?;
    // Three channels: `/second` and `/qt` have objects of their own.
    let (channel, second, qt) = (WebChannel::new(), WebChannel::new(), WebChannel::new());
    let chat = chat::Chat::new();
    qt.register("chat", &chat)?;
    let (demo, other) = (Demo::new(&channel), Demo::new(&second));
    channel.register("demo", &demo)?;
    other.topic.replace("second".into());
    second.register("other", &other)?;

    let channels = (&channel, &second, &qt);
    server.new_connection().connect_to(channels, |(channel, second, qt), server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            match socket.resource_name().as_str() {
                "/second" => second.connect_to(&socket),
                "/qt" => qt.connect_to(&socket),
                _ => channel.connect_to(&socket),
            }
        }
    });
    server.listen(HostAddress::LocalHost, 0).context("cannot start the server")?;
    println!("listening on {}", server.server_url());
    EventLoop::current().exec();
    Ok(())
}
