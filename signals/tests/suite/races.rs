//! The races of tests/models with real threads, often: what a model leaves out may show here.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use slotwork_signals::{Signal, SignalSpy, SpyTimeout, process_events};

use crate::support::Record;

const ROUNDS: usize = 200;

/// A thread that waits is woken by each of the emitters, whenever it goes to sleep.
#[test]
fn sleeping_thread_is_always_woken() -> Result<(), SpyTimeout> {
    let signal = Signal::<usize>::new();
    let spy = SignalSpy::new(&signal);
    for _ in 0..ROUNDS {
        thread::scope(|scope| {
            scope.spawn(|| signal.emit(&0));
            scope.spawn(|| signal.emit(&1));
            spy.wait_for(2)
        })?;
        assert_eq!(spy.take().len(), 2);
    }
    Ok(())
}

/// Values on their way to threads that end are dropped, and so are the slots.
#[test]
fn emissions_to_threads_that_end_leave_nothing() {
    let (signal, value, slot) = (Signal::<Arc<()>>::new(), Arc::new(()), Arc::new(()));
    thread::scope(|scope| {
        let emitter = scope.spawn(|| (0..20 * ROUNDS).for_each(|_| signal.emit(&value)));
        while !emitter.is_finished() {
            let ending = scope.spawn(|| {
                let kept = Arc::clone(&slot);
                signal.connect(move |_| assert!(Arc::strong_count(&kept) > 1));
                process_events();
            });
            assert!(ending.join().is_ok());
        }
    });

    assert_eq!((Arc::strong_count(&value), Arc::strong_count(&slot)), (1, 1));
    assert_eq!(signal.slot_count(), 0);
}

/// After another thread's `disconnect` no call begins, though emissions go on.
#[test]
fn slot_that_was_disconnected_elsewhere_is_silent() {
    let (signal, record) = (Signal::<usize>::new(), Record::new());
    for _ in 0..ROUNDS {
        let slot = record.clone();
        let connection = signal.connect(move |value| slot.add(*value));
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| (0..10).for_each(|value| signal.emit(&value)));
            scope.spawn(|| {
                connection.disconnect();
                is_over.store(true, Ordering::Release);
            });
            while !is_over.load(Ordering::Acquire) {
                process_events();
            }
            record.take();
            process_events();
            assert_eq!(record.take(), [0; 0]);
        });
    }
    process_events();
    assert_eq!((record.handles(), signal.slot_count()), (1, 0));
}

/// Threads that connect first at the same time all have their slots.
#[test]
fn first_connections_of_several_threads_all_count() {
    const THREADS: usize = 3;
    for _ in 0..ROUNDS {
        let (signal, calls) = (Signal::<()>::new(), AtomicUsize::new(0));
        let (ready, connected) = (Barrier::new(THREADS), Barrier::new(THREADS));
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    let count = Record::new();
                    let slot = count.clone();
                    ready.wait();
                    signal.connect(move |()| slot.add(()));
                    connected.wait();
                    signal.emit(&());
                    connected.wait();
                    process_events();
                    calls.fetch_add(count.take().len(), Ordering::Relaxed);
                });
            }
        });
        assert_eq!(calls.into_inner(), THREADS * THREADS);
    }
}

/// Each emission is delivered, whichever thread drops the signal last.
#[test]
fn signal_dropped_by_any_thread_delivers_first() {
    let record = Record::new();
    for _ in 0..ROUNDS {
        let signal = Arc::new(Signal::<()>::new());
        let slot = record.clone();
        signal.connect(move |()| slot.add(()));
        let (one, other) = (Arc::clone(&signal), signal);
        let threads = [one, other].map(|signal| thread::spawn(move || signal.emit(&())));
        process_events();
        assert!(threads.into_iter().all(|thread| thread.join().is_ok()));
        process_events();
        assert_eq!((record.take().len(), record.handles()), (2, 1));
    }
}

/// `finish` lets through what was emitted before it, and ends the slots, whatever comes meanwhile.
#[test]
fn finish_is_behind_all_that_was_emitted() {
    let (record, object) = (Record::new(), Arc::new(()));
    for _ in 0..ROUNDS {
        let signal = Signal::<bool>::new();
        let slot = record.clone();
        signal.connect(move |is_known| slot.add(*is_known));
        thread::scope(|scope| {
            scope.spawn(|| (0..5).for_each(|_| signal.emit(&false)));
            scope.spawn(|| {
                (0..5).for_each(|_| signal.emit(&true));
                signal.finish(&object);
            });
            process_events();
        });
        process_events();
        assert_eq!(record.take().into_iter().filter(|is_known| *is_known).count(), 5);
        assert_eq!((record.handles(), Arc::strong_count(&object)), (1, 1));
    }
}
