//! Groups: the signals of one object share an allocation, and nothing else.

use std::cell::OnceCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Barrier};
use std::thread;

use slotwork_signals::host::{Position, SignalGroup, SlotCache};
use slotwork_signals::{Connection, Signal, SignalRef, SignalSpy, process_events};

use crate::support::Record;

/// An object with three signals in one group.
#[derive(Default)]
struct Object {
    signals: SignalGroup<3>,
}

impl Object {
    fn number(self: &Arc<Self>) -> SignalRef<'_, Arc<Self>, i32> {
        SignalRef::of(self, &self.signals, NUMBER)
    }

    fn text(self: &Arc<Self>) -> SignalRef<'_, Arc<Self>, str> {
        SignalRef::of(self, &self.signals, TEXT)
    }

    fn done(self: &Arc<Self>) -> SignalRef<'_, Arc<Self>, ()> {
        SignalRef::of(self, &self.signals, DONE)
    }
}

/// Slots are those of one signal: the others neither call nor count nor end them.
#[test]
fn signals_of_a_group_have_slots_of_their_own() {
    let (object, record) = (Arc::new(Object::default()), Record::new());
    let slot = record.clone();
    object.number().connect(move |_, number| slot.add(number.to_string()));
    let slot = record.clone();
    let text = object.text().connect(move |_, text| slot.add(text.to_owned()));

    object.signals.emit(NUMBER, &1);
    object.signals.emit(TEXT, "two");
    object.signals.emit(DONE, &());
    assert!(text.disconnect());
    object.signals.emit(TEXT, "three");
    object.signals.emit(NUMBER, &4);

    assert_eq!(record.take(), ["1", "two", "4"]);
    let counts = [object.number().slot_count(), object.text().slot_count()];
    assert_eq!((counts, object.done().slot_count()), ([1, 0], 0));
}

/// Slots of another thread and of this one, queued slots and direct ones work beside each other.
#[test]
fn each_signal_of_a_group_reaches_all_kinds_of_slots() -> thread::Result<()> {
    let (object, record) = (Arc::new(Object::default()), Record::new());
    let here = record.clone();
    object.number().connect(move |_, number| here.add(*number));
    let queued = record.clone();
    object.number().queued().connect(move |_, number| queued.add(10 * number));
    let next = object.text().next();
    let other = Arc::clone(&object);
    let counts = thread::spawn(move || {
        let texts = SignalSpy::new(&other.text());
        let numbers = SignalSpy::new(&other.number());
        other.signals.emit(NUMBER, &1);
        other.signals.emit(TEXT, "from there");
        (texts.values(), numbers.values(), other.number().slot_count())
    });

    let (texts, numbers, slots) = counts.join()?;
    process_events();

    assert_eq!((texts, numbers, slots), (vec!["from there".to_owned()], vec![1], 3));
    assert_eq!(record.take(), [1, 10]);
    assert_eq!(smol::block_on(next).as_deref(), Some("from there"));
    Ok(())
}

/// `finish` ends the slots of all signals behind their queued calls, and keeps the object for them.
#[test]
fn finish_ends_the_slots_of_all_signals() {
    let (object, record) = (Arc::new(Object::default()), Record::new());
    let slot = record.clone();
    object.number().queued().connect(move |_, number| slot.add(number.to_string()));
    let slot = record.clone();
    object.text().connect(move |_, text| slot.add(text.to_owned()));

    object.signals.emit(NUMBER, &1);
    object.signals.finish(&object);
    object.signals.emit(TEXT, "two");
    assert_eq!((object.number().slot_count(), Arc::strong_count(&object)), (1, 3));
    process_events();

    assert_eq!(record.take(), ["two", "1"]);
    assert_eq!((record.handles(), Arc::strong_count(&object)), (1, 1));
    assert_eq!((object.number().slot_count(), object.text().slot_count()), (0, 0));
}

