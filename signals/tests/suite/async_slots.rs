//! Async slots: futures that the thread's queue runs.

use std::panic;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use slotwork_signals::{Signal, SignalRef, SignalSpy, SpyTimeout, process_events};
use smol::{channel, future};

use crate::support::Record;

/// An async slot begins in the queue, not inside the emission.
#[test]
fn async_slot_runs_from_the_queue() {
    let (signal, record) = (Signal::<str>::new(), Record::new());
    let slot = record.clone();
    signal.connect_async(async move |text| {
        slot.add(text.clone());
        future::yield_now().await;
        slot.add(text + "!");
    });

    signal.emit("hello");
    assert_eq!(record.take(), [""; 0]);
    assert_eq!(process_events(), 1);
    assert_eq!(record.take(), ["hello"]);
    assert_eq!(process_events(), 1);
    assert_eq!(record.take(), ["hello!"]);
    assert_eq!(process_events(), 0);
}

/// A wake that comes during the slot's own step is kept, also when a run of the queue inside that
/// step takes it: here the slot waits again, and the value is there already.
#[test]
fn wake_inside_the_slots_own_step_is_kept() {
    let (go, other) = (Signal::<()>::new(), Arc::new(Signal::<i32>::new()));
    let record = Record::new();
    let slot = record.clone();
    go.connect_async(async move |()| {
        let nested = async {
            other.emit(&1);
            process_events();
        };
        slot.add(future::zip(other.next(), nested).await.0);
    });

    go.emit(&());
    while process_events() > 0 {}

    assert_eq!(record.take(), [Some(1)]);
}

/// The same when a spy that waits runs the queue, and several times in one step.
#[test]
fn wake_that_a_waiting_spy_takes_is_kept() {
    let (go, other) = (Signal::<()>::new(), Arc::new(Signal::<i32>::new()));
    let record = Record::new();
    let slot = record.clone();
    go.connect_async(async move |()| {
        let mut values = other.stream();
        let (spied, read) =
            (SignalSpy::new(&*other), async { (values.next().await, values.next().await) });
        let nested = async {
            for value in 1..=2 {
                other.emit(&value);
                let timeout = spied.wait_for_within(usize::MAX, Duration::from_millis(1));
                assert!(timeout.is_err());
            }
        };
        slot.add(future::zip(read, nested).await.0);
    });

    go.emit(&());
    while process_events() > 0 {}

    assert_eq!(record.take(), [(Some(1), Some(2))]);
}

/// The runs of several emissions overlap; a disconnected slot finishes what has begun.
#[test]
fn runs_of_several_emissions_overlap() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let (slot, (sender, receiver)) = (record.clone(), channel::unbounded());
    let connection = signal.connect_async(async move |value| {
        slot.add(value);
        slot.add(receiver.recv().await.unwrap_or_default());
    });

    signal.emit(&1);
    signal.emit(&2);
    process_events();
    assert_eq!(record.take(), [1, 2]);

    connection.disconnect();
    sender.try_send(10).unwrap();
    sender.try_send(20).unwrap();
    while process_events() > 0 {}

    assert_eq!(record.take(), [10, 20]);
    assert_eq!(record.handles(), 1);
}

/// A future may be woken from another thread.
#[test]
fn async_slot_is_woken_from_elsewhere() -> Result<(), SpyTimeout> {
    let (signal, done) = (Signal::<i32>::new(), Rc::new(Signal::<i32>::new()));
    let (sender, receiver) = channel::bounded(1);
    let (spy, slot) = (SignalSpy::new(&done), Rc::clone(&done));
    signal.connect_async(async move |value| {
        slot.emit(&(value + receiver.recv().await.unwrap_or_default()));
    });

    signal.emit(&1);
    process_events();
    let waking = thread::spawn(move || sender.try_send(10));
    spy.wait_for(1)?;

    assert_eq!(spy.values(), [11]);
    assert!(waking.join().is_ok());
    Ok(())
}

/// The sender is an argument; it lives until the slot is done.
#[test]
fn async_slot_gets_the_sender() {
    let (sender, signal) = (Rc::new(5), Signal::<i32>::new());
    let record = Record::new();
    let slot = record.clone();
    SignalRef::new(&sender, &signal).connect_async(async move |five, value| {
        future::yield_now().await;
        slot.add(*five + value);
    });

    signal.emit(&1);
    assert_eq!(Rc::strong_count(&sender), 2);
    while process_events() > 0 {}

    assert_eq!(record.take(), [6]);
    assert_eq!(Rc::strong_count(&sender), 1);
}

/// A panic in an async slot leaves the queue; other slots are not affected.
#[test]
fn panic_in_an_async_slot_leaves_the_queue_usable() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let slot = record.clone();
    signal.connect_async(async move |value| {
        assert_ne!(value, 1, "the slot's own panic");
        slot.add(value);
    });
    signal.emit(&1);
    signal.emit(&2);

    let outcome = panic::catch_unwind(process_events);
    while process_events() > 0 {}

    assert!(outcome.is_err());
    assert_eq!(record.take(), [2]);
}

/// Runs that wait when their thread ends are dropped.
#[test]
fn waiting_runs_end_with_their_thread() {
    let (sender, receiver) = channel::bounded::<()>(1);
    let there = thread::spawn(move || {
        let signal = Signal::<()>::new();
        signal.connect_async(async move |()| _ = receiver.recv().await);
        signal.emit(&());
        process_events();
    });

    assert!(there.join().is_ok());
    assert!(sender.is_closed());
}
