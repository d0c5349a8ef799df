//! The warning for slots that hold up the loop. A binary of its own: it is the program's logger.
#![cfg(debug_assertions)]

use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use log::{LevelFilter, Log, Metadata, Record};
use slotwork::signals::Signal;
use slotwork::{EventLoop, NestedLoop, Timer};

/// Longer than the 50 ms that a slot may take.
const LONG: Duration = Duration::from_millis(60);

/// The slot that takes long is named, not one that is quick, nor those around it.
#[test]
fn a_slot_that_takes_long_is_named_with_its_line() -> Result<()> {
    log::set_logger(&LOGGER)?;
    log::set_max_level(LevelFilter::Warn);
    let event_loop = EventLoop::current();
    let (outer, inner) = (Signal::<()>::new(), Rc::new(Signal::<()>::new()));
    let queued = Signal::<()>::new();
    let slow = line!() + 1;
    inner.connect(|()| compute());
    outer.connect_to(&inner, |inner, ()| inner.emit(&()));
    outer.connect(|()| {});
    outer.connect(|()| wait_in_a_loop());
    let queued_slow = line!() + 1;
    queued.queued().connect(|()| compute());

    outer.emit(&());
    queued.emit(&());
    event_loop.process_events();

    let lines = lines();
    let expected = [slow, queued_slow].map(|line| format!("connected at {}:{line}:", file!()));
    ensure!(lines.len() == 2, "{lines:?}");
    ensure!(lines.iter().zip(&expected).all(|(line, part)| line.contains(part)), "{lines:?}");
    check_calls_and_tasks()
}

/// The same for calls that the loop makes, and for each poll of an async slot or a task.
fn check_calls_and_tasks() -> Result<()> {
    let event_loop = EventLoop::current();
    let asynchronous = Signal::<()>::new();
    LOGGER.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    let first = line!() + 1;
    event_loop.handle().post(compute);
    event_loop.defer_to((), |()| compute());
    Timer::single_shot(Duration::ZERO, compute);
    asynchronous.connect_async(|()| async { compute_twice().await });
    Timer::single_shot(Duration::from_millis(1), compute);
    event_loop.spawn(async { compute_twice().await }).detach();
    asynchronous.emit(&());

    (0..100).take_while(|_| lines().len() < 8).for_each(|_| event_loop.wait(LONG));

    let mut lines = lines();
    lines.sort();
    let expected = [
        ("call deferred", first + 1),
        ("call deferred", first + 2),
        ("call posted", first),
        ("single shot started", first + 4),
        ("slot connected", first + 3),
        ("slot connected", first + 3),
        ("task spawned", first + 5),
        ("task spawned", first + 5),
    ];
    let expected = expected.map(|(what, line)| format!("the {what} at {}:{line}:", file!()));
    ensure!(lines.len() == expected.len(), "{lines:?}");
    ensure!(lines.iter().zip(&expected).all(|(line, part)| line.starts_with(part)), "{lines:?}");
    Ok(())
}

async fn compute_twice() {
    compute();
    smol::future::yield_now().await;
    compute();
}

fn compute() {
    let start = Instant::now();
    while start.elapsed() < LONG {
        std::thread::yield_now();
    }
}

/// It takes long too, but the loop runs meanwhile.
fn wait_in_a_loop() {
    let nested = Rc::new(NestedLoop::new());
    Timer::single_shot_to(LONG, &nested, |nested| nested.quit());
    nested.exec();
}

struct Logger(Mutex<Vec<String>>);

static LOGGER: Logger = Logger(Mutex::new(Vec::new()));

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(record.args().to_string());
    }

    fn flush(&self) {}
}

fn lines() -> Vec<String> {
    LOGGER.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
