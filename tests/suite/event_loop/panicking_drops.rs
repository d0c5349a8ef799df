//! Values that panic when they are dropped: neither the process nor the loop ends.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use slotwork::signals::Signal;
use slotwork::{EventLoop, EventThread, Timer, WebSocket};

use support::{DEADLINE, echo_server, in_thread, panic_in_slot, run_until, wait_until};

/// Panics when it is dropped, and counts that.
struct Bomb(Arc<AtomicU32>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        resume_unwind(Box::new("a capture panics"));
    }
}

/// The last handle of a client's socket is its task's: its slots, several of them, end with that.
#[test]
fn captures_of_a_client_may_panic_at_its_end() -> Result<()> {
    let (server, ended) = (echo_server()?, Arc::default());
    let client = WebSocket::new();
    for _ in 0..3 {
        let bombs = [(); 4].map(|()| Bomb(Arc::clone(&ended)));
        let [connected, texts, ends, direct] = bombs;
        client.connected().connect(move |_, ()| _ = &connected);
        client.text_message_received().connect(move |_, _| _ = &texts);
        client.disconnected().connect(move |_, ()| _ = &ends);
        client.state_changed().queued().connect(move |_, _| _ = &direct);
    }
    client.set_data(SharedBomb(Bomb(Arc::clone(&ended))));
    client.connected().connect(|client, ()| _ = client.close(1000, ""));
    client.open(server.server_url())?;
    drop(client);

    wait_until(|| ended.load(Ordering::Relaxed) == 13)?;

    let next = WebSocket::new();
    let connected = next.connected().next();
    next.open(server.server_url())?;
    ensure!(run_until(connected)?.is_some());
    Ok(())
}

