//! A value that can be sent has all kinds of slots, on the signal of an object.

use std::sync::Arc;

use slotwork_signals::{Signal, SignalRef};

fn main() {
    let (sender, signal) = (Arc::new(()), Signal::<Arc<i32>>::new());
    let changed = SignalRef::new(&sender, &signal);
    changed.connect(|_, _| {});
    changed.connect_to(&sender, |_, _, _| {});
    changed.once().connect(|_, _| {});
    changed.connect_mut(|_, _| {});
    changed.queued().connect(|_, _| {});
    changed.connect_async(async |_, _| {});
    changed.forward_to(&Arc::new(Signal::new()));
}
