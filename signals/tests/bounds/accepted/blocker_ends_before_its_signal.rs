//! A blocker ends before its signal.

use slotwork_signals::Signal;

fn main() {
    let signal = Signal::<i32>::new();
    let blocker = signal.block();
    drop(blocker);
    drop(signal);
}
