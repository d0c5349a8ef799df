//! A signal of `Send` values is `Send` itself.

use std::sync::Arc;

use slotwork_signals::Signal;

/// What goes to another thread.
struct Parcel<T>(T);

impl<T: Send> Parcel<T> {
    fn send(self) {}
}

fn main() {
    Parcel(Signal::<Arc<i32>>::new()).send();
}
