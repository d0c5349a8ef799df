//! A thread is told by any other to run its own slots.

use slotwork_signals::dispatch;

/// What goes to another thread.
struct Parcel<T>(T);

impl<T: Send> Parcel<T> {
    fn send(self) {}
}

fn main() {
    Parcel(dispatch).send();
}
