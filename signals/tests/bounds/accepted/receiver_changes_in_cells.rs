//! A receiver that is shared changes in its cells.

use std::cell::RefCell;
use std::rc::Rc;

use slotwork_signals::Signal;

struct Log {
    lines: RefCell<Vec<String>>,
}

impl Log {
    fn append(self: &Rc<Self>, line: &str) {
        self.lines.borrow_mut().push(line.to_owned());
    }
}

fn main() {
    let (log, signal) = (Rc::new(Log { lines: RefCell::default() }), Signal::<str>::new());
    signal.connect_to(&log, Log::append);
}
