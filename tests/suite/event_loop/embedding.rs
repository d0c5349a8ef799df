//! The event loop inside other executors and loops: sockets, timers, calls and tasks run there.

use std::cell::Cell;
use std::future::pending;
#[cfg(unix)]
use std::os::fd::AsFd;
use std::pin::pin;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
#[cfg(unix)]
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use slotwork::signals::Signal;
use slotwork::{EventLoop, NestedLoop, Timer};
use smol::channel;
use smol::future::{FutureExt, poll_once, yield_now, zip};

use support::raw_peer::RawPeer;
use support::{DEADLINE, echo_server, in_thread};

/// `exec_async` inside `smol::block_on`, beside another future of it.
#[test]
fn the_loop_lives_inside_smol() -> Result<()> {
    let codes = in_thread(|event_loop| {
        check_life(event_loop, || {
            let beside = async {
                smol::Timer::after(Duration::from_millis(1)).await;
                7
            };
            smol::block_on(zip(event_loop.exec_async(), beside))
        })
    })??;

    ensure!(codes == (5, 7), "{codes:?}");
    Ok(())
}

/// `exec_async` inside tokio's executor for one thread, beside a task of it that uses the loop.
#[test]
fn the_loop_lives_inside_tokio() -> Result<()> {
    let codes = in_thread(|event_loop| {
        let tokio = tokio::runtime::Builder::new_current_thread().build()?;
        check_life(event_loop, || {
            let (sender, receiver) = channel::bounded(1);
            let handle = event_loop.handle();
            let beside = tokio.spawn(async move {
                // In the loop's own thread, but not in one of its turns.
                handle.post(move || _ = sender.try_send(7));
                receiver.recv().await.unwrap_or_default()
            });
            tokio.block_on(async { (event_loop.exec_async().await, beside.await.unwrap_or(0)) })
        })
    })??;

    ensure!(codes == (5, 7), "{codes:?}");
    Ok(())
}

/// A foreign loop that polls the descriptor of the reactor: `process_events` when it can be read.
#[cfg(unix)]
#[test]
fn the_loop_lives_inside_a_poll_loop() -> Result<()> {
    let code = in_thread(|event_loop| {
        check_life(event_loop, || {
            let (sender, receiver) = channel::bounded(1);
            END.set(Some(sender));
            loop {
                event_loop.process_events();
                if let Ok(code) = receiver.try_recv() {
                    return code;
                }
                let timeout = event_loop.time_to_next_timer().unwrap_or(DEADLINE);
                let timeout = Timespec::try_from(timeout.min(DEADLINE)).ok();
                let mut descriptors = [PollFd::from_borrowed_fd(event_loop.as_fd(), PollFlags::IN)];
                poll(&mut descriptors, timeout.as_ref()).unwrap();
            }
        })
    })??;

    ensure!(code == 5);
    Ok(())
}

/// Qt: `processEvents` with a maximum time: until nothing is ready, and not longer than that.
#[test]
fn process_events_for_runs_until_nothing_is_ready() -> Result<()> {
    let (chain, has_stopped) = in_thread(|event_loop| {
        fn count_down(left: &Rc<Cell<u32>>) {
            left.set(left.get() - 1);
            if left.get() > 0 {
                EventLoop::current().defer_to(left, count_down);
            }
        }

        // Ready from turn to turn: a chain of calls, a queued slot, a task.
        let left = Rc::new(Cell::new(50));
        let signal = Signal::<()>::new();
        signal.queued().connect({
            let left = Rc::clone(&left);
            move |()| EventLoop::current().defer_to(&left, count_down)
        });
        event_loop.spawn(async move { signal.emit(&()) }).detach();
        event_loop.process_events_for(DEADLINE);
        let chain = left.get();

        let timer = Timer::new();
        timer.start(Duration::ZERO);
        let begin = Instant::now();
        event_loop.process_events_for(Duration::from_millis(2));
        (chain, begin.elapsed() >= Duration::from_millis(2))
    })?;

    ensure!(chain == 0 && has_stopped, "{chain} left");
    Ok(())
}

