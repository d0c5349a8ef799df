//! A receiver that is shared does not change as such.

use std::rc::Rc;

use slotwork_signals::Signal;

struct Log {
    lines: Vec<String>,
}

impl Log {
    fn append(self: &Rc<Self>, line: &str) {
        self.lines.push(line.to_owned());
    }
}

fn main() {
    let (log, signal) = (Rc::new(Log { lines: Vec::new() }), Signal::<str>::new());
    signal.connect_to(&log, Log::append);
}
