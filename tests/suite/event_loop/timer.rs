//! `Timer`: when it expires, and what its slots may do to it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use slotwork::signals::{Handle, SignalSpy};
use slotwork::{EventLoop, NestedLoop, Timer};

use support::{in_thread, panic_in_slot, run_until};

const SHORT: Duration = Duration::from_millis(2);
const LONG: Duration = Duration::from_secs(3600);

/// Qt: `QTimer::start()`, `stop()`, `isActive()`, `interval`, `remainingTime`, `singleShot`.
#[test]
fn a_timer_knows_whether_and_how_it_runs() {
    let timer = Timer::new();
    assert_eq!((timer.is_active(), timer.remaining_time()), (false, None));
    assert_eq!((timer.interval(), timer.is_single_shot()), (Duration::ZERO, false));

    timer.start(LONG);
    assert!(timer.is_active() && timer.interval() == LONG);
    assert!(timer.remaining_time().is_some_and(|time| time <= LONG && time > LONG / 2));

    timer.set_interval(2 * LONG);
    assert!(timer.remaining_time() > Some(LONG), "a new interval starts an active timer anew");

    timer.stop();
    timer.set_interval(LONG);
    assert_eq!((timer.is_active(), timer.remaining_time()), (false, None));

    timer.restart();
    assert!(timer.is_active() && timer.remaining_time() <= Some(LONG));
}

/// Qt: `QTimer::timeout`: again and again, and with `Qt::PreciseTimer` not early.
#[test]
fn a_timer_expires_again_and_again_and_never_early() -> Result<()> {
    let timer = Timer::new();
    let expiries = Rc::new(RefCell::new(Vec::new()));
    timer.timeout().connect_to(&expiries, |expiries, timer, ()| {
        expiries.borrow_mut().push(Instant::now());
        assert!(timer.is_active());
    });
    let spy = SignalSpy::new(&timer.timeout());
    let start = Instant::now();

    timer.start(SHORT);
    spy.wait_for(10)?;

    for (time, number) in expiries.borrow().iter().zip(1..) {
        ensure!(*time >= start + SHORT * number, "expiry {number} was early");
    }
    Ok(())
}

/// Qt: `QTimer::setSingleShot()`: one expiry, and inactive when the slot runs.
#[test]
fn a_single_shot_timer_expires_once_and_may_be_started_again() -> Result<()> {
    let timer = Timer::new();
    timer.set_single_shot(true);
    timer.timeout().connect(|timer, ()| assert!(!timer.is_active()));
    let spy = SignalSpy::new(&timer.timeout());
    let others = ticking(Duration::ZERO);

    timer.start(SHORT);
    spy.wait_for(1)?;
    others.wait_for(others.count() + 10)?;
    ensure!(spy.count() == 1 && timer.is_single_shot());

    timer.restart();
    spy.wait_for(2)?;
    Ok(())
}

/// Qt: SIG-21: an interval of 0 expires once in each turn, behind the posted calls.
#[test]
fn an_interval_of_zero_expires_once_in_each_turn_behind_posted_calls() -> Result<()> {
    let log = in_thread(|event_loop| {
        let log = Rc::new(RefCell::new(Vec::new()));
        let timer = Timer::new();
        timer.timeout().connect_to(&log, |log, _timer, ()| log.borrow_mut().push("timer"));
        timer.start(Duration::ZERO);
        for _ in 0..3 {
            event_loop.defer_to(&log, |log| log.borrow_mut().push("call"));
            event_loop.process_events();
        }
        log.take()
    })?;

    ensure!(log == ["call", "timer", "call", "timer", "call", "timer"], "{log:?}");
    Ok(())
}

/// Pushpin: a timer that is stopped, restarted or dropped in its own slot.
#[test]
fn a_slot_may_do_anything_to_its_timer() -> Result<()> {
    type Act = fn(&Rc<RefCell<Option<Timer>>>, &Timer);
    let table: [(&str, Act, bool); 5] = [
        ("stop", |_, timer| timer.stop(), false),
        ("restart", |_, timer| timer.restart(), true),
        ("start and stop", |_, timer| (timer.start(LONG), timer.stop()).1, false),
        ("stop and start", |_, timer| (timer.stop(), timer.start(SHORT)).1, true),
        ("drop", |owner, _| _ = owner.take(), false),
    ];

    for (name, act, goes_on) in table {
        let timer = Timer::new();
        let spy = SignalSpy::new(&timer.timeout());
        let (owner, weak) = (Rc::new(RefCell::new(Some(timer.clone()))), timer.downgrade());
        timer.timeout().connect_to(&owner, move |owner, timer, ()| act(owner, timer));
        timer.start(SHORT);
        drop(timer);
        spy.wait_for(1)?;
        if goes_on {
            spy.wait_for(2)?;
        }

        let timer = weak.upgrade();
        let is_active = timer.as_ref().is_some_and(Timer::is_active);
        ensure!(is_active == goes_on, "{name}");
        ensure!(timer.is_some() == (name != "drop"), "{name}");
    }
    Ok(())
}

