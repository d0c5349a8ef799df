//! A direct slot runs on any thread.

use std::sync::Arc;

use slotwork_signals::{Signal, SignalRef};

fn main() {
    let (count, signal) = (Arc::new(5), Signal::<i32>::new());
    let slot = Arc::clone(&count);
    signal.direct().connect(move |value| assert!(*value < *slot));

    let sender = Arc::new(());
    SignalRef::new(&sender, &signal).direct().connect(move |_, value| assert!(*value < *count));
}
