//! Durations without end: no public parameter overflows the clock.

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, ensure};
use slotwork::signals::{Signal, SignalSpy};
use slotwork::{EventLoop, NestedLoop, Timer, WebSocket, WebSocketServer};

use support::raw_peer::RawPeer;
use support::{echo_server, in_thread, run_until, serve};

/// `Duration::MAX`, and the longest durations that the clock can hold or just not.
const ENDLESS: [Duration; 5] = [
    Duration::MAX,
    Duration::from_secs(u64::MAX),
    Duration::from_secs(i64::MAX as u64),
    Duration::from_secs(i64::MAX as u64 - 2_000_000_000),
    // Longer than the milliseconds of a poll can count.
    Duration::from_secs(30 * 24 * 3600),
];

/// Qt: `QTimer`, `QSignalSpy::wait()`, `processEvents()`, `qWait()` with the longest of times.
#[test]
fn the_loop_bears_durations_without_end() -> Result<()> {
    for time in ENDLESS {
        let count = in_thread(move |event_loop| {
            let (timer, nested) = (Timer::new(), Rc::new(NestedLoop::new()));
            timer.start(time);
            timer.set_interval(time);
            Timer::single_shot(time, || {});
            event_loop.process_events_for(time);
            let changed = Rc::new(Signal::<()>::new());
            let spy = SignalSpy::new(&changed);
            Timer::single_shot_to(Duration::from_millis(1), &changed, |changed| changed.emit(&()));
            let outcome = spy.wait_for_within(1, time);
            Timer::single_shot_to(Duration::from_millis(1), &nested, |nested| nested.quit());
            nested.exec();
            let _ = (timer.remaining_time(), event_loop.time_to_next_timer());
            Timer::single_shot(Duration::from_millis(1), || EventLoop::current().quit());
            smol::block_on(event_loop.exec_async());
            outcome.map(|()| spy.count())
        })?;
        ensure!(count == Ok(1), "{time:?}: {count:?}");
    }
    Ok(())
}

/// A wait is for the time that it was given: here a panic ends one that would never end.
#[test]
fn a_wait_without_end_begins() -> Result<()> {
    for time in ENDLESS {
        let is_running = in_thread(move |event_loop| {
            event_loop.set_panic_policy(slotwork::PanicPolicy::Propagate);
            let end = || std::panic::resume_unwind(Box::new("the wait goes on"));
            Timer::single_shot(Duration::from_millis(1), end);
            let wait = std::panic::AssertUnwindSafe(|| EventLoop::current().wait(time));
            let payload = std::panic::catch_unwind(wait).err();
            payload.is_some_and(|payload| payload.downcast_ref() == Some(&"the wait goes on"))
        })?;
        ensure!(is_running, "{time:?}");
    }
    Ok(())
}

/// Qt: `setHandshakeTimeout()`; the keepalive, the deadlines of clients and of a shutdown.
#[test]
fn sockets_bear_durations_without_end() -> Result<()> {
    for time in ENDLESS {
        let server: WebSocketServer = echo_server()?;
        server.set_handshake_timeout(Some(time));
        server.set_keepalive_interval(Some(time));
        let (port, url) = (server.server_port(), server.server_url());
        serve(move || RawPeer::open(port)?.check_echo("served"))?;

        let client = WebSocket::new();
        client.set_connect_timeout(Some(time));
        let (connected, closed) = (client.connected().next(), server.closed().next());
        client.open(url)?;
        ensure!(run_until(connected)?.is_some(), "{time:?}");
        server.shutdown(time);
        ensure!(run_until(closed)?.is_some(), "{time:?}");
    }
    Ok(())
}
