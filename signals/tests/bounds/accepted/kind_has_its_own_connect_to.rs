//! A receiver is passed to the `connect_to` of a kind.

use std::rc::Rc;

use slotwork_signals::Signal;

struct Log;

impl Log {
    fn append(self: &Rc<Self>, _line: &str) {}
}

fn main() {
    let (log, signal) = (Rc::new(Log), Signal::<str>::new());
    signal.queued().connect_to(&log, Log::append);
}
