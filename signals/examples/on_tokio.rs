//! Slots on tokio: `dispatch` is a task of a `LocalSet`, which keeps it in its thread.
//!
//! Run `cargo run -p slotwork-signals --example on_tokio`.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use slotwork_signals::{Signal, dispatch};
use tokio::runtime::Builder;
use tokio::task::LocalSet;

fn main() -> io::Result<()> {
    let (runtime, local) = (Builder::new_current_thread().build()?, LocalSet::new());
    local.spawn_local(dispatch());

    let (progress, finished) = (Arc::new(Signal::<u32>::new()), Rc::new(Signal::<()>::new()));
    progress.connect_to(&finished, |finished, percent| {
        println!("{percent} %");
        if *percent == 100 {
            finished.emit(&());
        }
    });

    let done = finished.next();
    let worker = thread::spawn(move || [50, 100].iter().for_each(|percent| progress.emit(percent)));
    local.block_on(&runtime, done);

    println!("done");
    if worker.join().is_err() {
        println!("the worker has panicked");
    }
    Ok(())
}