/// A dropped object drops the slots of all its signals; queued calls are made before.
#[test]
fn a_dropped_group_drops_all_slots() {
    let (signals, record) = (SignalGroup::<3>::new(), Record::new());
    let sender = Arc::new(());
    let slot = record.clone();
    let number = SignalRef::of(&sender, &signals, NUMBER)
        .queued()
        .connect(move |_, number| slot.add(*number));
    let slot = record.clone();
    let done = SignalRef::of(&sender, &signals, DONE).connect(move |_, ()| slot.add(0));

    signals.emit(NUMBER, &1);
    drop(signals);
    assert!(!number.is_connected() && !done.is_connected());
    process_events();

    assert_eq!((record.take(), record.handles()), (vec![1], 1));
}

/// A slot that panics when it is dropped keeps no slot of another signal.
#[test]
fn a_panic_of_a_dropped_slot_spares_other_signals() {
    let (signals, sender, kept) = (SignalGroup::<3>::new(), Arc::new(()), Arc::new(()));
    let (loud, captured) = (Loud, Arc::clone(&kept));
    SignalRef::of(&sender, &signals, NUMBER).direct().connect(move |_, _| _ = size_of_val(&loud));
    let last = SignalRef::of(&sender, &signals, DONE)
        .direct()
        .connect(move |_, ()| _ = Arc::strong_count(&captured));

    let outcome = catch_unwind(AssertUnwindSafe(|| drop(signals)));

    assert!(outcome.is_err());
    assert_eq!((Arc::strong_count(&kept), last.is_connected()), (1, false));
}

/// It keeps no direct slot of its own signal, either.
#[test]
fn a_panic_of_a_dropped_slot_spares_direct_slots() -> thread::Result<()> {
    let (signals, kept) = (Arc::new(SignalGroup::<3>::new()), Arc::new(()));
    let other = Arc::clone(&signals);
    let first = thread::spawn(move || {
        SignalRef::of(&Arc::new(()), &other, NUMBER).connect(|_, _| {});
    });
    first.join()?;
    let (sender, loud, captured) = (Arc::new(()), Loud, Arc::clone(&kept));
    let number = SignalRef::of(&sender, &signals, NUMBER);
    number.connect(move |_, _| _ = size_of_val(&loud));
    let direct = number.direct().connect(move |_, _| _ = Arc::strong_count(&captured));

    let outcome = catch_unwind(AssertUnwindSafe(|| drop(signals)));

    assert!(outcome.is_err());
    assert_eq!((Arc::strong_count(&kept), direct.is_connected()), (1, false));
    Ok(())
}

/// Values of a type that is not the position's reach no slot.
#[test]
fn a_position_used_with_two_types_calls_nothing() {
    let (signals, sender, record) = (SignalGroup::<3>::new(), Arc::new(()), Record::new());
    let slot = record.clone();
    SignalRef::of(&sender, &signals, NUMBER).connect(move |_, number| slot.add(*number));
    let wrong = Position::<bool, 3>::new(0);

    let connection = SignalRef::of(&sender, &signals, wrong).connect(|_, _| {});
    signals.emit(wrong, &true);
    signals.emit(NUMBER, &1);

    assert!(!connection.is_connected());
    assert_eq!(record.take(), [1]);
}

/// A slot of this thread gets the handle that is lent.
///
/// One that is connected with `once`, or runs in another thread, gets a handle of its own.
#[test]
fn an_emission_lends_its_sender() -> thread::Result<()> {
    let (object, record) = (Arc::new(Object::default()), Record::new());
    let slot = record.clone();
    object.number().connect(move |sender, _| slot.add(Arc::strong_count(sender)));
    let slot = record.clone();
    object.text().once().connect(move |sender, _| slot.add(10 * Arc::strong_count(sender)));

    let (mut numbers, mut texts) = (SlotCache::new(), SlotCache::new());
    object.signals.emit(NUMBER, &1);
    object.signals.emit_from(NUMBER, &2, &object, &mut numbers);
    object.signals.emit_from(TEXT, "once", &object, &mut texts);
    object.signals.emit_from(TEXT, "twice", &object, &mut texts);
    // A handle of another type is not the sender.
    object.signals.emit_from(NUMBER, &3, &(), &mut numbers);
    let other = Arc::clone(&object);
    let emit = move || other.signals.emit_from(NUMBER, &4, &other, &mut SlotCache::new());
    thread::spawn(emit).join()?;
    process_events();

    // The queued call has kept the sender, too.
    assert_eq!(record.take(), [2, 1, 20, 2, 3]);
    assert_eq!(Arc::strong_count(&object), 1);
    Ok(())
}

