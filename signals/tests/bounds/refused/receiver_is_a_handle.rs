//! A receiver cannot be held weakly without an `Rc` around it.

use std::rc::Rc;

use slotwork_signals::Signal;

struct Log;

impl Log {
    fn listen(&self, signal: &Signal<str>) {
        signal.connect_to(self, |_log, line| println!("{line}"));
    }
}

fn main() {
    Rc::new(Log).listen(&Signal::new());
}
