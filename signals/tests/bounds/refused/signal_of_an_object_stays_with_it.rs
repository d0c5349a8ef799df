//! What shows the signal of an object stays in the thread of the object.

use std::rc::Rc;

use slotwork_signals::{Signal, SignalRef};

/// What goes to another thread.
struct Parcel<T>(T);

impl<T: Send> Parcel<T> {
    fn send(self) {}
}

fn main() {
    let (sender, signal) = (Rc::new(()), Signal::<i32>::new());
    Parcel(SignalRef::new(&sender, &signal)).send();
}
