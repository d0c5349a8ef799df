//! The virtual clock: what it moves, in which order, and when it moves by itself.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use slotwork::signals::{Signal, SignalSpy};
use slotwork::testing::VirtualClock;
use slotwork::{EventLoop, Timer};

const HOUR: Duration = Duration::from_secs(3600);

/// Each deadline passes at its own instant, and what it causes comes before the next one.
#[test]
fn deadlines_pass_in_their_order() {
    let clock = Rc::new(VirtualClock::install());
    let seen = Rc::new(RefCell::new(Vec::new()));
    for hours in [3, 1, 2] {
        let (seen, clock) = (Rc::clone(&seen), Rc::clone(&clock));
        Timer::single_shot(hours * HOUR, move || {
            seen.borrow_mut().push(clock.elapsed());
            let seen = Rc::clone(&seen);
            EventLoop::current().defer_to((), move |()| seen.borrow_mut().push(Duration::ZERO));
        });
    }

    clock.advance(3 * HOUR);

    let zero = Duration::ZERO;
    assert_eq!(*seen.borrow(), [HOUR, zero, 2 * HOUR, zero, 3 * HOUR, zero]);
    assert_eq!(clock.elapsed(), 3 * HOUR);
}

/// A deadline that a passed one sets is met by the same call.
#[test]
fn deadlines_that_follow_others_pass_too() {
    let clock = VirtualClock::install();
    let is_done = Rc::new(Cell::new(false));
    let done = Rc::clone(&is_done);
    Timer::single_shot(HOUR, move || Timer::single_shot(HOUR, move || done.set(true)));

    clock.advance((2 * HOUR).saturating_sub(Duration::from_nanos(1)));
    assert!(!is_done.get());
    clock.advance(Duration::from_nanos(1));

    assert!(is_done.get());
}

/// A loop that would sleep jumps to the next deadline.
#[test]
fn a_loop_that_runs_jumps_to_its_deadlines() {
    let clock = VirtualClock::install();
    Timer::single_shot(HOUR, || EventLoop::current().exit(3));

    assert_eq!(EventLoop::current().exec(), 3);
    assert_eq!(clock.elapsed(), HOUR);

    EventLoop::current().wait(HOUR);
    assert_eq!(clock.elapsed(), 2 * HOUR);
    assert!(!EventLoop::current().wait_until(|| false, HOUR));
    assert_eq!(clock.elapsed(), 3 * HOUR);
    EventLoop::current().process_events();
    assert_eq!(clock.elapsed(), 3 * HOUR);
}

/// The time-out of a spy is virtual, too.
#[test]
fn a_spy_waits_in_virtual_time() {
    let clock = VirtualClock::install();
    let signal = Rc::new(Signal::<i32>::new());
    let spy = SignalSpy::new(&signal);
    let _ = EventLoop::current();
    Timer::single_shot_to(HOUR, &signal, |signal| signal.emit(&1));

    assert!(spy.wait_for(1).is_err());
    assert!(clock.elapsed() <= Duration::from_secs(5));
    assert!(spy.wait_for_within(1, 2 * HOUR).is_ok());
    // The limit was counted from the system's clock, which runs.
    assert_eq!(clock.elapsed(), HOUR);
}

/// The loop waits for other threads when it has no deadline.
#[test]
fn without_a_deadline_the_loop_waits_for_other_threads() -> Result<()> {
    let clock = VirtualClock::install();
    let handle = EventLoop::current().handle();
    let thread = thread::spawn(move || handle.post(|| EventLoop::current().quit()));

    EventLoop::current().exec();

    ensure!(clock.elapsed() == Duration::ZERO);
    ensure!(thread.join().is_ok());
    Ok(())
}

/// Inside another executor it jumps as well.
#[cfg(unix)]
#[test]
fn a_loop_inside_an_executor_jumps_too() {
    let clock = VirtualClock::install();
    Timer::single_shot(HOUR, || EventLoop::current().exit(3));

    assert_eq!(smol::block_on(EventLoop::current().exec_async()), 3);
    assert_eq!(clock.elapsed(), HOUR);
}

/// A timer of interval 0 is always due, and keeps no deadline from passing.
#[test]
fn a_loop_that_is_never_idle_moves_on() {
    let clock = VirtualClock::install();
    let (busy, count) = (Timer::new(), Rc::new(Cell::new(0)));
    busy.start(Duration::ZERO);
    Timer::single_shot_to(Duration::from_millis(15), &count, |count| count.set(1));

    clock.advance(Duration::from_millis(20));

    assert_eq!(count.get(), 1);
    assert_eq!(clock.elapsed(), Duration::from_millis(20));
}

/// One clock a thread, and the system's behind it.
#[test]
fn a_thread_has_one_clock_until_it_is_dropped() {
    let clock = VirtualClock::install();
    let second = catch_unwind(AssertUnwindSafe(VirtualClock::install));
    assert!(second.is_err());

    drop(clock);

    let begin = Instant::now();
    EventLoop::current().wait(Duration::from_millis(1));
    assert!(begin.elapsed() >= Duration::from_millis(1));
}
