//! What happens when slots and emissions meet: Qt 6.4.2 was probed for each case.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use slotwork_signals::{Connection, Signal, process_events};

use crate::support::Record;

/// SIG-01: slots run before `emit` returns, in the order of their connection.
#[test]
fn calls_slots_in_connect_order_before_emit_returns() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    for name in ["first", "second", "third"] {
        let record = record.clone();
        signal.connect(move |value| record.add((name, *value)));
    }

    signal.emit(&7);

    assert_eq!(record.take(), [("first", 7), ("second", 7), ("third", 7)]);
}

/// SIG-02: a slot connected during an emission runs in the next one.
#[test]
fn slot_connected_during_an_emission_waits_for_the_next() {
    let (signal, record) = (Rc::new(Signal::<i32>::new()), Record::new());
    signal.connect_to(&signal, {
        let record = record.clone();
        move |signal, _| {
            let record = record.clone();
            signal.connect(move |value| record.add(*value));
        }
    });

    signal.emit(&1);
    assert_eq!(record.take(), []);

    signal.emit(&2);
    assert_eq!(record.take(), [2]);
}

/// SIG-02: what the copy of a value connects has no part in the emission for which it is made.
#[test]
fn slot_connected_by_the_copy_of_a_value_waits_for_the_next() {
    struct Connecting(Arc<Signal<Self>>, Arc<AtomicU32>);
    impl Clone for Connecting {
        fn clone(&self) -> Self {
            let (called, queued) = (Arc::clone(&self.1), Arc::clone(&self.1));
            self.0.connect(move |_| _ = called.fetch_add(1, Ordering::Relaxed));
            self.0.queued().connect(move |_| _ = queued.fetch_add(10, Ordering::Relaxed));
            Self(Arc::clone(&self.0), Arc::clone(&self.1))
        }
    }
    let (signal, calls) = (Arc::new(Signal::new()), Arc::new(AtomicU32::new(0)));
    let value = Connecting(Arc::clone(&signal), Arc::clone(&calls));
    signal.queued().connect(|_| {});

    signal.emit(&value);
    process_events();
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    signal.emit(&value);
    process_events();

    assert_eq!((calls.load(Ordering::Relaxed), signal.slot_count()), (11, 5));
    signal.disconnect_all();
}

/// SIG-03: each of the nested emissions sees the slots that were there when it began.
#[test]
fn nested_emissions_see_the_slots_connected_before_them() {
    let (signal, record) = (Rc::new(Signal::<i32>::new()), Record::new());
    signal.connect_to(&signal, {
        let record = record.clone();
        move |signal, depth| {
            if *depth < 3 {
                let record = record.clone();
                signal.connect(move |depth| record.add(*depth));
                signal.emit(&(depth + 1));
            }
        }
    });

    signal.emit(&1);

    // Depth 3 sees two new slots, depth 2 one, depth 1 none.
    assert_eq!(record.take(), [3, 3, 2]);
}

/// SIG-04: a slot disconnected during an emission does not run any more.
#[test]
fn slot_disconnected_during_an_emission_does_not_run() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let later = Rc::new(RefCell::new(Connection::default()));
    signal.connect_to(&later, |later, _| _ = later.borrow().disconnect());
    let slot = record.clone();
    *later.borrow_mut() = signal.connect(move |value| slot.add(*value));
    let slot = record.clone();
    signal.connect(move |value| slot.add(10 * value));

    signal.emit(&1);

    assert_eq!(record.take(), [10]);
}

/// SIG-04: a slot that disconnects itself does not disturb the others.
#[test]
fn slot_may_disconnect_itself() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let own = Rc::new(RefCell::new(Connection::default()));
    *own.borrow_mut() = signal.connect_to(&own, |own, _| _ = own.borrow().disconnect());
    let slot = record.clone();
    signal.connect(move |value| slot.add(*value));

    signal.emit(&1);
    signal.emit(&2);

    assert_eq!(record.take(), [1, 2]);
    assert_eq!(signal.slot_count(), 1);
}

/// SIG-06: the slots of a receiver that is dropped during an emission are skipped.
#[test]
fn slot_of_a_receiver_dropped_during_an_emission_is_skipped() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let receiver = Rc::new(RefCell::new(Some(Rc::new(()))));
    signal.connect_to(&receiver, |receiver, _| _ = receiver.take());
    let held = receiver.borrow().clone();
    signal.connect_to(held.as_ref().unwrap(), {
        let record = record.clone();
        move |_, value| record.add(*value)
    });
    let slot = record.clone();
    signal.connect(move |value| slot.add(10 * value));
    drop(held);

    signal.emit(&1);

    assert_eq!(record.take(), [10]);
    assert_eq!(signal.slot_count(), 2);
}

/// SIG-07: a receiver that drops itself in its slot loses its other slots.
#[test]
fn receiver_may_drop_itself() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let receiver = Rc::new(());
    let owner = Rc::new(RefCell::new(Some(Rc::clone(&receiver))));
    for name in ["first", "second"] {
        let (record, owner) = (record.clone(), Rc::clone(&owner));
        signal.connect_to(&receiver, move |_, _| {
            owner.take();
            record.add(name);
        });
    }
    drop(receiver);

    signal.emit(&1);
    signal.emit(&2);

    assert_eq!(record.take(), ["first"]);
}

/// SIG-08: the same slot connected twice runs twice.
#[test]
fn slot_connected_twice_runs_twice() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let slot = record.clone();
    let slot = Rc::new(move |value: &i32| slot.add(*value));
    let connections = [0, 1].map(|_| signal.connect_to(&slot, |slot, value| slot(value)));

    signal.emit(&1);
    assert_eq!(record.take(), [1, 1]);

    assert!(connections[0].disconnect());
    assert!(!connections[0].disconnect());
    signal.emit(&2);
    assert_eq!(record.take(), [2]);
}

