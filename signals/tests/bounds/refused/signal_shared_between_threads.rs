//! A signal of values that are not `Send` is not emitted by another thread.

use std::rc::Rc;

use slotwork_signals::Signal;

/// What goes to another thread.
struct Parcel<T>(T);

impl<T: Send> Parcel<T> {
    fn send(self) {}
}

fn main() {
    let signal = Signal::<Rc<i32>>::new();
    Parcel(&signal).send();
}