/// Qt: a timer with a slot that runs an event loop does not expire inside that slot; others do.
#[test]
fn a_timer_does_not_expire_inside_its_own_slot() -> Result<()> {
    let timer = Timer::new();
    let (depth, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    timer.timeout().connect_to((&depth, &most), |(depth, most), _timer, ()| {
        depth.set(depth.get() + 1);
        most.set(most.get().max(depth.get()));
        let others = ticking(SHORT);
        let nested = Rc::new(NestedLoop::new());
        others.timer.timeout().connect_to((&nested, &others.count), |(nested, count), _, ()| {
            if count.get() > 3 {
                nested.quit();
            }
        });
        nested.exec();
        depth.set(depth.get() - 1);
    });
    let spy = SignalSpy::new(&timer.timeout());

    timer.start(Duration::ZERO);
    spy.wait_for(3)?;

    ensure!(most.get() == 1, "{} deep", most.get());
    Ok(())
}

/// Timers expire in the order of their deadlines, and those of one deadline in that of their start.
#[test]
fn timers_that_are_due_together_expire_in_order() -> Result<()> {
    let log = Rc::new(RefCell::new(Vec::new()));
    let started = Instant::now();
    let timers: Vec<_> = [3, 1, 2, 1]
        .iter()
        .zip(0..)
        .map(|(delay, number)| {
            let timer = Timer::new();
            timer.set_single_shot(true);
            timer.timeout().connect_to(&log, move |log, _timer, ()| log.borrow_mut().push(number));
            timer.start(SHORT * *delay);
            timer
        })
        .collect();

    // All of them are late when the loop looks.
    while started.elapsed() < SHORT * 8 {
        thread::yield_now();
    }
    EventLoop::current().process_events();

    ensure!(*log.borrow() == [1, 3, 2, 0], "{log:?}");
    drop(timers);
    Ok(())
}

/// Promised: a panic in a slot ends that call alone; the timer continues.
#[test]
fn a_timer_goes_on_after_a_panic_in_its_slot() -> Result<()> {
    let timer = Timer::new();
    timer.timeout().once().connect(|_timer, ()| panic_in_slot());
    let panics = SignalSpy::new(&EventLoop::current().panicked());
    let spy = SignalSpy::new(&timer.timeout());
    timer.start(SHORT);

    // The spy's slot comes behind the one that panics.
    spy.wait_for(2)?;

    ensure!(panics.count() == 1);
    Ok(())
}

/// Qt: `QTimer::singleShot()`, with and without a context object.
#[test]
fn single_shots_are_made_unless_their_receiver_is_gone() -> Result<()> {
    for duration in [Duration::ZERO, SHORT] {
        let (log, gone) = (Rc::new(RefCell::new(Vec::new())), Rc::new(()));
        let held = Rc::new(());
        let (in_plain, in_gone) = (Rc::clone(&held), Rc::clone(&held));
        Timer::single_shot_to(duration, (&log, &gone), move |(log, _)| {
            log.borrow_mut().push("gone");
            drop(in_gone);
        });
        Timer::single_shot_to(duration, &log, |log| log.borrow_mut().push("first"));
        let plain = Rc::clone(&log);
        Timer::single_shot(duration, move || {
            plain.borrow_mut().push("second");
            drop(in_plain);
            EventLoop::current().quit();
        });
        drop(gone);

        EventLoop::current().exec();

        ensure!(*log.borrow() == ["first", "second"], "{log:?}");
        ensure!(Rc::strong_count(&held) == 1, "a call that was made or given up is not freed");
    }
    Ok(())
}

/// Qt: `singleShot(0)` and queued calls keep their order.
#[test]
fn single_shots_of_zero_keep_their_place_among_queued_calls() -> Result<()> {
    thread_local! {
        static LOG: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
    }
    fn add(number: u32) {
        LOG.with_borrow_mut(|log| log.push(number));
    }

    let log = in_thread(|event_loop| {
        event_loop.handle().post(|| add(1));
        Timer::single_shot(Duration::ZERO, || add(2));
        event_loop.defer_to((), |()| add(3));
        event_loop.handle().post(|| add(4));
        Timer::single_shot(Duration::ZERO, || add(5));
        event_loop.process_events();
        LOG.take()
    })?;

    ensure!(log == [1, 2, 3, 4, 5], "{log:?}");
    Ok(())
}

/// A timer far in the future wakes no loop, and many of them delay no other.
#[test]
fn many_timers_disturb_no_others() -> Result<()> {
    let far: Vec<_> = (0..10_000)
        .map(|number| {
            let timer = Timer::new();
            timer.start(LONG + Duration::from_millis(number));
            timer
        })
        .collect();

    ticking(SHORT).wait_for(5)?;
    far.iter().step_by(2).for_each(Timer::stop);
    ticking(SHORT).wait_for(5)?;

    ensure!(far.iter().filter(|timer| timer.is_active()).count() == 5_000);
    Ok(())
}

/// Pushpin: clean-up when the loop is gone: timers and single shots end with their thread.
#[test]
fn timers_end_with_their_thread() -> Result<()> {
    let held = Arc::new(());
    let (in_slot, in_call) = (Arc::clone(&held), Arc::clone(&held));
    let thread = thread::spawn(move || {
        let timer = Timer::new();
        timer.timeout().connect(move |_timer, ()| _ = Arc::strong_count(&in_slot));
        timer.start(LONG);
        // It holds the timer, and is itself held by the thread's timers.
        Timer::single_shot(LONG, move || drop((timer, in_call)));
        EventLoop::current().process_events();
    });

    thread.join().map_err(|_| anyhow!("the thread panicked"))?;

    ensure!(Arc::strong_count(&held) == 1);
    Ok(())
}

/// A timer, and how often it has expired.
struct Ticking {
    timer: Timer,
    count: Rc<Cell<u32>>,
}

fn ticking(interval: Duration) -> Ticking {
    let ticking = Ticking { timer: Timer::new(), count: Rc::default() };
    ticking.timer.timeout().connect_to(&ticking.count, |count, _, ()| count.set(count.get() + 1));
    ticking.timer.start(interval);
    ticking
}

impl Ticking {
    fn count(&self) -> u32 {
        self.count.get()
    }

    fn wait_for(&self, count: u32) -> Result<()> {
        run_until(async {
            while self.count() < count {
                smol::future::yield_now().await;
            }
        })
    }
}
