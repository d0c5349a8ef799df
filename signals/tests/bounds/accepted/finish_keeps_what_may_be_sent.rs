//! What `finish` keeps goes to the threads of the slots.

use std::sync::Arc;

use slotwork_signals::Signal;

fn main() {
    let (object, signal) = (Arc::new(5), Signal::<i32>::new());
    signal.finish(&object);
}
