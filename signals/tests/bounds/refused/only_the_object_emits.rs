//! Others do not emit the signal of an object, nor block it or disconnect all of its slots.

use std::rc::Rc;

use slotwork_signals::{Signal, SignalRef};

fn main() {
    let (sender, signal) = (Rc::new(()), Signal::<i32>::new());
    let changed = SignalRef::new(&sender, &signal);
    changed.emit(&1);
    let _blocker = changed.block();
    changed.disconnect_all();
    changed.finish(&());
}
