//! A receiver owns what it has, or borrows it for ever.

use std::rc::Rc;

use slotwork_signals::Signal;

fn main() {
    let signal = Signal::<i32>::new();
    let log = Rc::new("log");
    signal.connect_to(&log, |log, value| println!("{log}: {value}"));
}
