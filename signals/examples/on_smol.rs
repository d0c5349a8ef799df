//! Slots on a smol executor: `dispatch` is one of its tasks.
//!
//! Run `cargo run -p slotwork-signals --example on_smol`.

use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use slotwork_signals::{Signal, dispatch};
use smol::LocalExecutor;

fn main() {
    let executor = Rc::new(LocalExecutor::new());
    executor.spawn(dispatch()).detach();

    let (progress, finished) = (Arc::new(Signal::<u32>::new()), Rc::new(Signal::<()>::new()));
    progress.connect_to(&finished, |finished, percent| {
        println!("{percent} %");
        if *percent == 100 {
            finished.emit(&());
        }
    });

    let done = finished.next();
    let worker = thread::spawn(move || [50, 100].iter().for_each(|percent| progress.emit(percent)));
    smol::block_on(executor.run(done));

    println!("done");
    if worker.join().is_err() {
        println!("the worker has panicked");
    }
}
