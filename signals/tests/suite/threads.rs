//! Signals that are emitted, connected and dropped by several threads.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use slotwork_signals::{Scope, Signal, process_events};

use crate::support::Record;

/// SIG-16, SIG-18: emitted elsewhere, the slot runs in its own thread's queue.
#[test]
fn slot_runs_in_its_own_thread() {
    let (signal, record) = (Signal::<str>::new(), Record::new());
    let slot = record.clone();
    signal.connect(move |text| slot.add((thread::current().id(), text.to_owned())));

    thread::scope(|scope| {
        scope.spawn(|| signal.emit("hello"));
    });
    assert_eq!(record.take(), []);
    assert_eq!(process_events(), 1);

    assert_eq!(record.take(), [(thread::current().id(), "hello".to_owned())]);
}

/// `finish`: what was emitted before reaches the slots of other threads, which then are dropped.
#[test]
fn finish_disconnects_behind_queued_calls() {
    let (signal, received) = (Signal::<i32>::new(), Rc::new(Cell::new(0)));
    let slot = Rc::clone(&received);
    signal.connect(move |number| slot.set(*number));

    thread::scope(|scope| {
        scope.spawn(|| {
            signal.emit(&1);
            signal.finish(&());
        });
    });
    process_events();
    signal.emit(&2);

    assert_eq!(received.get(), 1);
    assert_eq!(signal.slot_count(), 0);
    assert_eq!(Rc::strong_count(&received), 1, "the slot was not dropped");
}

/// SIG-16: a direct connection runs on the emitting thread.
#[test]
fn direct_slot_runs_on_the_emitting_thread() {
    let (signal, threads) = (Signal::<()>::new(), Arc::new(Mutex::new(Vec::new())));
    let slot = Arc::clone(&threads);
    signal.direct().connect(move |()| slot.lock().unwrap().push(thread::current().id()));

    let other = thread::scope(|scope| {
        let emitter = scope.spawn(|| {
            signal.emit(&());
            thread::current().id()
        });
        emitter.join().unwrap()
    });

    assert_eq!(*threads.lock().unwrap(), [other]);
}

/// SIG-10: the value is copied once for each receiving thread, not at all for direct slots.
#[test]
fn value_is_copied_once_per_thread() {
    struct Counted(Arc<AtomicUsize>);
    impl Clone for Counted {
        fn clone(&self) -> Self {
            self.0.fetch_add(1, Ordering::Relaxed);
            Self(Arc::clone(&self.0))
        }
    }
    let (signal, copies) = (Signal::<Counted>::new(), Arc::new(AtomicUsize::new(0)));
    let record = Record::new();
    for _ in 0..3 {
        let slot = record.clone();
        signal.connect(move |_| slot.add(()));
    }

    signal.emit(&Counted(Arc::clone(&copies)));
    assert_eq!((record.take().len(), copies.load(Ordering::Relaxed)), (3, 0));

    thread::scope(|scope| {
        scope.spawn(|| signal.emit(&Counted(Arc::clone(&copies))));
    });
    assert_eq!(process_events(), 1);
    assert_eq!((record.take().len(), copies.load(Ordering::Relaxed)), (3, 1));
}

/// A slot that is connected after an emission elsewhere does not get that emission.
#[test]
fn slot_connected_before_delivery_is_not_called() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let slot = record.clone();
    signal.connect(move |value| slot.add(("before", *value)));
    thread::scope(|scope| {
        scope.spawn(|| signal.emit(&1));
    });

    let slot = record.clone();
    signal.connect(move |value| slot.add(("after", *value)));
    process_events();

    assert_eq!(record.take(), [("before", 1)]);
}

/// A slot of `local()` is not reached from other threads, and asks nothing of the value.
#[test]
fn local_slot_is_reached_from_its_thread_only() {
    let (signal, record) = (Signal::<Mutex<i32>>::new(), Record::new());
    let slot = record.clone();
    signal.local().connect(move |value| slot.add(*value.lock().unwrap()));

    thread::scope(|scope| {
        scope.spawn(|| signal.emit(&Mutex::new(1)));
    });
    signal.emit(&Mutex::new(2));

    assert_eq!(process_events(), 0);
    assert_eq!(record.take(), [2]);
}

/// A value that cannot be sent still has slots.
#[test]
fn value_may_stay_in_its_thread() {
    let (signal, record) = (Signal::<Rc<i32>>::new(), Record::new());
    let slot = record.clone();
    signal.local().connect(move |value| slot.add(Rc::clone(value)));

    signal.emit(&Rc::new(3));

    assert_eq!(*record.take()[0], 3);
}

