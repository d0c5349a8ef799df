//! A value that can be sent has all kinds of slots.

use std::sync::Arc;

use slotwork_signals::Signal;

fn main() {
    let (signal, receiver) = (Signal::<Arc<i32>>::new(), Arc::new(()));
    signal.connect(|_| {});
    signal.connect_to(&receiver, |_, _| {});
    signal.once().connect(|_| {});
    signal.connect_mut(|_| {});
    signal.queued().connect(|_| {});
    signal.connect_async(async |_| {});
    signal.forward_to(&Arc::new(Signal::new()));
}
