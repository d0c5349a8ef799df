//! What `finish` keeps goes to the threads of the slots.

use std::rc::Rc;

use slotwork_signals::Signal;

fn main() {
    let (object, signal) = (Rc::new(5), Signal::<i32>::new());
    signal.finish(&object);
}
