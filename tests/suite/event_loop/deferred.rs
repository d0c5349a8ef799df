//! Deferred calls: those that outlive their poster, and those that end with an object.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use anyhow::{Result, anyhow, ensure};
use slotwork::EventLoop;

use support::in_thread;

/// Pushpin: a call that has to die with its owner, against one that has to survive it.
#[test]
fn a_deferred_call_ends_with_its_receiver_and_a_posted_one_does_not() -> Result<()> {
    let outcome = in_thread(|event_loop| {
        let (made, calls) = (Arc::new(AtomicU32::new(0)), Rc::new(Cell::new(0)));
        let (receiver, posted) = (Rc::new(()), Arc::clone(&made));
        let handle = event_loop.handle();
        handle.post(move || _ = posted.fetch_add(1, Ordering::Relaxed));
        let deferred = Rc::clone(&calls);
        event_loop.defer_to(&receiver, move |_| deferred.set(1));
        drop((receiver, handle));
        event_loop.process_events();
        (made.load(Ordering::Relaxed), calls.get(), Rc::strong_count(&calls))
    })?;

    ensure!(outcome == (1, 0, 1), "{outcome:?}");
    Ok(())
}

/// Qt: `invokeMethod` with `Qt::QueuedConnection`: what a call defers is made in a later turn.
#[test]
fn what_a_deferred_call_defers_comes_a_turn_later() -> Result<()> {
    let turns = in_thread(|event_loop| {
        let log = Rc::new(RefCell::new(Vec::new()));
        event_loop.defer_to(&log, |log| {
            log.borrow_mut().push(1);
            EventLoop::current().defer_to(log, |log| log.borrow_mut().push(3));
        });
        event_loop.defer_to(&log, |log| log.borrow_mut().push(2));
        [(); 3].map(|()| {
            event_loop.process_events();
            log.take()
        })
    })?;

    ensure!(turns == [vec![1, 2], vec![3], vec![]], "{turns:?}");
    Ok(())
}

/// Pushpin: completed calls that were never removed.
#[test]
fn calls_that_were_made_are_freed() -> Result<()> {
    let counts = in_thread(|event_loop| {
        let held = Rc::new(());
        for _ in 0..1000 {
            let held = Rc::clone(&held);
            event_loop.defer_to((), move |()| drop(held));
        }
        let before = Rc::strong_count(&held);
        event_loop.process_events();
        (before, Rc::strong_count(&held))
    })?;

    ensure!(counts == (1001, 1), "{counts:?}");
    Ok(())
}

/// A loop inside a call makes the calls behind it, each once and in order.
#[test]
fn a_loop_inside_a_call_makes_those_behind_it() -> Result<()> {
    let log = in_thread(|event_loop| {
        let log = Rc::new(RefCell::new(Vec::new()));
        event_loop.defer_to(&log, |log| {
            EventLoop::current().process_events();
            log.borrow_mut().push(4);
        });
        for number in 1..=3 {
            event_loop.defer_to(&log, move |log| log.borrow_mut().push(number));
        }
        event_loop.process_events();
        event_loop.process_events();
        log.take()
    })?;

    ensure!(log == [1, 2, 3, 4], "{log:?}");
    Ok(())
}

/// Pushpin: clean-up when the loop is gone: a call that was not made is dropped, and what it holds.
#[test]
fn calls_that_were_not_made_end_with_their_thread() -> Result<()> {
    let held = Arc::new(());
    let in_call = Arc::clone(&held);
    let thread = thread::spawn(move || {
        let event_loop = EventLoop::current();
        // It holds the loop, and is itself held by the loop.
        let own = event_loop.clone();
        event_loop.defer_to((), move |()| drop((own, in_call)));
    });

    thread.join().map_err(|_| anyhow!("the thread panicked"))?;

    ensure!(Arc::strong_count(&held) == 1);
    Ok(())
}
