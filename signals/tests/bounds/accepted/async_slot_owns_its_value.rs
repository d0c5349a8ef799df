//! An async slot owns its value.

use std::rc::Rc;

use slotwork_signals::{Signal, SignalRef};

fn main() {
    let (sender, signal) = (Rc::new(()), Signal::<str>::new());
    SignalRef::new(&sender, &signal)
        .connect_async(async |_sender, line: String| println!("{line}"));
}
