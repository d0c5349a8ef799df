//! What runs the slots of a thread stays in it.

use slotwork_signals::dispatch;

/// What goes to another thread.
struct Parcel<T>(T);

impl<T: Send> Parcel<T> {
    fn send(self) {}
}

fn main() {
    Parcel(dispatch()).send();
}
