//! A receiver is passed to `connect_to`.

use std::rc::Rc;

use slotwork_signals::{Signal, SignalRef};

struct Log;

impl Log {
    fn append(self: &Rc<Self>, _line: &str) {}
    fn append_from(self: &Rc<Self>, _sender: &Rc<()>, _line: &str) {}
}

fn main() {
    let (log, sender, signal) = (Rc::new(Log), Rc::new(()), Signal::<str>::new());
    signal.connect_to(&log, Log::append);
    SignalRef::new(&sender, &signal).connect_to(&log, Log::append_from);
}
