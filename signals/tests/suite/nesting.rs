//! Loops inside slots: however many posts there are, the stack is not used up.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use slotwork_signals::{Signal, SignalSpy, dispatch, max_nesting, process_events, set_max_nesting};

/// A way to run the queue inside a slot.
type Way = fn();

/// Qt: `processEvents()` in a slot, which ends a program when its stack is used up: 10,000 calls,
/// each of which runs those behind it, in a thread with the usual 2 MiB.
#[test]
fn slots_that_run_the_queue_do_not_use_up_the_stack() {
    let ways: [(&str, Way); 3] = [
        ("process_events", || _ = process_events()),
        ("SignalSpy", || {
            let spy = SignalSpy::new(&Signal::<()>::new());
            _ = spy.wait_for_within(1, Duration::from_micros(1));
        }),
        ("dispatch", || {
            let mut dispatch = pin!(dispatch());
            _ = dispatch.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }),
    ];
    for (name, way) in ways {
        let run = move || {
            let (signal, count) = (Signal::<()>::new(), Rc::new(Cell::new(0)));
            signal.queued().connect(move |()| _ = catch_unwind(AssertUnwindSafe(way)));
            let counter = Rc::clone(&count);
            signal.queued().connect(move |()| counter.set(counter.get() + 1));
            (0..10_000).for_each(|_| signal.emit(&()));
            process_events();
            while process_events() > 0 {}
            count.get()
        };
        let thread = thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(run).unwrap();
        assert_eq!(thread.join().unwrap(), 10_000, "{name}");
    }
}

/// The limit can be set for each thread; a refused loop does nothing, and the next one runs.
#[test]
fn loops_inside_too_many_others_are_refused() {
    let counts = thread::spawn(|| {
        set_max_nesting(1);
        let (signal, counts) = (Signal::<i32>::new(), Rc::new(Cell::new(Vec::new())));
        let noted = Rc::clone(&counts);
        signal.queued().connect(move |value| {
            let count = process_events();
            let mut all = noted.take();
            all.push((*value, count));
            noted.set(all);
        });
        (1..=3).for_each(|value| signal.emit(&value));
        process_events();
        counts.take()
    });

    assert_eq!(counts.join().unwrap(), [(2, 0), (3, 0), (1, 2)]);
    assert_eq!(max_nesting(), 100);
}

/// A spy that may not wait says so, and at once.
#[test]
fn a_spy_inside_too_many_loops_returns_an_error() {
    let outcome = thread::spawn(|| {
        set_max_nesting(0);
        let (signal, outcome) = (Signal::<()>::new(), Rc::new(Cell::new(None)));
        let noted = Rc::clone(&outcome);
        signal.queued().connect(move |()| {
            let spy = SignalSpy::new(&Signal::<()>::new());
            noted.set(spy.wait_for_within(1, Duration::MAX).err());
        });
        signal.emit(&());
        process_events();
        outcome.take().map(|timeout| timeout.to_string())
    });

    let expected = "0 of 1 emissions: too many loops run in slots to wait";
    assert_eq!(outcome.join().unwrap().as_deref(), Some(expected));
}
