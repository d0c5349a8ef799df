//! A signal of `Send` values is emitted by any thread.

use std::sync::Arc;

use slotwork_signals::Signal;

/// What goes to another thread.
struct Parcel<T>(T);

impl<T: Send> Parcel<T> {
    fn send(self) {}
}

fn main() {
    let signal = Signal::<Arc<i32>>::new();
    Parcel(&signal).send();
}
