//! A slot of `connect_mut` changes what it captures.

use std::rc::Rc;

use slotwork_signals::{Signal, SignalRef};

fn main() {
    let (sender, signal) = (Rc::new(()), Signal::<str>::new());
    let mut count = 0;
    SignalRef::new(&sender, &signal).connect_mut(move |_sender, _line| count += 1);
}
