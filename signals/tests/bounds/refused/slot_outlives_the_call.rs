//! A slot outlives the call of `connect`, and borrows nothing that does not.

use std::cell::Cell;
use std::sync::Mutex;

use slotwork_signals::{Signal, SignalRef};

fn main() {
    let (sender, signal) = (std::rc::Rc::new(()), Signal::<i32>::new());
    let (local, shared) = (Cell::new(0), Mutex::new(0));
    signal.connect(|value| local.set(*value));
    signal.direct().connect(|value| *shared.lock().unwrap() = *value);

    let (local, changed) = (Cell::new(0), SignalRef::new(&sender, &signal));
    changed.connect(|_, value| local.set(*value));
}
