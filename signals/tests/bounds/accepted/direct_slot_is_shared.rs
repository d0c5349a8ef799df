//! A direct slot may run on two threads at once.

use std::sync::Mutex;

use slotwork_signals::Signal;

fn main() {
    let count = Mutex::new(5);
    Signal::<i32>::new().direct().connect(move |value| *count.lock().unwrap() = *value);
}
