//! A direct slot runs on any thread, and so its receiver is used there.

use std::rc::Rc;

use slotwork_signals::Signal;

fn main() {
    let receiver = Rc::new(5);
    Signal::<i32>::new().direct().connect_to(&receiver, |five, value| assert!(**five > *value));
}
