//! `SignalSpy`: recording and waiting.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use slotwork_signals::{Signal, SignalRef, SignalSpy, SpyTimeout, set_waiter};

/// `QSignalSpy` records each emission.
#[test]
fn spy_records_emissions() {
    let signal = Signal::<str>::new();
    signal.emit("before");
    let spy = SignalSpy::new(&signal);

    signal.emit("one");
    signal.emit("two");

    assert_eq!(spy.count(), 2);
    assert_eq!(spy.values(), ["one", "two"]);
    assert_eq!(spy.take(), ["one", "two"]);
    assert_eq!(spy.count(), 0);
}

/// `QSignalSpy` is a list: `takeFirst`, `at`, `clear`.
#[test]
fn spy_is_used_as_a_list() {
    let signal = Signal::<str>::new();
    let spy = SignalSpy::new(&signal);
    for value in ["one", "two", "three"] {
        signal.emit(value);
    }

    assert_eq!(spy.take_first().as_deref(), Some("one"));
    assert_eq!(spy.at(1).as_deref(), Some("three"));
    assert_eq!((spy.at(2), spy.count()), (None, 2));
    spy.clear();
    assert_eq!((spy.at(0), spy.take_first(), spy.count()), (None, None, 0));
    signal.emit("four");
    assert_eq!(spy.values(), ["four"]);
}

/// The clone or drop of a value may emit the signal again, and finds a valid list.
#[test]
fn values_may_emit_when_they_are_cloned_or_dropped() {
    struct Loud(Arc<(Signal<Loud>, AtomicU32)>);

    impl Loud {
        fn shout(&self) {
            let (signal, left) = &*self.0;
            if left.swap(0, Ordering::Relaxed) > 0 {
                signal.emit(self);
            }
        }
    }

    impl Clone for Loud {
        fn clone(&self) -> Self {
            self.shout();
            Self(Arc::clone(&self.0))
        }
    }

    impl Drop for Loud {
        fn drop(&mut self) {
            self.shout();
        }
    }

    let shared = Arc::new((Signal::new(), AtomicU32::new(0)));
    let spy = SignalSpy::new(&shared.0);
    shared.0.emit(&Loud(Arc::clone(&shared)));
    assert_eq!(spy.count(), 1);

    shared.1.store(1, Ordering::Relaxed);
    drop(spy.at(0));
    assert_eq!(spy.count(), 2);
    shared.1.store(1, Ordering::Relaxed);
    spy.clear();
    assert_eq!(spy.count(), 1);
    shared.1.store(1, Ordering::Relaxed);
    drop(spy.take_first());
    assert_eq!(spy.count(), 1);
}

/// A spy watches the signals of objects, also while the sender goes away.
#[test]
fn spy_watches_signals_of_objects() {
    let (sender, signal) = (Rc::new(()), Signal::<i32>::new());
    let spy = SignalSpy::new(&SignalRef::new(&sender, &signal));

    drop(sender);
    signal.emit(&1);

    assert_eq!(spy.values(), [1]);
}

/// A spy records shared signals, and its connection has the line of the test.
#[test]
fn spy_watches_shared_signals() {
    let (local, shared) = (Rc::new(Signal::<i32>::new()), Arc::new(Signal::<str>::new()));
    let (numbers, line) = (SignalSpy::new(&local), line!());
    let texts = SignalSpy::new(&shared);

    local.emit(&1);
    shared.emit("one");

    assert_eq!((numbers.values(), texts.values()), (vec![1], vec!["one".to_owned()]));
    assert!(format!("{numbers:?}").contains(&format!("spying.rs:{line}:")), "{numbers:?}");
}

/// Dropping a spy disconnects it.
#[test]
fn spy_ends_with_its_value() {
    let signal = Signal::<i32>::new();
    drop(SignalSpy::new(&signal));

    assert_eq!(signal.slot_count(), 0);
}

/// `QSignalSpy::wait()` runs the queue until the emission of another thread has come.
#[test]
fn wait_for_sleeps_until_an_emission_elsewhere() -> Result<(), SpyTimeout> {
    let signal = Signal::<i32>::new();
    let spy = SignalSpy::new(&signal);

    thread::scope(|scope| {
        scope.spawn(|| (1..=3).for_each(|value| signal.emit(&value)));
        spy.wait_for(3)
    })?;

    assert_eq!(spy.values(), [1, 2, 3]);
    Ok(())
}

/// Other slots of the thread run while a spy waits.
#[test]
fn slots_run_while_a_spy_waits() -> Result<(), SpyTimeout> {
    let (question, answer) = (Rc::new(Signal::<i32>::new()), Rc::new(Signal::<i32>::new()));
    question.queued().connect({
        let answer = Rc::clone(&answer);
        move |value| answer.emit(&(value + 1))
    });
    let spy = SignalSpy::new(&answer);

    question.emit(&1);
    spy.wait_for(1)?;

    assert_eq!(spy.values(), [2]);
    Ok(())
}

/// The error has the number of the missing emissions.
#[test]
fn wait_for_reports_what_it_has_seen() {
    let signal = Signal::<i32>::new();
    let spy = SignalSpy::new(&signal);
    signal.emit(&1);

    let outcome = spy.wait_for_within(2, Duration::from_millis(1));

    let text = outcome.map_err(|timeout| timeout.to_string());
    assert_eq!(text, Err("1 of 2 emissions within 1ms".to_owned()));
}

/// An event loop waits in its own way.
#[test]
fn waiter_replaces_the_way_to_wait() -> Result<(), SpyTimeout> {
    let (signal, turns) = (Rc::new(Signal::<i32>::new()), Rc::new(Cell::new(0)));
    let spy = SignalSpy::new(&signal);
    let (emitter, count) = (Rc::clone(&signal), Rc::clone(&turns));
    set_waiter(move |deadline, is_done| {
        while !is_done() && Instant::now() < deadline {
            count.set(count.get() + 1);
            emitter.emit(&count.get());
        }
    });

    spy.wait_for(3)?;

    assert_eq!((turns.get(), spy.values()), (3, vec![1, 2, 3]));
    Ok(())
}

/// Qt: `QSignalSpy::wait()`: a time that the clock cannot hold is as good as for ever.
#[test]
fn wait_for_takes_any_time() -> Result<(), SpyTimeout> {
    for time in [Duration::MAX, Duration::from_secs(i64::MAX as u64)] {
        let signal = Arc::new(Signal::<i32>::new());
        let spy = SignalSpy::new(&signal);
        let emitter = thread::spawn(move || signal.emit(&1));
        spy.wait_for_within(1, time)?;
        assert!(emitter.join().is_ok());
    }
    Ok(())
}
