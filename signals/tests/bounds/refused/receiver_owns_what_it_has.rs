//! A receiver does not borrow what ends before the signal.

use std::rc::Rc;

use slotwork_signals::Signal;

fn main() {
    let signal = Signal::<i32>::new();
    let name = String::from("log");
    let log = Rc::new(name.as_str());
    signal.connect_to(&log, |log, value| println!("{log}: {value}"));
}