/// The slots of several threads each get the emission, in their own order.
#[test]
fn every_thread_gets_the_emission() {
    let signal = Signal::<i32>::new();
    let (ready, is_ready) = mpsc::channel();
    let seen = thread::scope(|scope| {
        let receivers = [0; 3].map(|_| {
            let (ready, signal) = (ready.clone(), &signal);
            let (go, went) = mpsc::channel();
            let receiver = scope.spawn(move || {
                let record = Record::new();
                let slot = record.clone();
                signal.connect(move |value| slot.add(*value));
                ready.send(()).unwrap();
                went.recv().unwrap();
                process_events();
                record.take()
            });
            (go, receiver)
        });
        (0..3).for_each(|_| is_ready.recv().unwrap());

        assert_eq!(signal.slot_count(), 3);
        (1..=3).for_each(|value| signal.emit(&value));

        receivers.map(|(go, receiver)| {
            go.send(()).unwrap();
            receiver.join().unwrap()
        })
    });

    assert_eq!(seen, [[1, 2, 3]; 3]);
    signal.emit(&4);
    assert_eq!(signal.slot_count(), 0);
}

/// Disconnected from another thread, a slot does not run any more and is dropped in its own.
#[test]
fn disconnect_elsewhere_takes_effect_at_once() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let slot = record.clone();
    let connection = signal.connect(move |value| slot.add(*value));

    thread::scope(|scope| {
        scope.spawn(|| connection.disconnect());
    });
    signal.emit(&1);
    assert_eq!((record.take(), record.handles()), (vec![], 2));

    process_events();
    assert_eq!((signal.slot_count(), record.handles()), (0, 1));
}

/// All slots disconnected from another thread.
#[test]
fn disconnect_all_elsewhere_takes_effect_at_once() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let slot = record.clone();
    let connection = signal.connect(move |value| slot.add(*value));
    signal.queued().connect(|_| {});

    thread::scope(|scope| {
        scope.spawn(|| signal.disconnect_all());
    });
    assert!(!connection.is_connected());
    assert_eq!(signal.slot_count(), 0);
    signal.emit(&1);
    process_events();

    assert_eq!((record.take(), record.handles()), (vec![], 1));
}

/// A slot gets its pending calls after its signal was dropped elsewhere, and is then dropped.
#[test]
fn signal_dropped_elsewhere_delivers_first() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let slot = record.clone();
    let connection = signal.connect(move |value| slot.add(*value));

    thread::spawn(move || signal.emit(&1)).join().unwrap();
    assert!(!connection.is_connected());
    process_events();

    assert_eq!((record.take(), record.handles()), (vec![1], 1));
}

/// What other threads disconnected is dropped without running the queue, when slots are connected.
#[test]
fn disconnected_slots_do_not_pile_up_without_a_loop() {
    let record = Record::<()>::new();
    for _ in 0..100 {
        let signal = Signal::<i32>::new();
        let slot = record.clone();
        signal.connect(move |_| slot.add(()));
        thread::spawn(move || drop(signal)).join().unwrap();
    }

    assert!(record.handles() <= 3, "{} slots are kept", record.handles() - 1);
}

/// SIG-18: slots of a thread that has ended get nothing, and are not counted.
#[test]
fn ended_thread_gets_nothing() {
    let signal = Arc::new(Signal::<i32>::new());
    let there = Arc::clone(&signal);
    let connection = thread::spawn(move || there.connect(|_| unreachable!())).join().unwrap();

    signal.emit(&1);

    assert!(!connection.is_connected());
    assert_eq!(signal.slot_count(), 0);
    assert!(!connection.disconnect());
}

/// A thread's slots may use signals while the thread ends.
#[test]
fn slots_may_use_signals_at_thread_exit() {
    struct Chatty(Arc<Signal<i32>>);
    impl Drop for Chatty {
        fn drop(&mut self) {
            self.0.emit(&1);
            self.0.connect(|_| {});
            self.0.queued().connect(|_| {}).disconnect();
            Signal::<i32>::new().connect(|_| {});
            process_events();
        }
    }
    thread_local! {
        static KEPT: RefCell<Vec<Chatty>> = const { RefCell::new(Vec::new()) };
    }
    let signal = Arc::new(Signal::<i32>::new());
    let there = Arc::clone(&signal);
    let ended = thread::spawn(move || {
        KEPT.with_borrow_mut(|kept| kept.push(Chatty(Arc::clone(&there))));
        let chatty = Chatty(Arc::clone(&there));
        there.connect(move |_| assert_eq!(Arc::strong_count(&chatty.0), 0, "never called"));
        let chatty = Chatty(Arc::clone(&there));
        there
            .queued()
            .connect(move |_| assert_eq!(Arc::strong_count(&chatty.0), 0, "never called"));
        KEPT.with_borrow_mut(|kept| kept.push(Chatty(there)));
    });

    assert!(ended.join().is_ok());
    assert_eq!(signal.slot_count(), 0);
}

