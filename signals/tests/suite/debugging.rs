//! What `{:?}` shows of the public types: their state, but neither values nor slots.

use std::rc::Rc;
use std::sync::Arc;

use slotwork_signals::host::{Position, SignalGroup};
use slotwork_signals::{Receiver, Scope, SharedSender, Signal, SignalRef, ThreadQueue, dispatch};

use crate::support::Record;

/// A signal shows whether it has had slots, and whether it is blocked.
#[test]
fn a_signal_shows_its_state() {
    let signal = Signal::<str>::new();
    assert_eq!(format!("{signal:?}"), "Signal { is_used: false, is_blocked: false, .. }");

    signal.connect(|_| {});
    assert_eq!(format!("{signal:?}"), "Signal { is_used: true, is_blocked: false, .. }");

    let _blocker = signal.block();
    assert_eq!(format!("{signal:?}"), "Signal { is_used: true, is_blocked: true, .. }");
}

/// Signals that share an allocation show whether any of them has had slots.
#[test]
fn a_group_shows_whether_it_is_used() {
    let group = SignalGroup::<2>::new();
    assert_eq!(format!("{group:?}"), "SignalGroup { is_used: false, .. }");

    let (sender, second) = (Rc::new(()), Position::<str, 2>::new(1));
    SignalRef::of(&sender, &group, second).connect(|_, _| {});

    assert_eq!(format!("{group:?} {second:?}"), "SignalGroup { is_used: true, .. } Position(1)");
}

/// The queue of a thread shows whether the thread has ended.
#[test]
fn a_queue_shows_the_end_of_its_thread() {
    let queue = std::thread::spawn(ThreadQueue::current).join().unwrap();

    let here = format!("{:?}", ThreadQueue::current());

    assert_eq!(here, "ThreadQueue { has_ended: false, .. }");
    assert_eq!(format!("{queue:?}"), "ThreadQueue { has_ended: true, .. }");
}

/// The values of a signal may be secrets: what waits in a stream is not shown.
#[test]
fn values_are_not_shown() {
    let (sender, signal) = (Arc::new("secret sender"), Signal::<str>::new());
    let shown = SignalRef::new(&sender, &signal);
    let (next, stream) = (shown.next(), shown.stream());
    let blocker = shown.connect(|_, _| {}).block();

    signal.emit("secret value");

    let weak = Receiver::downgrade(&sender);
    let texts = [
        format!("{next:?}"),
        format!("{stream:?}"),
        format!("{blocker:?}"),
        format!("{shown:?}"),
        format!("{weak:?}"),
        format!("{:?}", SharedSender::new(&sender)),
        format!("{:?}", dispatch()),
    ];
    let names = [
        "Next",
        "SignalStream",
        "ConnectionBlocker",
        "SignalRef",
        "WeakHandle",
        "SharedSender",
        "Dispatch",
    ];
    for (text, name) in texts.iter().zip(names) {
        assert!(text.starts_with(name) && !text.contains("secret"), "{text}");
    }
}

/// A slot may show the signal that it runs in, and the scope of its connection.
#[test]
fn slots_show_their_own_signal() {
    let (signal, scope) = (Rc::new(Signal::<i32>::new()), Rc::new(Scope::default()));
    let record = Record::new();
    let slot = record.clone();
    let scope_of_slot = Rc::downgrade(&scope);
    scope.add(signal.connect_to(&signal, move |signal, _| {
        let connections = scope_of_slot.upgrade().map(|scope| format!("{scope:?}"));
        slot.add(format!("{signal:?}"));
        slot.add(connections.unwrap_or_default());
    }));

    signal.emit(&1);

    let shown = record.take();
    assert_eq!(shown[0], "Signal { is_used: true, is_blocked: false, .. }");
    assert!(shown[1].contains("is_connected: true"), "{shown:?}");
}
