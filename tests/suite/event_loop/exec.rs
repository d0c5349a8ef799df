//! The event loop of a thread: running and ending it, tasks, posted calls.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use slotwork::signals::Signal;
use slotwork::{EventLoop, LoopHandle, NestedLoop};
use smol::Timer;
use smol::channel;
use smol::future::{pending, yield_now};

use support::{DEADLINE, in_thread, panic_in_slot};

/// Qt: `QCoreApplication::exec()`, `exit()` and `quit()`; several runs of one loop.
#[test]
fn exec_returns_the_code_given_to_exit() -> Result<()> {
    let codes = in_thread(|event_loop| {
        let ends: [fn(); 4] = [
            || EventLoop::current().exit(7),
            || EventLoop::current().quit(),
            || EventLoop::current().exit(-1),
            || EventLoop::current().handle().quit(),
        ];
        ends.map(|end| {
            event_loop.handle().post(end);
            event_loop.exec()
        })
    })?;

    assert_eq!(codes, [7, 0, -1, 0]);
    Ok(())
}

/// Qt: a call of `exit` or `quit` before `exec` has no effect.
#[test]
fn exit_before_exec_has_no_effect() -> Result<()> {
    let code = in_thread(|event_loop| {
        event_loop.exit(1);
        event_loop.quit();
        event_loop.handle().post(|| EventLoop::current().exit(2));
        event_loop.exec()
    })?;

    assert_eq!(code, 2);
    Ok(())
}

/// Qt: of two calls of `exit` before the loop ends, the last one counts.
#[test]
fn the_last_of_two_codes_counts() -> Result<()> {
    let code = in_thread(|event_loop| {
        event_loop.handle().post(|| EventLoop::current().exit(1));
        event_loop.handle().post(|| EventLoop::current().exit(2));
        event_loop.exec()
    })?;

    assert_eq!(code, 2);
    Ok(())
}

/// Qt: `QEventLoop::exec()` in a posted call, a queued slot, a slot and a task; `QEventLoop::exit`
/// ends its own run only.
#[test]
fn a_nested_loop_ends_alone() -> Result<()> {
    fn nest() {
        let (event_loop, nested) = (EventLoop::current(), Rc::new(NestedLoop::new()));
        assert!(!nested.is_running());
        event_loop.defer_to(&nested, |nested| {
            assert!(nested.is_running());
            nested.exit(1);
        });
        let inner = nested.exec();
        event_loop.exit(10 + inner);
    }

    let codes = in_thread(|event_loop| {
        let signal = Signal::<()>::new();
        event_loop.handle().post(nest);
        let in_call = event_loop.exec();

        event_loop.spawn(async { nest() }).detach();
        let in_task = event_loop.exec();

        let connection = signal.queued().connect(|()| nest());
        signal.emit(&());
        let in_queued_slot = event_loop.exec();
        connection.disconnect();

        signal.connect(|()| nest());
        event_loop.spawn(async move { signal.emit(&()) }).detach();
        [in_call, in_task, in_queued_slot, event_loop.exec()]
    })?;

    assert_eq!(codes, [11; 4]);
    Ok(())
}

/// Qt: `QEventLoop`: of two that are nested, the outer one ends when the inner one has ended.
#[test]
fn a_loop_around_another_waits_for_it() -> Result<()> {
    let log = in_thread(|event_loop| {
        let log = Rc::new(RefCell::new(Vec::new()));
        let (outer, inner) = (Rc::new(NestedLoop::new()), Rc::new(NestedLoop::new()));
        event_loop.defer_to((&log, &outer, &inner), |(log, outer, inner)| {
            EventLoop::current().defer_to((outer, inner), |(outer, inner)| {
                outer.exit(1);
                EventLoop::current().defer_to(inner, |inner| inner.exit(2));
            });
            let code = inner.exec();
            log.borrow_mut().push(code);
        });
        let code = outer.exec();
        log.borrow_mut().push(code);
        log.take()
    })?;

    assert_eq!(log, [2, 1]);
    Ok(())
}

/// Qt: `QCoreApplication::exit()` ends the loops inside `exec` with it, in slots as well, and none
/// begins until all have ended: `QEventLoop::exec()` returns -1.
#[test]
fn exit_ends_every_loop_of_the_thread() -> Result<()> {
    let log = in_thread(|event_loop| {
        let log = Rc::new(RefCell::new(Vec::new()));
        event_loop.defer_to(&log, |log| {
            let event_loop = EventLoop::current();
            event_loop.defer_to((), |()| {
                EventLoop::current().exit(1);
                EventLoop::current().exit(5);
            });
            let codes = [NestedLoop::new().exec(), NestedLoop::new().exec(), event_loop.exec()];
            log.borrow_mut().extend(codes);
        });
        let outermost = event_loop.exec();
        event_loop.defer_to((), |()| EventLoop::current().exit(6));
        log.borrow_mut().extend([outermost, NestedLoop::new().exec()]);
        log.take()
    })?;

    assert_eq!(log, [5, -1, -1, 5, 6]);
    Ok(())
}

