//! Panics in calls of the event loop: they are reported, and end their own call alone by default.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Result, ensure};
use slotwork::signals::Signal;
use slotwork::{EventLoop, PanicPolicy};
use smol::future::yield_now;

use support::in_thread;

/// Each kind of call, and the name of it that the loop reports.
const CALLS: [(&str, fn()); 3] = [
    ("a posted call", || EventLoop::current().handle().post(complain)),
    ("a queued slot", || {
        let signal = Signal::<()>::new();
        signal.queued().connect(|()| complain());
        signal.emit(&());
    }),
    ("a task", || EventLoop::current().spawn(async { complain() }).detach()),
];

/// Pushpin: a panic during dispatch. It is reported with its place and message; the loop continues.
#[test]
fn each_panic_is_reported_and_ends_its_own_call_alone() -> Result<()> {
    let mut told = in_thread(|event_loop| {
        let told = Rc::new(RefCell::new(Vec::new()));
        event_loop.panicked().connect_to(&told, |told, event_loop, panic| {
            told.borrow_mut().push(panic.to_string());
            if told.borrow().len() == CALLS.len() {
                event_loop.quit();
            }
        });
        for (_, make) in CALLS {
            make();
        }
        event_loop.exec();
        told.take()
    })?;

    let mut expected = CALLS.map(|(place, _)| format!("{place} panicked: as the test wants"));
    told.sort();
    expected.sort();
    ensure!(told == expected, "{told:?}");
    Ok(())
}

/// With `PanicPolicy::Propagate` the panic itself leaves `exec`; the loop can be run again.
#[test]
fn a_panic_leaves_exec_when_that_is_wanted() -> Result<()> {
    let payloads = in_thread(|event_loop| {
        event_loop.set_panic_policy(PanicPolicy::Propagate);
        CALLS.map(|(_, make)| {
            make();
            let run = AssertUnwindSafe(|| event_loop.exec());
            let payload = catch_unwind(run).err();
            event_loop.handle().quit();
            (payload.and_then(|payload| payload.downcast::<&str>().ok()), event_loop.exec())
        })
    })?;

    let expected = Some(Box::new("as the test wants"));
    for (payload, code) in payloads {
        ensure!(payload == expected, "{payload:?}");
        ensure!(code == 0);
    }
    Ok(())
}

/// The calls behind a panic that leaves `exec` are not lost.
#[test]
fn calls_behind_a_panic_that_leaves_exec_are_made() -> Result<()> {
    let outcome = in_thread(|event_loop| {
        event_loop.set_panic_policy(PanicPolicy::Propagate);
        let calls = Arc::new(AtomicU32::new(0));
        let count = |calls: &Arc<AtomicU32>| {
            let calls = Arc::clone(calls);
            move || _ = calls.fetch_add(1, Ordering::Relaxed)
        };
        event_loop.handle().post(complain);
        event_loop.handle().post(count(&calls));
        let task = count(&calls);
        event_loop.spawn(async move { task() }).detach();

        let first = catch_unwind(AssertUnwindSafe(|| event_loop.exec()));
        event_loop.handle().quit();
        (first.is_err(), event_loop.exec(), calls.load(Ordering::Relaxed))
    })?;

    ensure!(outcome == (true, 0, 2), "{outcome:?}");
    Ok(())
}

/// A panic in a slot of `panicked` itself is logged, and not emitted again.
#[test]
fn a_panic_in_the_slot_that_hears_of_panics_ends_there() -> Result<()> {
    let code = in_thread(|event_loop| {
        event_loop.panicked().once().connect(|event_loop, _panic| {
            event_loop.spawn(async { EventLoop::current().exit(4) }).detach();
            complain();
        });
        event_loop.handle().post(complain);
        event_loop.exec()
    })?;

    ensure!(code == 4);
    Ok(())
}

/// The same for a slot that panics each time: it is called once for each panic of others.
#[test]
fn a_slot_that_hears_of_panics_does_not_hear_of_its_own() -> Result<()> {
    let calls = in_thread(|event_loop| {
        let calls = Rc::new(Cell::new(0));
        event_loop.panicked().connect_to(&calls, |calls, _event_loop, _panic| {
            calls.set(calls.get() + 1);
            complain();
        });
        event_loop.handle().post(complain);
        (0..10).for_each(|_| _ = event_loop.process_events());
        calls.get()
    })?;

    ensure!(calls == 1, "{calls}");
    Ok(())
}

/// A task that awaits one that panics, panics as well.
#[test]
fn a_task_that_awaits_a_panicking_one_panics_too() -> Result<()> {
    let told = in_thread(|event_loop| {
        let told = Rc::new(RefCell::new(Vec::new()));
        event_loop.panicked().connect_to(&told, |told, _event_loop, panic| {
            told.borrow_mut().push(panic.message().to_owned());
        });
        let awaited = event_loop.spawn(async { complain() });
        event_loop.spawn(awaited).detach();
        event_loop.run_until(async {
            while told.borrow().len() < 2 {
                yield_now().await;
            }
        });
        told.take()
    })?;

    ensure!(told == ["as the test wants"; 2], "{told:?}");
    Ok(())
}

fn complain() {
    resume_unwind(Box::new("as the test wants"))
}
