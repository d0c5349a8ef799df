//! A direct slot runs on any thread, and what it has captured goes there too.

use std::rc::Rc;
use std::sync::Arc;

use slotwork_signals::{Signal, SignalRef};

fn main() {
    let (count, signal) = (Rc::new(5), Signal::<i32>::new());
    let slot = Rc::clone(&count);
    signal.direct().connect(move |value| assert!(*value < *slot));

    let sender = Arc::new(());
    SignalRef::new(&sender, &signal).direct().connect(move |_, value| assert!(*value < *count));
}
