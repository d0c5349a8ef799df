//! The latest connection of a thread: its slot does not hold the shared state yet.

use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use slotwork_signals::{Connection, Signal, process_events};

use crate::support::Record;

/// A handle that is kept works whatever is connected, dropped and emitted behind it.
#[test]
fn each_handle_ends_its_own_slot() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let connect = |name: i32| {
        let slot = record.clone();
        signal.connect(move |value| slot.add(name * value))
    };
    let first = connect(1);
    connect(10);
    let third = connect(100);
    connect(1000);

    signal.emit(&1);
    assert!(first.disconnect());
    signal.emit(&2);
    assert!(third.disconnect());
    signal.emit(&3);

    assert_eq!(record.take(), [1, 10, 100, 1000, 20, 200, 2000, 30, 3000]);
    assert_eq!((signal.slot_count(), record.handles()), (2, 3));
}

/// Another thread disconnects before this one has emitted: the slot is never called.
#[test]
fn another_thread_disconnects_before_the_first_emission() {
    for keeps_handle in [false, true] {
        let (signal, record) = (Signal::<i32>::new(), Record::new());
        let slot = record.clone();
        let connection = signal.connect(move |value| slot.add(*value));
        let kept = keeps_handle.then(|| connection.clone());

        let outcome = thread::spawn(move || connection.disconnect()).join();

        assert!(matches!(outcome, Ok(true)));
        signal.emit(&1);
        signal.queued().connect(|_| {});
        signal.emit(&2);
        process_events();
        assert_eq!((record.take(), record.handles()), (vec![], 1));
        assert!(!kept.is_some_and(|kept| kept.is_connected()));
        assert_eq!(signal.slot_count(), 1);
    }
}

/// A blocker of a new connection stops the first emission, and a queued call.
#[test]
fn block_applies_to_the_first_emission() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let slot = record.clone();
    let direct = signal.connect(move |value| slot.add(*value));
    let blocker = direct.block();
    signal.emit(&1);
    drop(blocker);
    let slot = record.clone();
    let queued = signal.queued().connect(move |value| slot.add(10 * value));

    signal.emit(&2);
    let blocker = queued.block();
    process_events();
    drop(blocker);

    assert_eq!(record.take(), [2]);
}

/// A slot connects another one, and ends it inside an emission that calls it.
#[test]
fn a_slot_of_a_nested_emission_is_disconnected_inside() {
    let (signal, record) = (Rc::new(Signal::<i32>::new()), Record::new());
    let inner = record.clone();
    signal.connect_to(&Rc::clone(&signal), move |signal, value| {
        if *value > 1 {
            return;
        }
        let slot = inner.clone();
        let added = signal.connect(move |value| slot.add(*value));
        signal.emit(&2);
        assert!(added.disconnect());
        signal.emit(&3);
    });

    signal.emit(&1);

    assert_eq!((record.take(), signal.slot_count()), (vec![2], 1));
}

/// The receiver of a new slot is dropped while its handle is kept: it is counted down once.
#[test]
fn a_dropped_receiver_ends_the_connection_once() {
    let signal = Signal::<i32>::new();
    let (receiver, other) = (Rc::new(()), Rc::new(()));
    signal.connect_to(&other, |_, _| {});
    let connection = signal.connect_to(&receiver, |_, _| {});
    drop(receiver);

    assert_eq!(signal.slot_count(), 1);
    assert!(!connection.is_connected());
    assert!(!connection.disconnect());
    assert_eq!(signal.slot_count(), 1);
}

/// The signal is dropped before its latest connection is used, and its place is used again.
#[test]
fn a_handle_outlives_the_signal() {
    let first = Signal::<i32>::new();
    let connection = first.connect(|_| {});
    drop(first);
    let (second, record) = (Signal::<i32>::new(), Record::new());
    let slot = record.clone();
    second.connect(move |value| slot.add(*value));

    assert!(!connection.is_connected());
    assert!(!connection.disconnect());
    second.emit(&1);

    assert_eq!((record.take(), second.slot_count()), (vec![1], 1));
}

/// A handle of a thread that has ended reports that its slot is gone.
#[test]
fn a_handle_outlives_the_thread() -> thread::Result<()> {
    let signal = Arc::new(Signal::<i32>::new());
    let other = Arc::clone(&signal);

    let connection: Connection = thread::spawn(move || other.connect(|_| {})).join()?;

    assert!(!connection.is_connected());
    signal.emit(&1);
    assert_eq!(signal.slot_count(), 0);
    Ok(())
}

/// The queue with the cleanup of a slot is dropped, as at the end of a loop: the slot stays ended.
#[test]
fn a_slot_stays_disconnected_when_the_queue_of_its_thread_is_dropped() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let slot = record.clone();
    let connection = signal.connect(move |value| slot.add(*value));
    thread::scope(|scope| scope.spawn(move || assert!(connection.disconnect())).join().unwrap());

    slotwork_signals::host::drop_queue();
    signal.emit(&1);

    assert!(record.take().is_empty());
}

/// A slot is called as it was connected, also once its last handle is dropped behind an emission.
#[test]
fn a_slot_keeps_its_kind_without_handles() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let (slot, local_slot) = (record.clone(), record.clone());
    let queued = signal.queued().connect(move |value| slot.add(10 * value));
    let local = signal.local().connect(move |value| local_slot.add(*value));
    signal.emit(&1);
    drop((queued, local));

    signal.emit(&2);
    assert_eq!(record.take(), [1, 2]);
    process_events();

    assert_eq!(record.take(), [10, 20]);
}
