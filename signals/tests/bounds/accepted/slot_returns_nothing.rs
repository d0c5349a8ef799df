//! A slot drops what it does not return.

use std::rc::Rc;

use slotwork_signals::{Signal, SignalRef};

fn main() {
    let (sender, signal) = (Rc::new(()), Signal::<str>::new());
    SignalRef::new(&sender, &signal).connect(|_sender, line| _ = line.len());
}
