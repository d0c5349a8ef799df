//! A direct slot may run on two threads at once, and what it has captured is shared by them.

use std::cell::Cell;

use slotwork_signals::Signal;

fn main() {
    let count = Cell::new(5);
    Signal::<i32>::new().direct().connect(move |value| count.set(*value));
}
