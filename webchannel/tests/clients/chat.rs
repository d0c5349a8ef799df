//! The class that Qt's channel has, too: `qt_channel.py`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use slotwork::signals::{Signal, SignalRef};
use slotwork_webchannel::{Object, Publish, Publisher};

/// An object that a method returns.
struct Item {
    name: String,
}

impl Publish for Item {
    fn publish(with: &mut Publisher<Self>) {
        with.constant("name", |item| item.name.clone())
            .method("shout", |item: &Rc<Self>| item.name.to_uppercase());
    }
}

#[derive(Default)]
pub(crate) struct Chat {
    topic: RefCell<String>,
    count: Cell<i32>,
    topic_changed: Signal<str>,
    count_changed: Signal<i32>,
    said: Signal<str>,
    ticked: Signal<()>,
}

impl Publish for Chat {
    fn publish(with: &mut Publisher<Self>) {
        with.writable_property("topic", Self::topic, Self::set_topic, Self::topic_changed)
            .property("count", |chat| chat.count.get(), Self::count_changed)
            .constant("version", |_chat| "1.0")
            .enumeration("Level", &[("Low", 0), ("High", 7)])
            .signal("said", |chat| SignalRef::new(chat, &chat.said))
            .signal("ticked", |chat| SignalRef::new(chat, &chat.ticked))
            .method("add", |_chat: &Rc<Self>, a: i32, b: i32| a + b)
            .method("nothing", |_chat: &Rc<Self>| {})
            .method("say", |chat: &Rc<Self>, text: String| chat.said.emit(&text))
            .method("tick", |chat: &Rc<Self>| chat.ticked.emit(&()))
            .method("countTo", Self::count_to)
            .method("makeItem", |_chat: &Rc<Self>, name: String| Object(Rc::new(Item { name })));
    }
}

impl Chat {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self { topic: RefCell::new("start".into()), ..Self::default() })
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

    fn count_to(self: &Rc<Self>, end: i32) {
        for number in 1..=end {
            self.count.set(number);
            self.count_changed.emit(&number);
        }
    }

    fn topic_changed(self: &Rc<Self>) -> SignalRef<'_, Rc<Self>, str> {
        SignalRef::new(self, &self.topic_changed)
    }

    fn count_changed(self: &Rc<Self>) -> SignalRef<'_, Rc<Self>, i32> {
        SignalRef::new(self, &self.count_changed)
    }
}
