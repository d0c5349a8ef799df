//! Connections: disconnecting, blocking, and when slots are dropped.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use slotwork_signals::{Connection, Scope, ScopedConnection, Signal, SignalRef, process_events};

use crate::support::Record;

/// `QObject::disconnect(connection)` is true for the first call only.
#[test]
fn disconnect_returns_whether_it_was_connected() {
    let signal = Signal::<i32>::new();
    let connection = signal.connect(|_| {});

    assert!(connection.is_connected());
    assert!(connection.disconnect());
    assert!(!connection.disconnect());
    assert!(!connection.is_connected());
    assert!(!Connection::default().disconnect());
}

/// A connection may be dropped; the slot stays.
#[test]
fn dropping_a_connection_keeps_the_slot() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let slot = record.clone();
    drop(signal.connect(move |value| slot.add(*value)));

    signal.emit(&1);

    assert_eq!(record.take(), [1]);
}

/// A slot is dropped when it is disconnected, and all slots with their signal.
#[test]
fn slots_are_dropped_at_once() {
    let (signal, record) = (Signal::<i32>::new(), Record::<()>::new());
    let (one, two) = (record.clone(), record.clone());
    let connection = signal.connect(move |_| one.add(()));
    let kept = signal.connect(move |_| two.add(()));
    let shared = Arc::new(());
    let direct = Arc::clone(&shared);
    let direct = signal.direct().connect(move |_| assert_eq!(*direct, ()));
    assert_eq!((record.handles(), Arc::strong_count(&shared)), (3, 2));

    connection.disconnect();
    assert_eq!(record.handles(), 2);

    drop(signal);
    assert_eq!((record.handles(), Arc::strong_count(&shared)), (1, 1));
    assert!(!kept.is_connected());
    assert!(!direct.is_connected());
}

/// A slot that is disconnected while it runs is dropped when the emission is over.
#[test]
fn running_slot_is_dropped_after_the_emission() {
    let (signal, record) = (Rc::new(Signal::<i32>::new()), Record::new());
    let slot = record.clone();
    signal.connect_to(&signal, move |signal, value| {
        signal.disconnect_all();
        slot.add(*value);
    });

    signal.emit(&1);

    assert_eq!(record.take(), [1]);
    assert_eq!(record.handles(), 1);
}

/// `disconnect_all` ends every kind of slot, and calls that are queued.
#[test]
fn disconnect_all_ends_every_slot() {
    let (signal, record) = (Signal::<i32>::new(), Record::<()>::new());
    for _ in 0..2 {
        let slot = record.clone();
        signal.connect(move |_| slot.add(()));
        let slot = record.clone();
        signal.queued().connect(move |_| slot.add(()));
        signal.direct().connect(|_| {});
    }
    assert_eq!(signal.slot_count(), 6);
    signal.emit(&1);
    record.take();

    signal.disconnect_all();

    assert_eq!(signal.slot_count(), 0);
    signal.emit(&2);
    process_events();
    assert_eq!(record.take(), []);
    assert_eq!(record.handles(), 1);
}

/// Slots may be connected again after `disconnect_all`.
#[test]
fn signal_is_usable_after_disconnect_all() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let before = signal.connect(|_| {});
    signal.disconnect_all();
    let slot = record.clone();
    let after = signal.connect(move |value| slot.add(*value));

    signal.emit(&1);

    assert_eq!(record.take(), [1]);
    assert!(!before.is_connected());
    assert!(after.is_connected());
    assert_eq!(signal.slot_count(), 1);
}

/// A blocked connection skips its slot only; blockers nest.
#[test]
fn blocked_connection_skips_its_slot() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let slot = record.clone();
    let connection = signal.connect(move |value| slot.add(*value));
    let slot = record.clone();
    signal.connect(move |value| slot.add(10 * value));

    let outer = connection.block();
    let inner = connection.block();
    signal.emit(&1);
    drop(outer);
    signal.emit(&2);
    assert!(connection.is_blocked());
    drop(inner);
    signal.emit(&3);

    assert_eq!(record.take(), [10, 20, 3, 30]);
}

