//! A thread runs its own slots at the request of another.

use slotwork_signals::dispatch;

/// What goes to another thread.
struct Parcel<T>(T);

impl<T: Send> Parcel<T> {
    fn send(self) {}
}

fn main() {
    Parcel(dispatch).send();
}
