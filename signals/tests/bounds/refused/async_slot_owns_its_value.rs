//! An async slot does not borrow its value, which is dropped before the slot resumes.

use std::rc::Rc;

use slotwork_signals::{Signal, SignalRef};

fn main() {
    let (sender, signal) = (Rc::new(()), Signal::<str>::new());
    SignalRef::new(&sender, &signal).connect_async(async |_sender, line: &str| println!("{line}"));
}
