//! `EventThread`: its worker, its end, its panics.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use slotwork::signals::{Signal, SignalSpy};
use slotwork::{
    Error, EventLoop, EventThread, LoopHandle, NestedLoop, PanicPolicy, SocketState, Timer,
    WebSocket,
};

use support::raw_peer::RawPeer;
use support::raw_server::RawServer;
use support::{DEADLINE, listening_server, panic_in_slot, run_until, wait_until};

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
    // It has no effect any more, which is not an error.
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
            // A thread that ends late has a loop that does not run.
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

/// Promised: sockets emit `disconnected` when their loop ends, before its timers are gone, to slots
/// of the thread itself and of others; so do a client that still connects, and streams.
#[test]
fn sockets_emit_when_their_thread_ends() -> Result<()> {
    let (say, said) = mpsc::channel();
    let (say_port, port) = mpsc::channel();
    let nobody = RawServer::listen()?;
    let url = nobody.url();
    let thread = EventThread::spawn("server", move || -> Result<()> {
        let server = listening_server()?;
        say_port.send(server.server_port())?;
        let connecting = WebSocket::new();
        connecting.open(url)?;
        let tell = say.clone();
        connecting.disconnected().connect(move |_socket, ()| _ = tell.send("connecting".into()));
        // The server lives as long as its slot, which is as long as the loop.
        let keep = server.clone();
        server.new_connection().connect(move |_server, ()| {
            let Some(socket) = keep.next_pending_connection() else { return };
            let tell = say.clone();
            socket.state_changed().connect(move |_socket, state| {
                _ = tell.send(format!("{state:?}"));
            });
            let tell = say.clone();
            socket.disconnected().connect(move |socket, ()| {
                let code = socket.close_code().map(u16::from);
                _ = tell.send(format!("disconnected {code:?} {:?}", socket.error().is_some()));
            });
            SOCKETS.lock().unwrap().push(socket);
        });
        Ok(())
    })?;
    let port = port.recv_timeout(DEADLINE)?;
    let mut client = nobody.read_request()?;
    let mut peer = RawPeer::open(port)?;
    wait_until(|| SOCKETS.lock().is_ok_and(|sockets| !sockets.is_empty()))?;
    let socket = SOCKETS.lock().unwrap().pop().context("none")?;
    let mut messages = socket.message_stream();
    let heard = SignalSpy::new(&socket.disconnected());

    thread.quit();
    thread.wait()?;

    ensure!(socket.state() == SocketState::Unconnected);
    heard.wait_for(1)?;
    ensure!(run_until(messages.next())?.is_none());
    let mut told: Vec<String> = said.try_iter().collect();
    told.sort();
    ensure!(told == ["Unconnected", "connecting", "disconnected Some(1006) false"], "{told:?}");
    ensure!(peer.read_to_end()?.is_empty() && client.peer.read_to_end()?.is_empty());
    Ok(())
}

static SOCKETS: Mutex<Vec<WebSocket>> = Mutex::new(Vec::new());

/// A client that opens anew in `disconnected` does so in vain, and once.
#[test]
fn a_client_that_comes_back_does_not_keep_its_thread() -> Result<()> {
    for uses_thread in [true, false] {
        let nobody = RawServer::listen()?;
        let url = nobody.url();
        let (say, said) = mpsc::channel();
        let setup = move || {
            let socket = WebSocket::new();
            let (address, direct) = (url.clone(), say.clone());
            socket.disconnected().direct().connect(move |socket, ()| {
                _ = direct.send(socket.open(address.as_str()).is_ok());
            });
            socket.disconnected().connect(move |_socket, ()| _ = say.send(true));
            socket.open(url)
        };
        let end = |event_loop: &LoopHandle| {
            let client = nobody.read_request()?;
            event_loop.quit();
            anyhow::Ok(client)
        };

        if uses_thread {
            let thread = EventThread::spawn("back", setup)?;
            let _client = end(&thread.handle())?;
            thread.wait()?;
        } else {
            let (give, given) = mpsc::channel();
            let thread = thread::spawn(move || -> Result<()> {
                setup()?;
                give.send(EventLoop::current().handle())?;
                EventLoop::current().exec();
                Ok(())
            });
            let _client = end(&given.recv_timeout(DEADLINE)?)?;
            thread.join().map_err(|_| anyhow!("it panicked"))??;
        }

        let calls = said.try_iter().count();
        ensure!(calls <= 2 && (calls == 2 || !uses_thread), "{calls}");
    }
    Ok(())
}

/// The same for a thread that runs its loop itself: slots of other threads are called.
#[test]
fn sockets_emit_when_a_plain_thread_ends() -> Result<()> {
    let (server_thread, ends) = mpsc::channel();
    let thread = thread::spawn(move || -> Result<()> {
        let server = listening_server()?;
        server_thread.send((server, EventLoop::current().handle()))?;
        EventLoop::current().exec();
        Ok(())
    });
    let (server, handle) = ends.recv_timeout(DEADLINE)?;
    let mut peer = RawPeer::open(server.server_port())?;
    wait_until(|| server.has_pending_connections())?;
    let socket = server.next_pending_connection().context("none")?;
    let heard = SignalSpy::new(&socket.disconnected());

    handle.quit();
    thread.join().map_err(|_| anyhow!("it panicked"))??;

    heard.wait_for(1)?;
    ensure!(socket.state() == SocketState::Unconnected && !server.is_listening());
    ensure!(peer.read_to_end()?.is_empty());
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
            let _ = say.send(matches!(outcome, Some(Err(Error::ThreadJoinsItself { .. })) | None));
            EventLoop::current().quit();
        });
        ensure!(said.recv_timeout(DEADLINE)?);
    }
    Ok(())
}

/// Qt: `QThread::exit()` before `exec()`, and `quit()` in a slot of `started`: the thread ends with
/// that code, whatever in the setup calls it.
#[test]
fn a_setup_may_end_its_thread() -> Result<()> {
    let ways: [(i32, fn()); 6] = [
        (42, || EventLoop::current().exit(42)),
        (0, || EventLoop::current().quit()),
        (7, || {
            let signal = Signal::<()>::new();
            signal.connect(|()| EventLoop::current().exit(7));
            signal.emit(&());
        }),
        (8, || {
            EventLoop::current().defer_to((), |()| EventLoop::current().exit(8));
            EventLoop::current().process_events();
        }),
        (9, || {
            Timer::single_shot(Duration::from_millis(1), || EventLoop::current().exit(9));
            NestedLoop::new().exec();
        }),
        (11, || {
            EventLoop::current().exit(10);
            EventLoop::current().exit(11);
        }),
    ];
    for (code, end) in ways {
        let (say, said) = mpsc::channel();
        let thread = EventThread::spawn("setup", move || {
            let tell = say.clone();
            EventLoop::current().about_to_quit().connect(move |_, ()| _ = tell.send("quits"));
            end();
        })?;
        let (give, given) = mpsc::channel();
        thread::spawn(move || give.send(thread.wait()));

        let ended = given.recv_timeout(DEADLINE).with_context(|| format!("{code}"))??;
        ensure!(ended == code, "{ended} instead of {code}");
        ensure!(said.try_iter().collect::<Vec<_>>() == ["quits"], "{code}");
    }
    Ok(())
}