/// What needs no thread works at a thread's very end too, also on a signal that is new.
#[test]
fn signal_may_be_used_first_at_thread_exit() {
    struct Late(Arc<Signal<i32>>, Arc<Signal<i32>>, Arc<AtomicUsize>);
    impl Drop for Late {
        fn drop(&mut self) {
            std::mem::forget(self.0.block());
            let calls = Arc::clone(&self.2);
            self.1.direct().connect(move |_| _ = calls.fetch_add(1, Ordering::Relaxed));
        }
    }
    thread_local! {
        static KEPT: RefCell<Vec<Late>> = const { RefCell::new(Vec::new()) };
    }
    for connects_first in [true, false] {
        let [blocked, direct] = [(); 2].map(|()| Arc::new(Signal::<i32>::new()));
        let calls = Arc::new(AtomicUsize::new(0));
        let late = Late(Arc::clone(&blocked), Arc::clone(&direct), Arc::clone(&calls));
        let ended = thread::spawn(move || {
            if connects_first {
                Signal::<i32>::new().connect(|_| {});
            }
            KEPT.with_borrow_mut(|kept| kept.push(late));
            Signal::<i32>::new().connect(|_| {});
        });
        assert!(ended.join().is_ok());
        let record = Record::new();
        for signal in [&blocked, &direct] {
            let slot = record.clone();
            signal.connect(move |value| slot.add(*value));
        }

        blocked.emit(&1);
        direct.emit(&2);

        assert_eq!((record.take(), calls.load(Ordering::Relaxed)), (vec![2], 1));
        assert!(blocked.is_blocked());
        assert_eq!(direct.slot_count(), 2);
    }
}

/// Emitting, connecting and disconnecting at once from several threads loses no call.
#[test]
fn threads_may_emit_and_connect_at_once() {
    const EMISSIONS: usize = 200;
    let (signal, calls) = (Signal::<usize>::new(), AtomicUsize::new(0));
    let record = Record::new();
    let slot = record.clone();
    signal.connect(move |value| slot.add(*value));

    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..EMISSIONS).for_each(|value| signal.emit(&value)));
            scope.spawn(|| {
                for _ in 0..EMISSIONS {
                    let connection = signal.connect(|_| {});
                    calls.fetch_add(process_events(), Ordering::Relaxed);
                    connection.disconnect();
                }
            });
        }
    });
    process_events();

    assert_eq!(record.take().len(), 2 * EMISSIONS);
    assert_eq!(signal.slot_count(), 1);
}

/// Signals that are dropped, cleared and awaited while other threads emit them.
#[test]
fn threads_may_drop_and_clear_signals_at_once() {
    const ROUNDS: i32 = 50;
    let handles = Record::<()>::new();
    for _ in 0..ROUNDS {
        let signal = Arc::new(Signal::<i32>::new());
        let slot = handles.clone();
        signal.connect(move |_| slot.add(()));
        let emitter = Arc::clone(&signal);
        let emitting = thread::spawn(move || (0..20).for_each(|value| emitter.emit(&value)));
        let clearer = Arc::clone(&signal);
        let clearing = thread::spawn(move || {
            let next = clearer.next();
            clearer.connect(|_| {});
            clearer.disconnect_all();
            drop(clearer);
            smol::block_on(next)
        });

        process_events();
        drop(signal);
        emitting.join().unwrap();
        clearing.join().unwrap();
    }
    process_events();

    assert_eq!(handles.handles(), 1);
}

/// A signal may be a static.
#[test]
fn signal_may_be_a_static() {
    static CHANGED: Signal<i32> = Signal::new();
    let record = Record::new();
    let slot = record.clone();
    let _connection = CHANGED.connect(move |value| slot.add(*value)).scoped();

    CHANGED.emit(&1);

    assert_eq!(record.take(), [1]);
}

/// `Signal<T>` is shared between threads when `T` may be sent, and never asks for more.
#[test]
fn signal_is_shared_when_its_value_may_be_sent() {
    fn shared<S: Send + Sync>(_: &S) {}
    shared(&Signal::<str>::new());
    shared(&Signal::<[u8]>::new());
    shared(&Signal::<Cell<i32>>::new());
}

/// What ends or blocks connections may be kept, and used, by any thread.
#[test]
fn connections_are_held_by_any_thread() {
    fn shared<S: Send + Sync>(_: &S) {}
    let signal = Signal::<i32>::new();
    let connection = signal.connect(|_| {});

    shared(&(Scope::new(), connection.block(), signal.block()));
    shared(&(connection.clone().scoped(), connection));
}
