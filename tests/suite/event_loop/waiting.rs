//! Waiting in programs and tests: `wait_until`, and what `process_events` returns.

use std::cell::Cell;
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use slotwork::signals::Signal;
use slotwork::{EventLoop, Timer, WebSocket};

use support::{DEADLINE, in_thread, listening_server};

/// Qt: `QTRY_VERIFY`, `QTest::qWaitFor()`: the loop runs until the condition holds.
#[test]
fn wait_until_runs_the_loop_until_its_condition_holds() -> Result<()> {
    let (server, socket) = (listening_server()?, WebSocket::new());
    socket.open(server.server_url())?;

    let is_open = EventLoop::current().wait_until(|| socket.is_valid(), DEADLINE);

    ensure!(is_open && server.has_pending_connections());
    Ok(())
}

/// The condition may depend on other threads, which wake no loop.
#[test]
fn wait_until_sees_what_other_threads_do() -> Result<()> {
    let is_set = in_thread(|event_loop| {
        let flag = Arc::new(AtomicBool::new(false));
        let (allow, allowed) = mpsc::channel::<()>();
        let setting = Arc::clone(&flag);
        let thread = thread::spawn(move || {
            let _ = allowed.recv();
            setting.store(true, Ordering::Release);
        });
        Timer::single_shot(Duration::ZERO, move || _ = allow.send(()));
        let is_set = event_loop.wait_until(|| flag.load(Ordering::Acquire), DEADLINE);
        thread.join().is_ok() && is_set
    })?;

    ensure!(is_set);
    Ok(())
}

/// A condition that holds already runs nothing; one that does not is checked at the end.
#[test]
fn wait_until_returns_the_condition() -> Result<()> {
    let outcome = in_thread(|event_loop| {
        let calls = Rc::new(Cell::new(0));
        let call = || event_loop.defer_to(&calls, |calls| calls.set(calls.get() + 1));
        call();
        let at_once = event_loop.wait_until(|| true, DEADLINE);
        let before = calls.get();
        let never = event_loop.wait_until(|| false, Duration::from_millis(1));
        let after = calls.get();
        call();
        let in_one_turn = event_loop.wait_until(|| calls.get() == 2, Duration::ZERO);
        (at_once, before, never, after, in_one_turn)
    })?;

    ensure!(outcome == (true, 0, false, 1, true), "{outcome:?}");
    Ok(())
}

/// Inside too many loops it returns the condition at once.
#[test]
fn wait_until_is_refused_at_the_nesting_limit() -> Result<()> {
    let outcome = in_thread(|event_loop| {
        event_loop.set_max_nesting(0);
        let outcome = Rc::new(Cell::new(None));
        event_loop.defer_to(&outcome, |outcome| {
            outcome.set(Some(EventLoop::current().wait_until(|| false, DEADLINE)));
        });
        event_loop.process_events();
        outcome.get()
    })?;

    ensure!(outcome == Some(false), "{outcome:?}");
    Ok(())
}

/// Qt: `QEventLoop::processEvents()` returns whether anything was done, of each kind.
#[test]
fn process_events_returns_whether_anything_was_ready() -> Result<()> {
    type Way = (&'static str, fn(&EventLoop));
    let ways: [Way; 4] = [
        ("a call", |event_loop| event_loop.defer_to((), |()| {})),
        ("a queued slot", |_| {
            let signal = Arc::new(Signal::<()>::new());
            signal.connect(|()| {});
            let emitted = Arc::clone(&signal);
            let _ = thread::spawn(move || emitted.emit(&())).join();
            // Kept until the call has run.
            KEPT.set(Some(signal));
        }),
        ("a timer", |_| Timer::single_shot(Duration::ZERO, || {})),
        ("a task", |event_loop| event_loop.spawn(async {}).detach()),
    ];
    for (name, make_ready) in ways {
        let outcomes = in_thread(move |event_loop| {
            let idle = event_loop.process_events();
            make_ready(event_loop);
            (idle, event_loop.process_events(), event_loop.process_events())
        })?;
        ensure!(outcomes == (false, true, false), "{name}: {outcomes:?}");
    }
    Ok(())
}

thread_local! {
    static KEPT: Cell<Option<Arc<Signal<()>>>> = const { Cell::new(None) };
}

/// A client that arrives is something too.
#[test]
fn process_events_sees_what_arrives() -> Result<()> {
    let was_ready = in_thread(|event_loop| {
        let server = listening_server()?;
        while event_loop.process_events() {}
        let _peer = TcpStream::connect(("127.0.0.1", server.server_port()))?;
        anyhow::Ok(event_loop.process_events())
    })?;

    ensure!(was_ready?);
    Ok(())
}
