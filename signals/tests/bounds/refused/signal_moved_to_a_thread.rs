//! A signal of values that are not `Send` is not `Send` either.

use std::rc::Rc;

use slotwork_signals::Signal;

/// What goes to another thread.
struct Parcel<T>(T);

impl<T: Send> Parcel<T> {
    fn send(self) {}
}

fn main() {
    Parcel(Signal::<Rc<i32>>::new()).send();
}
