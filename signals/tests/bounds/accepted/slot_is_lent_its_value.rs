//! A slot borrows the value that its signal carries.

use std::rc::Rc;

use slotwork_signals::{Signal, SignalRef};

struct Log;

impl Log {
    fn append(self: &Rc<Self>, _sender: &Rc<()>, _line: &str) {}
}

fn main() {
    let (log, sender, signal) = (Rc::new(Log), Rc::new(()), Signal::<str>::new());
    SignalRef::new(&sender, &signal).connect_to(&log, Log::append);
}