struct SharedBomb(#[expect(dead_code, reason = "it is there to be dropped")] Bomb);

/// A task: cancelled before it began, in its middle, done, or left at the thread's end.
#[test]
fn captures_of_a_task_may_panic() -> Result<()> {
    let ended = Arc::<AtomicU32>::default();
    let bomb = || Bomb(Arc::clone(&ended));
    let task = |bomb: Bomb, pending: bool| async move {
        if pending {
            std::future::pending::<()>().await;
        }
        drop(bomb);
    };
    let bombs = [(); 5].map(|()| bomb());

    let is_well = in_thread(move |event_loop| {
        let [unbegun, begun, done, panicking, left] = bombs;
        drop(event_loop.spawn(task(unbegun, false)));
        let begun = event_loop.spawn(task(begun, true));
        event_loop.spawn(task(done, false)).detach();
        event_loop.spawn(async move { panic_with(panicking) }).detach();
        event_loop.spawn(task(left, true)).detach();
        event_loop.process_events();
        drop(begun);
        event_loop.process_events();
        event_loop.process_events();
        true
    })?;

    ensure!(is_well);
    wait_until(|| ended.load(Ordering::Relaxed) == 5)
}

/// A panic with a payload that panics when it is dropped.
fn panic_with(bomb: Bomb) -> ! {
    resume_unwind(Box::new(bomb))
}

/// Signals, posted and deferred calls, timers, async slots and slots, all left at the thread's end.
#[test]
fn captures_may_panic_at_the_end_of_their_thread() -> Result<()> {
    for uses_event_thread in [true, false] {
        let ended = Arc::<AtomicU32>::default();
        let in_thread = Arc::clone(&ended);
        let elsewhere = Arc::new(Signal::<u32>::new());
        let signal = Arc::clone(&elsewhere);
        let leave = move || {
            let (event_loop, bomb) = (EventLoop::current(), || Bomb(Arc::clone(&in_thread)));
            for _ in 0..2 {
                let [posted, deferred, timed, slot, queued, waiting, quits, task] =
                    [(); 8].map(|()| bomb());
                signal.connect(move |_| _ = &slot);
                let own = Signal::<()>::new();
                own.queued().connect(move |()| _ = &queued);
                own.connect_async({
                    let waiting = RefCell::new(Some(waiting));
                    move |()| {
                        let waiting = waiting.take();
                        async move {
                            std::future::pending::<()>().await;
                            drop(waiting);
                        }
                    }
                });
                own.emit(&());
                event_loop.process_events();
                own.emit(&());
                event_loop.about_to_quit().connect(move |_, ()| _ = &quits);
                event_loop.handle().post(move || drop(posted));
                event_loop.defer_to((), move |()| drop(deferred));
                Timer::single_shot(Duration::from_secs(3600), move || drop(timed));
                let left = async move {
                    std::future::pending::<()>().await;
                    drop(task);
                };
                event_loop.spawn(left).detach();
            }
        };
        if uses_event_thread {
            let thread = EventThread::spawn("ending", move || {
                leave();
                EventLoop::current().quit();
            })?;
            thread.wait()?;
        } else {
            thread::spawn(leave).join().map_err(|_| anyhow!("it panicked"))?;
        }
        let count = ended.load(Ordering::Relaxed);
        ensure!(count >= 14, "{count}, {uses_event_thread}");
        drop(elsewhere);
    }
    Ok(())
}

/// A slot panics, and what is dropped while that unwinds panics too; the first panic is the one that
/// is seen.
#[test]
fn captures_may_panic_while_a_panic_unwinds() -> Result<()> {
    let ended = Arc::<AtomicU32>::default();
    let signal = Rc::new(Signal::<()>::new());
    let inner = Signal::<()>::new();
    for _ in 0..2 {
        let (bomb, direct) = (Bomb(Arc::clone(&ended)), Bomb(Arc::clone(&ended)));
        inner.connect(move |()| _ = &bomb);
        inner.direct().connect(move |()| _ = &direct);
    }
    let keep = RefCell::new(Some(inner));
    signal.connect(move |()| {
        let _dropped_while_unwinding = keep.take();
        panic_in_slot();
    });

    let payload = catch_unwind(AssertUnwindSafe(|| signal.emit(&()))).err();

    ensure!(payload.is_some_and(|payload| payload.downcast_ref() == Some(&"a slot panics")));
    ensure!(ended.load(Ordering::Relaxed) == 4);
    Ok(())
}

/// A socket that is made, opened or sent to by what is dropped with its thread.
#[cfg_attr(all(windows, target_env = "gnu"), ignore = "values are made anew at the thread's end")]
#[test]
fn sockets_may_be_opened_at_the_end_of_a_thread() -> Result<()> {
    struct Opens(RefCell<Option<(mpsc::Sender<bool>, Option<WebSocket>)>>);
    impl Drop for Opens {
        fn drop(&mut self) {
            let Some((say, socket)) = self.0.take() else { return };
            let socket = socket.unwrap_or_default();
            let result = socket.open("ws://127.0.0.1:9/");
            socket.send_text_message("late");
            let _ = say.send(result.is_err());
        }
    }
    thread_local! {
        static OPENS: Opens = const { Opens(RefCell::new(None)) };
    }

    for keeps_socket in [false, true] {
        for comes_first in [false, true] {
            let (say, said) = mpsc::channel();
            let thread = thread::spawn(move || {
                if comes_first {
                    OPENS.with(|_| {});
                }
                let socket = WebSocket::new();
                if !comes_first {
                    OPENS.with(|_| {});
                }
                let opened = socket.open("ws://127.0.0.1:9/").is_ok();
                EventLoop::current().process_events();
                OPENS.with(|opens| opens.0.replace(Some((say, keeps_socket.then_some(socket)))));
                opened
            });

            ensure!(thread.join().map_err(|_| anyhow!("it panicked"))?);
            let is_refused = said.recv_timeout(DEADLINE)?;
            ensure!(is_refused || !comes_first, "{keeps_socket}");
        }
    }
    Ok(())
}
