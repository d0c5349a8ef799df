//! A slot that is a method does not take `&self`: its receiver is held by an `Rc`.

use std::rc::Rc;

use slotwork_signals::{Signal, SignalRef};

struct Log;

impl Log {
    fn append(&self, _sender: &Rc<()>, _line: &str) {}
}

fn main() {
    let (log, sender, signal) = (Rc::new(Log), Rc::new(()), Signal::<str>::new());
    SignalRef::new(&sender, &signal).connect_to(&log, Log::append);
}
