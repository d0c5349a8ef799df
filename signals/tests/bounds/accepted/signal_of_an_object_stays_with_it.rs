//! What shows the signal of a shared object may be sent.

use std::sync::Arc;

use slotwork_signals::{Signal, SignalRef};

/// What goes to another thread.
struct Parcel<T>(T);

impl<T: Send> Parcel<T> {
    fn send(self) {}
}

fn main() {
    let (sender, signal) = (Arc::new(()), Signal::<i32>::new());
    Parcel(SignalRef::new(&sender, &signal)).send();
}
