//! A receiver in an `Rc` is held weakly.

use std::rc::Rc;

use slotwork_signals::Signal;

struct Log;

impl Log {
    fn listen(self: &Rc<Self>, signal: &Signal<str>) {
        signal.connect_to(self, |_log, line| println!("{line}"));
    }
}

fn main() {
    Rc::new(Log).listen(&Signal::new());
}
