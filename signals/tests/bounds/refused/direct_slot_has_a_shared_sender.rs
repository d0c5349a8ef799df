//! A direct slot gets its sender on any thread.

use std::rc::Rc;

use slotwork_signals::{Signal, SignalRef};

fn main() {
    let (sender, signal) = (Rc::new(()), Signal::<i32>::new());
    SignalRef::new(&sender, &signal).direct().connect(|_, _| {});
}
