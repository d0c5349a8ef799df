//! A slot has no caller to return an error to.

use std::rc::Rc;

use slotwork_signals::{Signal, SignalRef};

fn main() {
    let (sender, signal) = (Rc::new(()), Signal::<str>::new());
    SignalRef::new(&sender, &signal).connect(|_sender, line| println!("{}", line.parse::<u16>()?));
}