/// Qt: `QEventLoop::exec()` of a loop that runs already returns -1; `exit` before `exec` is nothing.
#[test]
fn a_nested_loop_does_not_run_inside_itself() -> Result<()> {
    let codes = in_thread(|event_loop| {
        let (nested, codes) = (Rc::new(NestedLoop::new()), Rc::new(RefCell::new(Vec::new())));
        nested.exit(1);
        event_loop.defer_to((&nested, &codes), |(nested, codes)| {
            codes.borrow_mut().push(nested.exec());
            nested.quit();
        });
        let code = nested.exec();
        codes.borrow_mut().push(code);
        codes.take()
    })?;

    assert_eq!(codes, [-1, 0]);
    Ok(())
}

/// Qt: `QCoreApplication::aboutToQuit`: once for each `exec`, when the loops inside it have ended;
/// what its slots make ready is still done.
#[test]
fn about_to_quit_is_emitted_once_before_exec_returns() -> Result<()> {
    let log = in_thread(|event_loop| {
        let log = Rc::new(RefCell::new(Vec::new()));
        event_loop.about_to_quit().connect_to(&log, |log, event_loop, ()| {
            log.borrow_mut().push("about to quit");
            let log = Rc::clone(log);
            event_loop.spawn(async move { log.borrow_mut().push("last task") }).detach();
        });
        event_loop.defer_to(&log, |log| {
            EventLoop::current().defer_to((), |()| EventLoop::current().quit());
            NestedLoop::new().exec();
            log.borrow_mut().push("nested");
        });
        event_loop.exec();
        log.borrow_mut().push("exec");
        event_loop.run_until(yield_twice(()));
        event_loop.process_events();
        log.take()
    })?;

    assert_eq!(log, ["nested", "about to quit", "last task", "exec"]);
    Ok(())
}

/// `run_until` ends with its future; an `exit` inside is for the `exec` around it.
#[test]
fn run_until_ends_with_its_future() -> Result<()> {
    let outcome = in_thread(|event_loop| {
        let output = event_loop.run_until(async { yield_twice("output").await });
        event_loop.handle().post(|| {
            let inner = EventLoop::current().run_until(async {
                EventLoop::current().exit(3);
                yield_twice(4).await
            });
            EventLoop::current().spawn(async move { EventLoop::current().exit(inner) }).detach();
        });
        (output, event_loop.exec(), event_loop.run_until(yield_twice(5)))
    })?;

    assert_eq!(outcome, ("output", 3, 5));
    Ok(())
}

/// What becomes ready inside a nested run may be what the run around it waits for.
#[test]
fn a_nested_run_swallows_no_wakeup() -> Result<()> {
    let outputs = in_thread(|event_loop| {
        let nest: [fn(); 2] = [
            || EventLoop::current().run_until(yield_twice(())),
            || _ = EventLoop::current().process_events(),
        ];
        nest.map(|nest| {
            let (sender, receiver) = channel::bounded(1);
            let task = event_loop.spawn(async move {
                let _ = sender.send("awaited").await;
                nest();
            });
            task.detach();
            event_loop.run_until(receiver.recv())
        })
    })?;

    assert_eq!(outputs, [Ok("awaited"); 2]);
    Ok(())
}

/// `spawn`: the output is awaited, a detached task runs to its end, a dropped one is cancelled.
#[test]
fn tasks_are_awaited_detached_or_cancelled() -> Result<()> {
    let log = in_thread(|event_loop| {
        let log = Log::default();
        let note = |name| {
            let log = log.clone();
            async move {
                yield_now().await;
                log.add(name);
                name
            }
        };
        let awaited = event_loop.spawn(note("awaited"));
        event_loop.spawn(note("detached")).detach();
        drop(event_loop.spawn(note("cancelled")));
        let output = event_loop.run_until(awaited);
        event_loop.run_until(yield_twice(()));
        log.add(output);
        log.take()
    })?;

    assert_eq!(log, ["awaited", "detached", "awaited"]);
    Ok(())
}

/// smol's own types work in tasks of the loop, and wake it from its sleep.
#[test]
fn timers_and_channels_of_smol_wake_the_loop() -> Result<()> {
    let output = in_thread(|event_loop| {
        let (sender, receiver) = channel::unbounded();
        let from_afar = sender.clone();
        let timer = event_loop.spawn(async move {
            Timer::after(Duration::from_millis(1)).await;
            let _ = sender.send("timer").await;
            thread::spawn(move || from_afar.send_blocking("thread"));
        });
        timer.detach();
        event_loop.run_until(async { [receiver.recv().await, receiver.recv().await] })
    })?;

    assert_eq!(output, [Ok("timer"), Ok("thread")]);
    Ok(())
}

