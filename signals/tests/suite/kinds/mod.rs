//! Kinds of connections: `queued()`, `once()`, `direct()` and `local()`, each with its verbs.

mod async_runs;
mod direct;
mod forms;
mod mutable;
mod queued;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use slotwork_signals::{Signal, SignalRef, process_events};
use smol::future;

/// A receiver whose methods are slots of every form.
#[derive(Default)]
struct Log(RefCell<Vec<String>>);

impl Log {
    fn append(self: &Rc<Self>, line: &str) {
        self.0.borrow_mut().push(line.to_owned());
    }

    async fn append_later(self: Rc<Self>, line: String) {
        future::yield_now().await;
        self.append(&line);
    }

    fn append_sent(self: &Rc<Self>, sender: &Arc<Sender>, line: &str) {
        self.append(&format!("{}: {line}", sender.name));
    }

    async fn append_sent_later(self: Rc<Self>, sender: Arc<Sender>, line: String) {
        future::yield_now().await;
        self.append_sent(&sender, &line);
    }

    fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

/// An object with a signal.
struct Sender {
    name: &'static str,
    text: Signal<str>,
}

impl Sender {
    fn new() -> Arc<Self> {
        Arc::new(Self { name: "sender", text: Signal::new() })
    }

    fn text(self: &Arc<Self>) -> SignalRef<'_, Arc<Self>, str> {
        SignalRef::new(self, &self.text)
    }
}

fn run_queue() {
    while process_events() > 0 {}
}
