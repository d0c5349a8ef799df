//! Others connect to the signal of an object.

use std::rc::Rc;

use slotwork_signals::{Signal, SignalRef};

fn main() {
    let (sender, signal) = (Rc::new(()), Signal::<i32>::new());
    let changed = SignalRef::new(&sender, &signal);
    changed.connect(|_, _| {});
    signal.emit(&1);
    let _blocker = signal.block();
    signal.disconnect_all();
    signal.finish(&());
}
