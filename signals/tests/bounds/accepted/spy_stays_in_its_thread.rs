//! A signal that is spied on may be sent.

use slotwork_signals::{Signal, SignalSpy};

/// What goes to another thread.
struct Parcel<T>(T);

impl<T: Send> Parcel<T> {
    fn send(self) {}
}

fn main() {
    let signal = Signal::<i32>::new();
    let spy = SignalSpy::new(&signal);
    Parcel((signal, spy.count())).send();
}