/// A slot of `connect_mut` that would be entered twice panics, and works again afterwards.
#[test]
fn connect_mut_panics_when_entered_twice() {
    let (signal, record) = (Rc::new(Signal::<i32>::new()), Record::new());
    let (slot, again) = (record.clone(), Rc::downgrade(&signal));
    let mut calls = 0;
    signal.connect_mut(move |value| {
        calls += 1;
        if *value == 0 {
            again.upgrade().unwrap().emit(value);
        }
        slot.add(calls);
    });

    let outcome = panic::catch_unwind(AssertUnwindSafe(|| signal.emit(&0)));
    let text = *outcome.unwrap_err().downcast::<String>().unwrap();
    signal.emit(&1);

    assert!(text.contains("connect_mut"), "{text}");
    assert!(text.contains("connections.rs"), "{text}");
    assert_eq!(record.take(), [2]);
}

/// Slots that disconnect many others, in the middle of an emission.
#[test]
fn many_slots_are_disconnected_in_any_order() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let connections: Vec<_> = (0..100)
        .map(|number| {
            let slot = record.clone();
            signal.connect(move |_| slot.add(number))
        })
        .collect();

    for connection in connections.iter().step_by(2).rev() {
        connection.disconnect();
    }
    signal.emit(&1);

    let odd: Vec<_> = (0..100).filter(|number| number % 2 == 1).collect();
    assert_eq!(record.take(), odd);
    assert_eq!(signal.slot_count(), 50);
}

/// The debug text has the line in which the connection was made.
#[test]
fn debug_shows_the_place_of_the_connection() {
    let signal = Signal::<i32>::new();
    let connection = signal.once().connect(|_| {});

    assert!(format!("{connection:?}").contains("connections.rs"), "{connection:?}");
}

/// A slot may connect, emit and drop signals while it is dropped.
#[test]
fn drop_of_a_slot_may_use_signals() {
    struct Chatty(Rc<Signal<i32>>, Rc<Cell<i32>>);
    impl Drop for Chatty {
        fn drop(&mut self) {
            let count = Rc::clone(&self.1);
            self.0.connect(move |value| count.set(count.get() + value));
            self.0.emit(&1);
        }
    }
    let (signal, count) = (Rc::new(Signal::<i32>::new()), Rc::new(Cell::new(0)));
    let chatty = Chatty(Rc::clone(&signal), Rc::clone(&count));
    let connection = signal.connect(move |_| _ = chatty.1.get());

    connection.disconnect();

    assert_eq!(count.get(), 1);
    signal.disconnect_all();
}

/// What the drop of a slot connects during `disconnect_all` stays connected.
#[test]
fn disconnect_all_leaves_what_is_connected_meanwhile() {
    struct Reconnects(Rc<Signal<i32>>);
    impl Drop for Reconnects {
        fn drop(&mut self) {
            self.0.connect(|_| {});
            self.0.direct().connect(|_| {});
        }
    }
    let signal = Rc::new(Signal::<i32>::new());
    let guard = Reconnects(Rc::clone(&signal));
    signal.connect(move |_| assert!(!guard.0.is_blocked()));
    signal.direct().connect(|_| {});

    signal.disconnect_all();

    assert_eq!(signal.slot_count(), 2);
}

/// Slots that are connected after `disconnect_all` are counted as those before it.
#[test]
fn slots_behind_disconnect_all_are_counted() {
    let signal = Signal::<i32>::new();
    signal.connect(|_| {});
    signal.disconnect_all();

    signal.once().connect(|_| {});
    let receiver = Rc::new(());
    signal.connect_to(&receiver, |_, _| {});
    assert_eq!(signal.slot_count(), 2);
    signal.emit(&1);
    assert_eq!(signal.slot_count(), 1);
    drop(receiver);
    signal.emit(&2);

    assert_eq!(signal.slot_count(), 0);
}

/// A slot that another thread has disconnected is not called, also when its last handle is gone.
#[test]
fn slot_that_another_thread_disconnected_is_not_called() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let slot = record.clone();
    let connection = signal.connect(move |value| slot.add(*value));
    let there = connection.clone();

    thread::spawn(move || assert!(there.disconnect())).join().unwrap();
    drop(connection);
    signal.emit(&1);

    assert_eq!(record.take(), []);
    assert_eq!(signal.slot_count(), 0);
}

/// A scoped connection ends with its value, unless it is released.
#[test]
fn scoped_connection_ends_with_its_value() {
    let signal = Signal::<i32>::new();
    let scoped = signal.connect(|_| {}).scoped();
    let converted = ScopedConnection::from(signal.connect(|_| {}));
    let released = signal.connect(|_| {}).scoped().release();
    assert!(scoped.is_connected() && converted.is_connected());

    drop((scoped, converted));

    assert_eq!(signal.slot_count(), 1);
    assert!(released.is_connected());
}