/// Qt: `invokeMethod` with `Qt::QueuedConnection`: in order; what a call posts comes a turn later.
#[test]
fn posted_calls_run_in_order_and_their_own_posts_a_turn_later() -> Result<()> {
    thread_local! {
        static LOG: Log<u32> = Log::default();
    }
    fn add(number: u32) {
        LOG.with(|log| log.add(number));
    }

    let turns = in_thread(|event_loop| {
        let handle = event_loop.handle();
        handle.post(|| {
            add(1);
            EventLoop::current().handle().post(|| add(4));
        });
        handle.post(|| add(2));
        handle.post(|| add(3));
        [(); 2].map(|()| {
            event_loop.process_events();
            LOG.with(Log::take)
        })
    })?;

    assert_eq!(turns, [vec![1, 2, 3], vec![4]]);
    Ok(())
}

/// Qt: `QCoreApplication::processEvents()` runs what is ready and returns, whatever is to come.
#[test]
fn process_events_does_not_wait() -> Result<()> {
    let log = in_thread(|event_loop| {
        let log = Log::default();
        let in_task = log.clone();
        event_loop
            .spawn(async move {
                in_task.add("ready");
                Timer::after(10 * DEADLINE).await;
                in_task.add("not yet");
            })
            .detach();
        event_loop.process_events();
        event_loop.process_events();
        log.take()
    })?;

    assert_eq!(log, ["ready"]);
    Ok(())
}

/// A post wakes a loop that sleeps, however close to its falling asleep it comes.
#[test]
fn no_posted_call_is_lost() -> Result<()> {
    const THREADS: usize = 3;
    const ROUNDS: usize = 2000;
    let counts = in_thread(|event_loop| {
        let peers: Vec<_> = (0..THREADS)
            .map(|_| {
                let handle = event_loop.handle();
                thread::spawn(move || (0..ROUNDS).try_for_each(|_| post_and_wait(&handle)))
            })
            .collect();
        let handle = event_loop.handle();
        let end = thread::spawn(move || {
            let outcomes: Vec<_> = peers.into_iter().map(thread::JoinHandle::join).collect();
            handle.quit();
            outcomes
        });
        event_loop.exec();
        end.join()
    })?;

    for outcome in counts.map_err(|_| anyhow!("a thread panicked"))? {
        outcome.map_err(|_| anyhow!("a thread panicked"))??;
    }
    Ok(())
}

/// A task that is always ready holds up neither posted calls nor timers.
#[test]
fn a_busy_task_leaves_room_for_the_others() -> Result<()> {
    let code = in_thread(|event_loop| {
        let busy = event_loop.spawn(async {
            loop {
                yield_now().await;
            }
        });
        let handle = event_loop.handle();
        event_loop
            .spawn(async move {
                Timer::after(Duration::from_millis(1)).await;
                thread::spawn(move || handle.post(|| EventLoop::current().exit(3)));
            })
            .detach();
        let code = event_loop.exec();
        drop::<smol::Task<()>>(busy);
        code
    })?;

    assert_eq!(code, 3);
    Ok(())
}

/// Promised: a panic in a posted call, a task or a queued slot ends nothing but itself.
#[test]
fn a_panic_does_not_end_the_loop() -> Result<()> {
    let code = in_thread(|event_loop| {
        let signal = Signal::<()>::new();
        signal.queued().connect(|()| panic_in_slot());
        signal.emit(&());
        event_loop.handle().post(|| panic_in_slot());
        event_loop.spawn(async { panic_in_slot() }).detach();
        let later = event_loop.spawn(async {
            yield_twice(()).await;
            EventLoop::current().exit(5);
        });
        later.detach();
        event_loop.exec()
    })?;

    assert_eq!(code, 5);
    Ok(())
}

/// Tasks and posted calls that did not get to run end with the thread, and take along what they
/// hold; a handle may stay, and what is posted then is dropped.
#[test]
fn what_is_left_is_dropped_with_the_thread() -> Result<()> {
    let held = Arc::new(());
    let (in_task, in_call, in_late_call) = (held.clone(), held.clone(), held.clone());
    let thread = thread::spawn(move || {
        let event_loop = EventLoop::current();
        let waiting = event_loop.spawn(async move {
            pending::<()>().await;
            drop(in_task);
        });
        waiting.detach();
        event_loop.process_events();
        event_loop.handle().post(move || drop(in_call));
        event_loop.handle()
    });

    let handle = thread.join().map_err(|_| anyhow!("the thread panicked"))?;
    handle.post(move || drop(in_late_call));
    handle.quit();

    assert_eq!(Arc::strong_count(&held), 1);
    assert!(!handle.is_current());
    Ok(())
}

/// Posts a call and waits until it has run.
fn post_and_wait(handle: &LoopHandle) -> Result<()> {
    let (sender, receiver) = mpsc::channel();
    handle.post(move || _ = sender.send(()));
    receiver.recv_timeout(DEADLINE).context("a call was lost")
}

/// A future that needs three looks.
async fn yield_twice<T>(output: T) -> T {
    yield_now().await;
    yield_now().await;
    output
}

/// What happened, in order.
#[derive(Debug)]
struct Log<T>(Rc<RefCell<Vec<T>>>);

impl<T> Log<T> {
    fn add(&self, entry: T) {
        self.0.borrow_mut().push(entry);
    }

    fn take(&self) -> Vec<T> {
        self.0.take()
    }
}

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self(Rc::default())
    }
}
