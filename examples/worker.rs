//! A controller that has a worker in another thread: the example in Qt's documentation of `QThread`.
//!
//! Run `cargo run --example worker`.

use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use anyhow::Result;
use slotwork::signals::Signal;
use slotwork::{EventLoop, EventThread};

/// The signals of both threads.
#[derive(Default)]
struct Signals {
    operate: Signal<str>,
    result_ready: Signal<str>,
}

struct Worker {
    signals: Arc<Signals>,
}

impl Worker {
    fn do_work(self: &Rc<Self>, parameter: &str) {
        println!("{} works on {parameter:?}", thread_name());
        // ... here is the expensive or blocking operation ...
        self.signals.result_ready.emit(&format!("the result of {parameter}"));
    }
}

struct Controller {
    signals: Arc<Signals>,
    worker_thread: EventThread,
}

impl Controller {
    fn new() -> Result<Rc<Self>> {
        let signals = Arc::new(Signals::default());
        let shared = Arc::clone(&signals);
        let worker_thread = EventThread::spawn("worker", move || {
            let worker = Rc::new(Worker { signals: shared });
            worker.signals.operate.connect_to(&worker, Worker::do_work);
            worker
        })?;

        let controller = Rc::new(Self { signals, worker_thread });
        controller.signals.result_ready.connect_to(&controller, Self::handle_results);
        Ok(controller)
    }

    fn handle_results(self: &Rc<Self>, result: &str) {
        println!("{} got {result:?} from {}", thread_name(), self.worker_thread.name());
        EventLoop::current().quit();
    }
}

fn thread_name() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

fn main() -> Result<()> {
    let controller = Controller::new()?;
    controller.signals.operate.emit("parameter");
    EventLoop::current().exec();
    Ok(())
}
