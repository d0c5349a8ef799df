//! A controller that has a worker in another thread: the example in Qt's documentation of `QThread`.
//!
//! Run `cargo run --example worker`.

use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use anyhow::Result;
use slotwork::signals::Signal;
use slotwork::{EventLoop, EventThread};

struct Worker {
    result_ready: Arc<Signal<str>>,
}

impl Worker {
    fn do_work(self: &Rc<Self>, parameter: &str) {
        println!("{} works on {parameter:?}", thread_name());
        // ... here is the expensive or blocking operation ...
        self.result_ready.emit(&format!("the result of {parameter}"));
    }
}

struct Controller {
    operate: Arc<Signal<str>>,
    worker_thread: EventThread,
}

impl Controller {
    fn new() -> Result<Rc<Self>> {
        let (operate, result_ready) = (Arc::new(Signal::new()), Arc::new(Signal::new()));
        let (operating, ready) = (Arc::clone(&operate), Arc::clone(&result_ready));
        let worker_thread = EventThread::spawn("worker", move || {
            let worker = Rc::new(Worker { result_ready: ready });
            operating.connect_to(&worker, Worker::do_work);
            worker
        })?;

        let controller = Rc::new(Self { operate, worker_thread });
        result_ready.connect_to(&controller, Self::handle_results);
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
    controller.operate.emit("parameter");
    EventLoop::current().exec();
    Ok(())
}
