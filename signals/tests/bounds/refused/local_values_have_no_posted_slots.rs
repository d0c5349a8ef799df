//! A value that cannot be sent has no slots that may be posted to.

use std::rc::Rc;
use std::sync::Arc;

use slotwork_signals::Signal;

fn main() {
    let (signal, receiver) = (Signal::<Rc<i32>>::new(), Arc::new(()));
    signal.connect(|_| {});
    signal.connect_to(&receiver, |_, _| {});
    signal.once().connect(|_| {});
    signal.connect_mut(|_| {});
    signal.queued().connect(|_| {});
    signal.connect_async(async |_| {});
    signal.forward_to(&Arc::new(Signal::new()));
}
