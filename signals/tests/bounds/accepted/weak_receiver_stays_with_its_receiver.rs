//! What a connection holds of a shared receiver may be sent.

use std::sync::Arc;

use slotwork_signals::Receiver;

/// What goes to another thread.
struct Parcel<T>(T);

impl<T: Send> Parcel<T> {
    fn send(self) {}
}

fn main() {
    Parcel(Receiver::downgrade(&Arc::new(5))).send();
}
