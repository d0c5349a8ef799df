//! A worker thread and a main loop without any executor: the slots run in `process_events`.
//!
//! Qt's counterpart: a worker object in a `QThread`, with a signal connected to the main thread.
//! Run `cargo run -p slotwork-signals --example plain_thread`.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use slotwork_signals::{Signal, SignalSpy, SpyTimeout};

fn main() -> Result<(), SpyTimeout> {
    let progress = Arc::new(Signal::<u32>::new());
    let shown = Rc::new(Cell::new(0));
    progress.connect_to(&shown, |shown, percent| {
        shown.set(*percent);
        println!("{percent} %");
    });

    let arrived = SignalSpy::new(&progress);
    let worker = thread::spawn(move || {
        for percent in [25, 50, 75, 100] {
            progress.emit(&percent);
        }
    });

    // A program with its own main loop calls `process_events` in it instead.
    arrived.wait_for(4)?;
    println!("done at {} %", shown.get());
    if worker.join().is_err() {
        println!("the worker has panicked");
    }
    Ok(())
}
