//! A slot returns nothing: a status that is not wanted is dropped.

use std::rc::Rc;

use slotwork_signals::{Signal, SignalRef};

fn main() {
    let (sender, signal) = (Rc::new(()), Signal::<str>::new());
    SignalRef::new(&sender, &signal).connect(|_sender, line| line.len());
}
