//! Emissions of values that cannot be sent are not awaited, as that may be done elsewhere.

use std::rc::Rc;

use slotwork_signals::{Signal, SignalRef, SignalSpy};

fn main() {
    let (sender, signal) = (Rc::new(()), Signal::<Rc<i32>>::new());
    drop(signal.next());
    drop((signal.stream(), signal.stream_latest(1), signal.stream_earliest(1)));
    drop(SignalSpy::new(&signal));

    let changed = SignalRef::new(&sender, &signal);
    drop(changed.next());
    drop((changed.stream(), changed.stream_latest(1), changed.stream_earliest(1)));
    drop(SignalSpy::new(&changed));
}
