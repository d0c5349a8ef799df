//! A slot of an object's signal does not leave the sender out.

use std::rc::Rc;

use slotwork_signals::{Signal, SignalRef};

fn main() {
    let (sender, signal) = (Rc::new(()), Signal::<str>::new());
    SignalRef::new(&sender, &signal).connect(|line| println!("{line}"));
}
