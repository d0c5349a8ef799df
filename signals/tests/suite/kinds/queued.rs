//! Queued connections that are called once.

use std::rc::Rc;
use std::thread;

use slotwork_signals::Signal;

use crate::kinds::run_queue;
use crate::support::Record;

/// A queued slot that is called once: two emissions before the queue runs make one call; it may
/// emit again, and disconnect itself.
#[test]
fn queued_once_is_called_once() {
    let (signal, record) = (Rc::new(Signal::<i32>::new()), Record::new());
    let slot = record.clone();
    let connection = signal.queued().once().connect_to(&signal, move |signal, value| {
        assert_eq!(signal.slot_count(), 0, "disconnected before it runs");
        signal.emit(&10);
        signal.disconnect_all();
        slot.add(*value);
    });

    signal.emit(&1);
    signal.emit(&2);
    assert!(connection.is_connected());
    run_queue();

    assert_eq!(record.take(), [1]);
    assert!(!connection.is_connected());
    assert_eq!(record.handles(), 1);
}

/// A once slot of another thread is called there, once.
#[test]
fn queued_once_is_called_in_its_thread() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let slot = record.clone();
    signal.queued().once().connect(move |value| slot.add(*value));

    thread::scope(|scope| {
        scope.spawn(|| (1..=3).for_each(|value| signal.emit(&value)));
    });
    run_queue();

    assert_eq!(record.take(), [1]);
}