/// Between emissions slots may come and go: each emission calls those that are connected then.
#[test]
fn a_cache_follows_the_slots() -> thread::Result<()> {
    let (object, record, mut cache) =
        (Arc::new(Object::default()), Record::new(), SlotCache::new());
    let mut emit = |value| object.signals.emit_from(NUMBER, &value, &object, &mut cache);
    let connect = |factor| {
        let slot = record.clone();
        object.number().connect(move |_, number| slot.add(factor * number))
    };

    emit(1);
    let first = connect(1);
    emit(2);
    emit(3);
    let second = connect(10);
    emit(4);
    assert!(first.disconnect());
    emit(5);
    let blocker = second.block();
    emit(6);
    drop(blocker);
    emit(7);
    let slot = record.clone();
    let queued = object.number().queued().connect(move |_, number| slot.add(100 * number));
    emit(8);
    process_events();
    assert!(queued.disconnect());
    emit(9);
    assert_eq!(record.take(), [2, 3, 4, 40, 50, 70, 80, 800, 90]);
    assert!(thread::spawn(move || second.disconnect()).join()?);
    emit(10);

    assert!(record.take().is_empty());
    Ok(())
}

/// Slots of another thread are reached, although they are in no list of this one.
#[test]
fn a_cache_hides_no_slot_of_another_thread() -> thread::Result<()> {
    let (object, record, mut cache) =
        (Arc::new(Object::default()), Record::new(), SlotCache::new());
    let slot = record.clone();
    object.number().connect(move |_, number| slot.add(*number));
    for number in 1..=3 {
        object.signals.emit_from(NUMBER, &number, &object, &mut cache);
    }
    let (other, begin) = (Arc::clone(&object), Arc::new(Barrier::new(2)));
    let end = Arc::clone(&begin);
    let there = thread::spawn(move || {
        let spy = SignalSpy::new(&other.number());
        begin.wait();
        begin.wait();
        process_events();
        spy.values()
    });

    end.wait();
    object.signals.emit_from(NUMBER, &4, &object, &mut cache);
    end.wait();

    assert_eq!((there.join()?, record.take()), (vec![4], vec![1, 2, 3, 4]));
    Ok(())
}

/// A slot that disconnects itself is dropped at the end of its emission, with what it has captured.
///
/// The first emission behind a connection does not use the cache, the second one fills it.
#[test]
fn a_cache_keeps_no_slot_that_has_disconnected_itself() {
    for last in 0..4 {
        let (object, record, mut cache) =
            (Arc::new(Object::default()), Record::new(), SlotCache::new());
        let (slot, own) = (record.clone(), Rc::new(OnceCell::<Connection>::new()));
        let connection = Rc::downgrade(&own);
        let connected = object.number().connect(move |_, number| {
            slot.add(*number);
            if *number == last
                && let Some(connection) = connection.upgrade()
            {
                connection.get().map(Connection::disconnect);
            }
        });
        assert!(own.set(connected).is_ok());

        for number in 0..=last {
            assert_eq!(record.handles(), 2);
            object.signals.emit_from(NUMBER, &number, &object, &mut cache);
        }
        assert_eq!(record.handles(), 1, "disconnected by emission {last}");
        object.signals.emit_from(NUMBER, &(last + 1), &object, &mut cache);

        assert_eq!(record.take(), (0..=last).collect::<Vec<_>>());
    }
}

