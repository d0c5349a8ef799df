//! What a connection holds of a receiver stays in the thread of the receiver.

use std::rc::Rc;

use slotwork_signals::Receiver;

/// What goes to another thread.
struct Parcel<T>(T);

impl<T: Send> Parcel<T> {
    fn send(self) {}
}

fn main() {
    Parcel(Receiver::downgrade(&Rc::new(5))).send();
}