/// What becomes ready while nothing runs the loop makes its descriptor readable, each time.
#[cfg(unix)]
#[test]
fn whatever_is_ready_can_be_seen_from_outside() -> Result<()> {
    type Act = fn(&EventLoop, &Signal<()>);
    let table: [(&str, Act); 5] = [
        ("post", |event_loop, _| event_loop.handle().post(|| {})),
        ("post from afar", |event_loop, _| {
            let handle = event_loop.handle();
            thread::spawn(move || handle.post(|| {})).join().unwrap();
        }),
        ("deferred call", |event_loop, _| event_loop.defer_to((), |()| {})),
        ("queued slot", |_, signal| signal.emit(&())),
        ("task", |event_loop, _| event_loop.spawn(async { yield_now().await }).detach()),
    ];

    let failed = in_thread(move |event_loop| {
        let signal = Signal::<()>::new();
        signal.queued().connect(|()| {});
        // Twice each: the descriptor must not stay as it was.
        table.repeat(2).into_iter().find_map(|(name, act)| {
            event_loop.process_events_for(DEADLINE);
            let before = is_readable(event_loop);
            act(event_loop, &signal);
            (before || !is_readable(event_loop)).then_some(name)
        })
    })?;

    ensure!(failed.is_none(), "{failed:?}");
    Ok(())
}

/// A run that is dropped has ended: the loop can be run again, and `exit` is not for the dropped one.
#[test]
fn a_dropped_run_has_ended() -> Result<()> {
    let codes = in_thread(|event_loop| {
        let mut dropped = Box::pin(event_loop.exec_async());
        let is_pending = smol::block_on(poll_once(&mut dropped)).is_none();
        event_loop.exit(1);
        drop(dropped);
        event_loop.handle().quit();
        (is_pending, NestedLoop::new().is_running(), event_loop.exec())
    })?;

    ensure!(codes == (true, false, 0), "{codes:?}");
    Ok(())
}

/// `exit` from outside the loop, and before anything of it runs.
#[test]
fn exit_reaches_a_run_from_outside() -> Result<()> {
    let codes = in_thread(|event_loop| {
        [9, 10].map(|code| {
            let exit = async {
                yield_now().await;
                event_loop.exit(code);
                pending().await
            };
            smol::block_on(pin!(event_loop.exec_async()).or(exit))
        })
    })?;

    ensure!(codes == [9, 10], "{codes:?}");
    Ok(())
}

thread_local! {
    /// Where the end of a life goes that no `exec` awaits.
    static END: Cell<Option<channel::Sender<i32>>> = const { Cell::new(None) };
}

/// Serves a client, waits for a timer, and is called from another thread, while `run` runs the
/// loop; then it ends with 5.
fn check_life<T>(event_loop: &EventLoop, run: impl FnOnce() -> T) -> Result<T> {
    let server = echo_server()?;
    let (port, handle) = (server.server_port(), event_loop.handle());
    let client = thread::spawn(move || {
        let outcome = RawPeer::open(port).and_then(|mut peer| {
            (0..20).try_for_each(|number| peer.check_echo(&format!("message {number}")))
        });
        handle.post(|| {
            Timer::single_shot(Duration::from_millis(2), || {
                EventLoop::current().exit(5);
                if let Some(end) = END.take() {
                    let _ = end.try_send(5);
                }
            });
        });
        outcome
    });
    let output = run();
    client.join().map_err(|_| anyhow!("the client panicked"))?.context("the client")?;
    Ok(output)
}

#[cfg(unix)]
fn is_readable(event_loop: &EventLoop) -> bool {
    let mut descriptors = [PollFd::from_borrowed_fd(event_loop.as_fd(), PollFlags::IN)];
    let ready = poll(&mut descriptors, Some(&Timespec::default()));
    ready.is_ok_and(|count| count > 0)
}
