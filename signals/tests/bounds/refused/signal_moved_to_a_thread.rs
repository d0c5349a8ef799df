//! A signal whose values stay in their thread stays there too.

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
