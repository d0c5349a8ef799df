//! What signals allocate. A binary of its own: allocation-counter brings a global allocator.

use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;

use allocation_counter::measure;
use slotwork_signals::{Signal, SignalRef};

/// An object has many signals, of which most are never connected: they cost their 24 bytes alone.
#[test]
fn signal_that_nobody_connected_allocates_nothing() {
    let sender = Rc::new(());

    let seen = measure(|| {
        let signal = black_box(Signal::<str>::new());
        signal.emit("nobody hears this");
        drop(signal.block());
        signal.disconnect_all();
        signal.finish(&());
        assert_eq!(SignalRef::new(&sender, &signal).slot_count(), 0);
    });

    assert_eq!(seen.count_total, 0, "{seen:?}");
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

/// What was connected is given back with the signal.
#[test]
fn signal_gives_back_what_its_slots_took() {
    // The thread's own queue and list of signals stay.
    drop(Signal::<i32>::new().connect(|_| {}));

    let seen = measure(|| {
        let signal = Signal::<i32>::new();
        drop(signal.connect(|_| {}));
        drop(signal.connect_direct(|_| {}));
    });

    assert!(seen.count_total > 0, "the counter should count: {seen:?}");
    assert_eq!(seen.bytes_current, 0, "{seen:?}");
}
