//! A receiver is not passed to the `connect` of a kind: the error names `connect_to`.

use std::rc::Rc;

use slotwork_signals::Signal;

struct Log;

impl Log {
    fn append(self: &Rc<Self>, _line: &str) {}
}

fn main() {
    let (log, signal) = (Rc::new(Log), Signal::<str>::new());
    signal.queued().connect(&log, Log::append);
}
