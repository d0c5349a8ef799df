//! A slot owns what it has captured.

use std::cell::Cell;
use std::sync::Mutex;

use slotwork_signals::{Signal, SignalRef};

fn main() {
    let (sender, signal) = (std::rc::Rc::new(()), Signal::<i32>::new());
    let (local, shared) = (Cell::new(0), Mutex::new(0));
    signal.connect(move |value| local.set(*value));
    signal.direct().connect(move |value| *shared.lock().unwrap() = *value);

    let (local, changed) = (Cell::new(0), SignalRef::new(&sender, &signal));
    changed.connect(move |_, value| local.set(*value));
}
