//! An async slot does not borrow its value, which is gone when it goes on.

use std::rc::Rc;

use slotwork_signals::{Signal, SignalRef};

fn main() {
    let (sender, signal) = (Rc::new(()), Signal::<str>::new());
    SignalRef::new(&sender, &signal).connect_async(async |_sender, line: &str| println!("{line}"));
}