/// SIG-09: a single-shot slot is disconnected before it runs.
#[test]
fn single_shot_slot_is_not_entered_again() {
    let (signal, record) = (Rc::new(Signal::<i32>::new()), Record::new());
    let (slot, again) = (record.clone(), Rc::clone(&signal));
    signal.once().connect(move |value| {
        slot.add(("single", *value));
        again.emit(&2);
    });
    let slot = record.clone();
    signal.connect(move |value| slot.add(("other", *value)));

    signal.emit(&1);

    assert_eq!(record.take(), [("single", 1), ("other", 2), ("other", 1)]);
}

/// SIG-10: queued slots run later, in the order of the emissions, whatever the signal.
#[test]
fn queued_calls_are_first_in_first_out() {
    let (one, two, record) = (Signal::<i32>::new(), Signal::<str>::new(), Record::new());
    let slot = record.clone();
    one.queued().connect(move |value| slot.add(value.to_string()));
    let slot = record.clone();
    two.queued().connect(move |text| slot.add(text.to_owned()));

    one.emit(&1);
    two.emit("two");
    one.emit(&3);

    assert_eq!(record.take(), [""; 0]);
    assert_eq!(process_events(), 3);
    assert_eq!(record.take(), ["1", "two", "3"]);
}

/// Direct slots run before queued ones, whatever the order of their connection.
#[test]
fn direct_slots_run_before_queued_ones() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let slot = record.clone();
    signal.queued().connect(move |_| slot.add("queued"));
    let slot = record.clone();
    signal.connect(move |_| slot.add("direct"));

    signal.emit(&1);
    process_events();

    assert_eq!(record.take(), ["direct", "queued"]);
}

/// SIG-11, where we differ from Qt: a queued call is not made after `disconnect`.
#[test]
fn queued_call_is_dropped_by_disconnect() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let slot = record.clone();
    let connection = signal.queued().connect(move |value| slot.add(*value));

    signal.emit(&1);
    connection.disconnect();
    process_events();

    assert_eq!(record.take(), []);
}

/// SIG-12: a queued call is not made when its receiver is gone.
#[test]
fn queued_call_is_dropped_with_its_receiver() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let receiver = Rc::new(());
    let slot = record.clone();
    thread::scope(|scope| {
        signal.connect_to(&receiver, move |_, value| slot.add(*value));
        scope.spawn(|| signal.emit(&1));
    });

    drop(receiver);
    process_events();

    assert_eq!(record.take(), []);
}

/// SIG-12: a queued call is made when its signal is gone.
#[test]
fn queued_call_outlives_its_signal() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let slot = record.clone();
    let connection = signal.queued().connect(move |value| slot.add(*value));

    signal.emit(&1);
    drop(signal);
    assert!(!connection.is_connected());
    process_events();

    assert_eq!(record.take(), [1]);
    assert_eq!(record.handles(), 1, "the slot should be dropped after its last call");
}

/// SIG-13: a blocked signal is not emitted, but queued calls still arrive.
#[test]
fn blocking_loses_emissions_but_not_queued_calls() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let slot = record.clone();
    signal.queued().connect(move |value| slot.add(*value));

    signal.emit(&1);
    let outer = signal.block();
    let inner = signal.block();
    process_events();
    signal.emit(&2);
    drop(inner);
    signal.emit(&3);
    assert!(signal.is_blocked());
    drop(outer);
    signal.emit(&4);
    process_events();

    assert_eq!(record.take(), [1, 4]);
}

/// SIG-19: a panic in a slot leaves `emit`, skips the later slots, and the next emission works.
#[test]
fn panic_in_a_slot_leaves_the_signal_usable() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    signal.connect(|value| assert_ne!(*value, 1, "the slot's own panic"));
    let slot = record.clone();
    signal.connect(move |value| slot.add(*value));

    let outcome = panic::catch_unwind(AssertUnwindSafe(|| signal.emit(&1)));
    signal.emit(&2);

    assert!(outcome.is_err());
    assert_eq!(record.take(), [2]);
}

/// A panic in a queued call leaves the calls behind it in the queue.
#[test]
fn panic_in_a_queued_call_keeps_the_later_ones() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let slot = record.clone();
    signal.queued().connect(move |value| {
        assert_ne!(*value, 1, "the slot's own panic");
        slot.add(*value);
    });
    signal.emit(&1);
    signal.emit(&2);

    let outcome = panic::catch_unwind(process_events);

    assert!(outcome.is_err());
    assert_eq!(process_events(), 1);
    assert_eq!(record.take(), [2]);
}

/// A slot may run the queue: the calls behind its own are made inside it, each once.
#[test]
fn process_events_may_be_called_in_a_queued_slot() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let slot = record.clone();
    signal.queued().connect(move |value| {
        slot.add(*value);
        if *value == 1 {
            assert_eq!(process_events(), 2);
        }
        slot.add(-value);
    });

    (1..=3).for_each(|value| signal.emit(&value));

    assert_eq!(process_events(), 1);
    assert_eq!(record.take(), [1, 2, -2, 3, -3, -1]);
}

/// What a queued slot queues is left for the next time, so that the queue comes to an end.
#[test]
fn process_events_leaves_what_is_queued_meanwhile() {
    let signal = Rc::new(Signal::<i32>::new());
    let again = Rc::clone(&signal);
    signal.queued().connect(move |value| again.emit(value));

    signal.emit(&1);

    assert_eq!(process_events(), 1);
    assert_eq!(process_events(), 1);
    signal.disconnect_all();
}