/// What a slot drops that was disconnected between two emissions may connect, as any code may.
#[test]
fn a_slot_that_the_cache_drops_may_connect_another() {
    let (object, record, mut cache) =
        (Arc::new(Object::default()), Record::new(), SlotCache::new());
    let late = Rc::new(OnceCell::new());
    let (slot, connected, weak) = (record.clone(), Rc::clone(&late), Arc::downgrade(&object));
    let connect = OnDrop(Some(move || {
        let Some(object) = weak.upgrade() else { return };
        let connection = object.number().connect(move |object, number| {
            object.signals.emit(DONE, &());
            slot.add(*number);
        });
        assert!(connected.set(connection).is_ok());
    }));
    let first = object.number().connect(move |_, _| _ = &connect);
    object.signals.emit_from(NUMBER, &1, &object, &mut cache);
    object.signals.emit_from(NUMBER, &2, &object, &mut cache);

    assert!(first.disconnect());
    object.signals.emit_from(NUMBER, &3, &object, &mut cache);
    let blocker = late.get().map(Connection::block);
    object.signals.emit_from(NUMBER, &4, &object, &mut cache);
    drop(blocker);
    object.signals.emit_from(NUMBER, &5, &object, &mut cache);

    assert_eq!(record.take(), [3, 5]);
}

/// A cleared cache keeps no slot, whatever is disconnected behind.
#[test]
fn a_cleared_cache_keeps_no_slot() {
    let (object, record, mut cache) =
        (Arc::new(Object::default()), Record::new(), SlotCache::new());
    let slot = record.clone();
    let connection = object.number().connect(move |_, number| slot.add(*number));

    object.signals.emit_from(NUMBER, &1, &object, &mut cache);
    cache.clear();
    assert!(connection.disconnect());
    assert_eq!(record.handles(), 1);
    object.signals.emit_from(NUMBER, &2, &object, &mut cache);

    assert_eq!(record.take(), [1]);
}

/// The slots of one signal are not those of another, nor of another object.
#[test]
fn a_cache_may_be_used_for_several_signals() {
    let (objects, record) = ([(); 2].map(|()| Arc::new(Object::default())), Record::new());
    let mut cache = SlotCache::new();
    for (object, factor) in objects.iter().zip([1, 10]) {
        let slot = record.clone();
        object.number().connect(move |_, number| slot.add(factor * number));
    }

    for (object, number) in objects.iter().cycle().zip(1..=4) {
        object.signals.emit_from(NUMBER, &number, object, &mut cache);
    }

    assert_eq!(record.take(), [1, 20, 3, 40]);
}

/// A group has up to 32 signals.
#[test]
fn the_last_position_of_a_large_group_works() {
    const LAST: Position<i32, 32> = Position::new(31);
    let (signals, sender, record) = (SignalGroup::<32>::new(), Arc::new(()), Record::new());
    let slot = record.clone();
    let connection = SignalRef::of(&sender, &signals, LAST).connect(move |_, it| slot.add(*it));

    signals.emit(LAST, &1);
    let blocker = connection.block();
    signals.emit(LAST, &2);
    drop(blocker);
    signals.emit(LAST, &3);
    assert!(connection.disconnect());
    signals.emit(LAST, &4);

    assert_eq!(record.take(), [1, 3]);
}

/// A group takes as much as one signal.
#[test]
fn a_group_is_as_small_as_a_signal() {
    assert_eq!(size_of::<SignalGroup<3>>(), size_of::<Signal<i32>>());
    assert_eq!(size_of::<SignalGroup<32>>(), 16);
}

/// Makes a call when it is dropped.
struct OnDrop<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(|call| call());
    }
}

/// Panics when it is dropped.
struct Loud;

impl Drop for Loud {
    fn drop(&mut self) {
        std::panic::resume_unwind(Box::new("on purpose"));
    }
}

const NUMBER: Position<i32, 3> = Position::new(0);
const TEXT: Position<str, 3> = Position::new(1);
const DONE: Position<(), 3> = Position::new(2);
