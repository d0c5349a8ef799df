//! What signals allocate. A binary of its own: allocation-counter brings a global allocator.

use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;

use allocation_counter::measure;
use slotwork_signals::{Connection, Signal, SignalRef};

/// An object has many signals, and most are never connected: they take 16 bytes each.
#[test]
fn signal_without_slots_allocates_nothing() {
    let sender = Rc::new(());

    let seen = measure(|| {
        let signal = black_box(Signal::<str>::new());
        signal.emit("not received");
        signal.disconnect_all();
        signal.finish(&());
        assert_eq!(SignalRef::new(&sender, &signal).slot_count(), 0);
    });

    assert_eq!(seen.count_total, 0, "{seen:?}");
}

/// A connected signal has a part for all threads and one for the slot's own, which holds the slot.
#[test]
fn signal_with_one_slot_takes_two_small_blocks() {
    // The thread's own queue, its list of signals and what those of one type share stay.
    let (sender, before) = (Rc::new(()), [(); 9].map(|()| Signal::<str>::new()));
    for signal in &before {
        SignalRef::new(&sender, signal).connect(|_, _| {});
    }
    drop(before);
    // The latest connection keeps the part of its signal for all threads.
    let latest = Signal::<str>::new();
    SignalRef::new(&sender, &latest).connect(|_, _| {});

    let signals = [(); 8].map(|()| Signal::<str>::new());
    let seen = measure(|| {
        for signal in &signals {
            SignalRef::new(&sender, signal).connect(|_, _| {});
        }
    });

    // Of these are 8 bytes the slot's weak handle to its sender. In debug builds it also knows
    // where it was connected, for warnings.
    let slot = if cfg!(debug_assertions) { 48 } else { 40 };
    assert_eq!((seen.count_current, seen.bytes_current), (8 * 2, 8 * (40 + slot)), "{seen:?}");
}

/// The shared state of a connection exists while there are handles to the connection.
///
/// A thread keeps the block of one for its next connection.
#[test]
fn connection_that_is_held_takes_one_more_block() {
    let signal = Signal::<i32>::new();
    for _ in 0..4 {
        signal.connect(|_| {});
    }
    let _takes_the_spare_block = signal.connect(|_| {});

    let mut connection = None;
    let first = measure(|| connection = Some(signal.connect(|_| {})));
    let dropped = measure(|| {
        let blocker = connection.as_ref().map(Connection::block);
        drop((connection.take(), blocker));
    });
    let second = measure(|| connection = Some(signal.connect(|_| {})));

    // One of the two is the slot.
    assert_eq!((first.count_current, second.count_current), (2, 1), "{first:?} {second:?}");
    assert_eq!((dropped.count_total, dropped.count_current), (0, 0), "{dropped:?}");
}

/// A connection without handles allocates its slot alone.
#[test]
fn connection_without_handles_takes_no_block() {
    let signal = Signal::<i32>::new();
    signal.connect(|_| {});
    signal.disconnect_all();

    let seen = measure(|| {
        signal.connect(|_| {});
        signal.disconnect_all();
        signal.connect(|_| {});
    });

    assert_eq!(seen.count_total, 2, "{seen:?}");
}

/// A slot of the emitting thread is lent the value; the emission allocates nothing.
#[test]
fn emission_on_the_slots_own_thread_allocates_nothing() {
    let (signal, length) = (Signal::<str>::new(), Rc::new(Cell::new(0)));
    signal.connect_to(&length, |length, text| length.set(text.len()));
    signal.connect(|text| assert!(!text.is_empty()));

    let seen = measure(|| signal.emit("hello"));

    assert_eq!((seen.count_total, length.get()), (0, 5), "{seen:?}");
}

/// The memory of connections is freed with the signal.
#[test]
fn signal_gives_back_what_its_slots_took() {
    // The thread's own queue and list of signals stay.
    drop(Signal::<i32>::new().connect(|_| {}));

    let seen = measure(|| {
        let signal = Signal::<i32>::new();
        drop(signal.connect(|_| {}));
        drop(signal.direct().connect(|_| {}));
    });

    assert!(seen.count_total > 0, "the counter should count: {seen:?}");
    assert_eq!(seen.bytes_current, 0, "{seen:?}");
}
