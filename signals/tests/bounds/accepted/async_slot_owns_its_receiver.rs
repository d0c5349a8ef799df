//! An async slot owns its receiver.

use std::rc::Rc;

use slotwork_signals::Signal;

struct Log;

impl Log {
    async fn append(self: Rc<Self>, _line: String) {}
}

fn main() {
    let (log, signal) = (Rc::new(Log), Signal::<str>::new());
    signal.connect_async_to(&log, Log::append);
}