/// A scope ends all its connections, whatever the type of their signals.
#[test]
fn scope_ends_its_connections() {
    let (one, two) = (Signal::<i32>::new(), Signal::<str>::new());
    let mut scope = Scope::new();
    scope.add(one.connect(|_| {}));
    scope.extend([two.connect(|_| {}), two.once().connect(|_| {})]);

    scope.clear();
    assert_eq!(one.slot_count() + two.slot_count(), 0);

    scope.add(one.connect(|_| {}));
    drop(scope);
    assert_eq!(one.slot_count(), 0);
}

/// A scope that lives long forgets the connections that have ended.
#[test]
fn scope_forgets_ended_connections() {
    let (signal, scope) = (Signal::<i32>::new(), Scope::new());
    for _ in 0..1000 {
        scope.add(signal.once().connect(|_| {}));
        signal.emit(&1);
    }

    assert!(format!("{scope:?}").matches("Connection").count() < 40);
}

/// Qt: a signal connected to a signal emits it; the other one is held weakly.
#[test]
fn forwarded_signal_is_emitted_too() {
    let (signal, other, record) = (Signal::<str>::new(), Arc::new(Signal::new()), Record::new());
    signal.forward_to(&other);
    let slot = record.clone();
    other.connect(move |text: &str| slot.add(text.to_owned()));

    signal.emit("hello");
    drop(other);
    signal.emit("not received");

    assert_eq!(record.take(), ["hello"]);
    assert_eq!(signal.slot_count(), 0);
}

/// Qt: a signal of an object connected to a signal, which is held weakly.
#[test]
fn forwarded_signal_of_an_object_is_emitted_too() {
    let (sender, signal) = (Rc::new(()), Signal::<i32>::new());
    let (other, record) = (Arc::new(Signal::new()), Record::new());
    let connection = SignalRef::new(&sender, &signal).forward_to(&other);
    let slot = record.clone();
    other.connect(move |value| slot.add(*value));

    signal.emit(&1);
    drop(other);
    signal.emit(&2);

    assert_eq!(record.take(), [1]);
    assert!(!connection.is_connected());
}

/// A slot without connection handles is no longer blocked, and can be disconnected.
#[test]
fn connection_may_be_given_up_at_any_time() {
    let (signal, record) = (Rc::new(Signal::<i32>::new()), Record::new());
    let held: Rc<RefCell<Vec<Connection>>> = Rc::default();
    for number in 0..3 {
        let slot = record.clone();
        let connection = signal.connect(move |value| slot.add(10 * value + number));
        let blocker = connection.block();
        drop(connection);
        signal.emit(&0);
        drop(blocker);
    }
    let given_up = Rc::clone(&held);
    held.borrow_mut().push(signal.connect(move |_| drop(given_up.take())));
    let slot = record.clone();
    held.borrow_mut().push(signal.connect(move |value| slot.add(10 * value + 4)));
    record.take();

    signal.emit(&1);
    signal.emit(&2);
    signal.disconnect_all();
    signal.emit(&3);

    assert_eq!(record.take(), [10, 11, 12, 14, 20, 21, 22, 24]);
    assert_eq!((record.handles(), Rc::strong_count(&held)), (1, 1));
}

/// A slot can be ended in both threads after another thread dropped the last handle.
#[test]
fn connection_may_be_given_up_in_another_thread() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    for _ in 0..3 {
        let slot = record.clone();
        let connection = signal.connect(move |value| slot.add(*value));
        thread::scope(|scope| _ = scope.spawn(move || drop(connection.block())));
    }

    signal.emit(&1);
    assert_eq!(record.take(), [1, 1, 1]);
    thread::scope(|scope| _ = scope.spawn(|| signal.disconnect_all()));
    signal.emit(&2);

    assert_eq!((record.take(), signal.slot_count()), (vec![], 0));
}

/// `QSignalBlocker`: a signal may be blocked before it is connected, by any thread.
#[test]
fn signal_is_blocked_before_its_first_connection() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let blocker = thread::scope(|scope| scope.spawn(|| signal.block()).join().unwrap());
    let slot = record.clone();
    signal.connect(move |value| slot.add(*value));

    signal.emit(&1);
    assert!(signal.is_blocked());
    drop(blocker);
    signal.emit(&2);

    assert_eq!((record.take(), signal.is_blocked()), (vec![2], false));
}

/// A signal is small, and costs nothing before it is used.
#[test]
fn signal_is_small() {
    assert!(size_of::<Signal<str>>() <= 16, "{} bytes", size_of::<Signal<str>>());
    assert_eq!(size_of::<Connection>(), 8);
}
