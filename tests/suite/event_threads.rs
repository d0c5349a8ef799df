//! Threads with an event loop: their worker, their end, their panics.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use slotwork::signals::{Signal, SignalSpy};
use slotwork::{Error, EventLoop, EventThread, PanicPolicy, Timer};

use crate::support::{DEADLINE, panic_in_slot};

/// Qt: `QThread` and `moveToThread`: slots of the worker run in its thread, each signal in order.
#[test]
fn a_worker_is_reached_by_signals_and_answers_by_them() -> Result<()> {
    let operate = Arc::new(Signal::<u32>::new());
    let result_ready = Arc::new(Signal::<(String, u32)>::new());
    let results = SignalSpy::new(&*result_ready);

    let operating = Arc::clone(&operate);
    let thread = EventThread::spawn("worker", move || {
        // Not `Send`: it was built here.
        let worker = Rc::new(Cell::new(0));
        operating.connect_to(&worker, move |sum, number| {
            sum.set(sum.get() + number);
            let name = thread::current().name().unwrap_or_default().to_owned();
            result_ready.emit(&(name, sum.get()));
        });
        worker
    })?;
    (1..=3).for_each(|number| operate.emit(&number));
    results.wait_for(3)?;

    let sums: Vec<_> = results.take();
    ensure!(sums == [1, 3, 6].map(|sum| ("worker".to_owned(), sum)), "{sums:?}");
    ensure!(thread.is_running() && thread.name() == "worker");
    Ok(())
}

/// Qt: `QThread::quit()`, `exit()` and `wait()`; what was posted before is done.
#[test]
fn wait_returns_the_code_with_which_the_loop_ended() -> Result<()> {
    let quitting = EventThread::spawn("quitting", || ())?;
    let (say_done, done) = mpsc::channel();
    quitting.handle().post(move || _ = say_done.send(()));
    quitting.quit();
    ensure!(quitting.wait()? == 0);
    done.try_recv().context("a call was lost")?;

    let exiting = EventThread::spawn("exiting", || ())?;
    exiting.handle().post(|| EventLoop::current().exit(7));
    ensure!(exiting.wait()? == 7);

    let early = EventThread::spawn("early", || EventLoop::current().handle().quit())?;
    ensure!(early.wait()? == 0);
    Ok(())
}

/// Promised: dropping it ends the thread, and waits until everything in it is gone.
#[test]
fn dropping_it_ends_the_thread() -> Result<()> {
    let held = Arc::new(());
    let (in_worker, in_task) = (Arc::clone(&held), Arc::clone(&held));
    let thread = EventThread::spawn("dropped", move || {
        EventLoop::current()
            .spawn(async move {
                std::future::pending::<()>().await;
                drop(in_task);
            })
            .detach();
        in_worker
    })?;
    let handle = thread.handle();

    drop(thread);

    ensure!(Arc::strong_count(&held) == 1);
    // It reaches nobody any more, which is no error.
    handle.post(|| {});
    handle.quit();
    Ok(())
}

/// Pushpin: clean-up when the loop is gone: `about_to_quit`, then the worker, which may still use
/// the loop; then calls, tasks and timers.
#[test]
fn everything_in_a_thread_ends_in_order() -> Result<()> {
    struct Noted(&'static str, mpsc::Sender<&'static str>);
    impl Drop for Noted {
        fn drop(&mut self) {
            // Whoever ends late finds a loop that does not run.
            EventLoop::current().defer_to((), |()| {});
            Timer::single_shot(Duration::from_secs(1), || {});
            let _ = self.1.send(self.0);
        }
    }

    let (note, notes) = mpsc::channel();
    let thread = EventThread::spawn("ending", move || {
        let event_loop = EventLoop::current();
        let remember = |name| Noted(name, note.clone());
        let (task, timer, call) = (remember("task"), remember("timer"), remember("call"));
        let worker = remember("worker");
        event_loop
            .spawn(async move {
                std::future::pending::<()>().await;
                drop(task);
            })
            .detach();
        Timer::single_shot(Duration::from_secs(3600), move || drop(timer));
        let late = RefCell::new(Some(call));
        event_loop.about_to_quit().connect(move |event_loop, ()| {
            let _ = note.send("about to quit");
            let call = late.take();
            event_loop.defer_to((), move |()| drop(call));
        });
        worker
    })?;

    thread.quit();
    thread.wait()?;

    let order: Vec<_> = notes.try_iter().collect();
    ensure!(order == ["about to quit", "worker", "call", "task", "timer"], "{order:?}");
    Ok(())
}

/// Promised: a panic that ends the thread is reported by `wait`, one in the setup by `spawn`.
#[test]
fn panics_are_reported_to_whoever_waits() -> Result<()> {
    let setup = EventThread::spawn("setup", || panic_in_slot());
    let message = setup.err().context("it started")?.to_string();
    ensure!(message == "the thread setup panicked: a slot panics", "{message}");

    let thread = EventThread::spawn("call", || {
        EventLoop::current().set_panic_policy(PanicPolicy::Propagate);
    })?;
    thread.handle().post(|| panic_in_slot());
    let message = thread.wait().err().context("it ended well")?.to_string();
    ensure!(message == "the thread call panicked: a slot panics", "{message}");

    let dropped = EventThread::spawn("dropped", || {
        EventLoop::current().set_panic_policy(PanicPolicy::Propagate);
        EventLoop::current().handle().post(|| panic_in_slot());
    })?;
    drop(dropped);
    Ok(())
}

/// Qt: `QThread::wait()` in the thread itself: refused; dropping it there does not wait.
#[test]
fn a_thread_does_not_wait_for_itself() -> Result<()> {
    for waits in [true, false] {
        let thread = EventThread::spawn("itself", || ())?;
        let (say, said) = mpsc::channel();
        thread.handle().post(move || {
            let outcome = waits.then(|| thread.wait());
            let _ = say.send(matches!(outcome, Some(Err(Error::ThreadWaits { .. })) | None));
            EventLoop::current().quit();
        });
        ensure!(said.recv_timeout(DEADLINE)?);
    }
    Ok(())
}
