//! Receivers: what slots work on, held weakly.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use slotwork_signals::{Receiver, Signal, SignalRef, WeakReceiver, process_events};

use crate::support::Record;

/// SIG-15: the slot is not called when its receiver is gone, and disconnected by the attempt.
#[test]
fn slot_vanishes_with_its_receiver() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let receiver = Rc::new(5);
    let slot = record.clone();
    let connection = signal.connect_to(&receiver, move |five, value| slot.add(**five + value));

    signal.emit(&1);
    drop(receiver);
    signal.emit(&2);

    assert_eq!(record.take(), [6]);
    assert!(!connection.is_connected());
    assert_eq!(record.handles(), 1);
}

/// Trait objects and shared pointers are receivers.
#[test]
fn any_pointer_may_be_a_receiver() {
    trait Sink {
        fn put(&self, value: i32);
    }
    impl Sink for Cell<i32> {
        fn put(&self, value: i32) {
            self.set(self.get() + value);
        }
    }
    let signal = Signal::<i32>::new();
    let plain = Rc::new(Cell::new(0));
    let object: Rc<dyn Sink> = plain.clone();
    let shared = Arc::new(AtomicI32::new(0));
    signal.connect_to(&object, |sink, value| sink.put(*value));
    signal.connect_to(&shared, |sum, value| sum.store(10 * value, Ordering::Relaxed));

    signal.emit(&2);

    assert_eq!((plain.get(), shared.load(Ordering::Relaxed)), (2, 20));
}

/// Up to four receivers: the slot is gone with the first of them.
#[test]
fn several_receivers_share_a_slot() {
    let signal = Signal::<i32>::new();
    let [a, b, c, d] = [0; 4].map(|zero| Rc::new(Cell::new(zero)));
    signal.connect_to((&a, &b), |(a, b), value| a.set(b.get() + value));
    signal.connect_to((&a, &b, &c), |(a, b, c), value| c.set(a.get() + b.get() + value));
    signal.connect_to((&a, &b, &c, &d), |(_, _, c, d), value| d.set(c.get() + value));

    signal.emit(&1);
    assert_eq!([a.get(), b.get(), c.get(), d.get()], [1, 0, 2, 3]);

    drop(c);
    assert_eq!(signal.slot_count(), 1);
}

/// The slot of a sender that is gone is skipped, even if the signal is still emitted.
#[test]
fn slot_is_skipped_when_its_sender_is_gone() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let sender = Rc::new(());
    let slot = record.clone();
    SignalRef::new(&sender, &signal).connect(move |_, value| slot.add(*value));

    drop(sender);
    signal.emit(&1);

    assert_eq!(record.take(), []);
    assert_eq!(signal.slot_count(), 0);
}

/// SIG-05: when a queued slot drops the sender, the other slots of that emission are still called.
#[test]
fn later_queued_slots_run_though_a_slot_drops_the_sender() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let (sender, owner) = (Rc::new(()), Rc::new(RefCell::new(None)));
    for name in ["first", "second"] {
        let (slot, owner) = (record.clone(), Rc::clone(&owner));
        SignalRef::new(&sender, &signal).queued().connect(move |_, _| {
            owner.take();
            slot.add(name);
        });
    }
    owner.replace(Some(sender));

    signal.emit(&1);
    process_events();

    assert_eq!(record.take(), ["first", "second"]);
}

/// Slots of dropped receivers do not accumulate without emissions.
#[test]
fn slots_without_receivers_are_swept() {
    let (signal, record) = (Signal::<i32>::new(), Record::<()>::new());
    for _ in 0..1000 {
        let slot = record.clone();
        signal.connect_to(&Rc::new(()), move |_, _| slot.add(()));
    }

    assert!(record.handles() < 40, "{} slots are kept", record.handles() - 1);
}

/// The receiver may be dropped inside its slot: it lives until the slot returns.
#[test]
fn receiver_lives_while_its_slot_runs() {
    struct Receiver(Cell<bool>);
    impl Drop for Receiver {
        fn drop(&mut self) {
            assert!(self.0.get(), "dropped while its slot was running");
        }
    }
    let signal = Signal::<()>::new();
    let receiver = Rc::new(Receiver(Cell::new(false)));
    let owner = Cell::new(Some(Rc::clone(&receiver)));
    signal.connect_to(&receiver, move |receiver, ()| {
        owner.take();
        receiver.0.set(true);
    });
    drop(receiver);

    signal.emit(&());

    assert_eq!(signal.slot_count(), 0);
}

/// A receiver may drop the signal when it is looked for, and make another one in its place.
#[test]
fn looking_for_a_receiver_may_replace_the_signal() {
    struct Replacing {
        signal: Arc<Mutex<Option<Signal<i32>>>>,
        other: Rc<Signal<i32>>,
        record: Record<i32>,
    }
    impl Receiver for Replacing {
        type Strong = ();
        type Weak = Self;

        fn downgrade(self) -> Self {
            self
        }
    }
    impl WeakReceiver for Replacing {
        type Strong = ();

        fn upgrade(&self) -> Option<()> {
            let signal = self.signal.lock().unwrap().take();
            if signal.is_some() {
                drop(signal);
                let slot = self.record.clone();
                self.other.connect(move |value| slot.add(*value));
            }
            Some(())
        }
    }
    let (signal, other) = (Arc::new(Mutex::new(Some(Signal::new()))), Rc::new(Signal::new()));
    let record = Record::new();
    let (ended, replacing) = (Arc::clone(&signal), Arc::clone(&signal));
    let receiver =
        Replacing { signal: replacing, other: Rc::clone(&other), record: record.clone() };
    signal.lock().unwrap().as_ref().unwrap().connect_to(receiver, |(), _| {});
    thread::scope(|scope| {
        scope.spawn(|| ended.lock().unwrap().as_ref().unwrap().disconnect_all());
    });

    process_events();
    other.emit(&1);

    assert!(signal.lock().unwrap().is_none());
    assert_eq!((record.take(), other.slot_count()), (vec![1], 1));
}
