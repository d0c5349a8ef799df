//! A slot of an object's signal gets the sender first.

use std::rc::Rc;

use slotwork_signals::{Signal, SignalRef};

fn main() {
    let (sender, signal) = (Rc::new(()), Signal::<str>::new());
    SignalRef::new(&sender, &signal).connect(|_sender, line| println!("{line}"));
}
