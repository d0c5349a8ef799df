//! The start and the end of an `EventThread`, as other threads notice them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{
    Error, EventLoop, EventThread, HostAddress, NestedLoop, PanicPolicy, SslMode, WebSocketServer,
};

use support::{DEADLINE, in_thread, panic_in_slot, run_until};

/// A controller of a thread that ends by itself.
#[derive(Default)]
struct Controller {
    worker_thread: RefCell<Option<EventThread>>,
    log: RefCell<Vec<String>>,
}

impl Controller {
    fn start(self: &Rc<Self>, code: i32) -> Result<(), Error> {
        let builder = EventThread::builder("worker");
        builder.started().connect_to(self, Self::on_started);
        builder.finished().connect_to(self, Self::on_finished);
        let thread = builder.spawn(move || EventLoop::current().exit(code))?;
        self.worker_thread.replace(Some(thread));
        Ok(())
    }

    fn on_started(self: &Rc<Self>, thread: &EventThread, (): &()) {
        self.log.borrow_mut().push(format!("{} started", thread.name()));
    }

    fn on_finished(self: &Rc<Self>, thread: &EventThread, (): &()) {
        let code = self.worker_thread.take().map(EventThread::wait);
        let name = thread.name();
        let line = format!("{name} finished with {code:?}, running: {}", thread.is_running());
        self.log.borrow_mut().push(line);
        EventLoop::current().quit();
    }
}

/// Qt: `QThread::started` and `finished`, connected before `start()`: a port's awkward place,
/// without `Weak`, clones and flags.
#[test]
fn a_controller_learns_of_a_thread_that_ends_by_itself() -> Result<()> {
    let controller = Rc::new(Controller::default());

    controller.start(7)?;
    EventLoop::current().exec();

    let expected = ["worker started", "worker finished with Some(Ok(7)), running: false"];
    ensure!(controller.log.take() == expected);
    Ok(())
}

/// Promised: when `finished` is emitted a join cannot block: thread-local values are dropped too.
#[test]
fn finished_is_emitted_when_a_join_cannot_block() -> Result<()> {
    struct Slow(mpsc::Receiver<()>, mpsc::Sender<&'static str>);
    impl Drop for Slow {
        fn drop(&mut self) {
            let _ = self.1.send("ending");
            let _ = self.0.recv();
            let _ = self.1.send("gone");
        }
    }
    thread_local!(static SLOW: RefCell<Option<Slow>> = const { RefCell::new(None) });

    let (go_on, wait) = mpsc::channel();
    let (say, notes) = mpsc::channel();
    let tell = say.clone();
    let thread = EventThread::spawn("slow", move || SLOW.set(Some(Slow(wait, tell))))?;
    thread.finished().direct().connect(move |_thread, ()| _ = say.send("finished"));
    let finished = SignalSpy::new(&thread.finished());

    thread.quit();
    ensure!(notes.recv_timeout(DEADLINE)? == "ending");
    let thread = thread.wait_timeout(Duration::from_millis(1)).err().context("it has ended")?;
    ensure!(notes.try_recv().is_err() && finished.count() == 0);
    go_on.send(())?;

    finished.wait_for(1)?;
    ensure!(thread.wait()? == 0);
    let rest = [notes.recv_timeout(DEADLINE)?, notes.recv_timeout(DEADLINE)?];
    ensure!(rest == ["gone", "finished"], "{rest:?}");
    Ok(())
}

/// Qt: `finished` is emitted however the thread ends, once, also to slots that have no thread any
/// more: waited for, dropped, dropped in itself, after a panic.
#[test]
fn finished_is_emitted_however_the_thread_ends() -> Result<()> {
    type Way = (&'static str, fn(EventThread) -> Result<()>);
    let ways: [Way; 5] = [
        ("quit", |thread| {
            thread.quit();
            // The handle is kept, but not used.
            KEPT.set(Some(thread));
            Ok(())
        }),
        ("waited for", |thread| {
            thread.quit();
            ensure!(thread.wait()? == 0);
            Ok(())
        }),
        ("dropped", |thread| {
            drop(thread);
            Ok(())
        }),
        ("dropped in itself", |thread| {
            thread.handle().post(move || drop(thread));
            Ok(())
        }),
        ("panicked", |thread| {
            thread.handle().post(|| {
                EventLoop::current().set_panic_policy(PanicPolicy::Propagate);
                panic_in_slot();
            });
            let outcome = thread.wait_timeout(DEADLINE).map_err(|_| anyhow!("it runs"))?;
            ensure!(matches!(outcome, Err(Error::ThreadPanicked { .. })), "{outcome:?}");
            Ok(())
        }),
    ];
    for (way, end) in ways {
        let builder = EventThread::builder(way);
        let (started, finished) =
            (SignalSpy::new(&builder.started()), SignalSpy::new(&builder.finished()));

        end(builder.spawn(|| ())?).context(way)?;

        finished.wait_for(1).context(way)?;
        ensure!((started.count(), finished.count()) == (1, 1), "{way}");
        KEPT.take();
    }
    Ok(())
}

thread_local! {
    static KEPT: Cell<Option<EventThread>> = const { Cell::new(None) };
}

/// Slots of `finished` may do anything: disconnect themselves, drop the thread, start another one.
#[test]
fn slots_of_finished_may_do_anything() -> Result<()> {
    let log = in_thread(|event_loop| {
        let (log, kept) = (Rc::new(RefCell::new(Vec::new())), Rc::new(RefCell::new(None)));
        let builder = EventThread::builder("first");
        let itself = Rc::new(RefCell::new(None));
        let connection = builder.finished().connect_to(
            (&log, &kept, &itself),
            |(log, kept, itself), thread, ()| {
                itself.take().into_iter().for_each(|connection: slotwork::signals::Connection| {
                    connection.disconnect();
                });
                log.borrow_mut().push(thread.name().to_owned());
                let before: Option<EventThread> = kept.take();
                drop(before);
                let next = EventThread::builder("second");
                next.finished().connect_to(log, |log, thread, ()| {
                    log.borrow_mut().push(thread.name().to_owned());
                    EventLoop::current().quit();
                });
                kept.replace(next.spawn(|| EventLoop::current().quit()).ok());
            },
        );
        itself.replace(Some(connection));
        kept.replace(builder.spawn(|| EventLoop::current().quit()).ok());
        event_loop.exec();
        log.take()
    })?;

    ensure!(log == ["first", "second"], "{log:?}");
    Ok(())
}

/// Panicking direct slots of both signals harm nothing; what slots captured is dropped.
#[test]
fn slots_that_panic_or_hold_their_thread_harm_nothing() -> Result<()> {
    let held = Arc::new(Mutex::new(None));
    let builder = EventThread::builder("held");
    builder.started().direct().connect(|_thread, ()| panic_in_slot());
    builder.finished().direct().connect(|_thread, ()| panic_in_slot());
    let capture = Arc::clone(&held);
    builder.finished().direct().connect(move |_thread, ()| _ = capture.lock().is_ok());
    let finished = SignalSpy::new(&builder.finished());
    let thread = builder.spawn(|| ())?;
    thread.quit();
    held.lock().map_err(|_| anyhow!("poisoned"))?.replace(thread);

    finished.wait_for(1)?;

    ensure!(EventLoop::current().wait_until(|| Arc::strong_count(&held) == 1, DEADLINE));
    Ok(())
}

/// A slot of `started` that holds its thread is dropped with the thread's end, also when no slot
/// awaits that.
#[test]
fn a_slot_of_started_may_hold_its_thread() -> Result<()> {
    let held = Arc::new(Mutex::new(None));
    let builder = EventThread::builder("held");
    let capture = Arc::clone(&held);
    builder.started().direct().connect(move |_thread, ()| _ = capture.lock().is_ok());
    let thread = builder.spawn(|| ())?;
    thread.quit();
    held.lock().map_err(|_| anyhow!("poisoned"))?.replace(thread);

    ensure!(EventLoop::current().wait_until(|| Arc::strong_count(&held) == 1, DEADLINE));
    Ok(())
}

/// Qt: `QThread::finished`, awaited; an async slot gets the thread too, and may wait for it.
#[test]
fn finished_can_be_awaited() -> Result<()> {
    let builder = EventThread::builder("awaited");
    let (say, code) = smol::channel::bounded(1);
    builder.finished().connect_async(async move |thread, ()| {
        let _ = say.send(thread.wait()).await;
    });
    let _thread = builder.spawn(|| EventLoop::current().exit(3))?;

    let code = run_until(async move { code.recv().await })???;

    ensure!(code == 3, "{code}");
    Ok(())
}

/// Qt: `QThread::wait(deadline)`: the thread that still runs comes back, and may be waited for again.
#[test]
fn wait_timeout_returns_a_thread_that_still_runs() -> Result<()> {
    let (go_on, wait) = mpsc::channel::<()>();
    let thread = EventThread::spawn("busy", || ())?;
    thread.handle().post(move || _ = wait.recv());
    thread.quit();

    let thread = thread.wait_timeout(Duration::ZERO).err().context("it has ended")?;
    let thread = thread.wait_timeout(Duration::from_millis(1)).err().context("it has ended")?;
    ensure!(thread.is_running() && thread.name() == "busy");
    go_on.send(())?;

    let code = thread.wait_timeout(Duration::MAX).map_err(|_| anyhow!("it still runs"))?;
    ensure!(code? == 0);
    Ok(())
}

/// In the thread itself it is an error, as that of `wait` is.
#[test]
fn a_thread_does_not_wait_for_itself_with_a_timeout() -> Result<()> {
    let thread = EventThread::spawn("itself", || ())?;
    let (say, said) = mpsc::channel();

    thread.handle().post(move || {
        let outcome = thread.wait_timeout(DEADLINE);
        let _ = say.send(matches!(outcome, Ok(Err(Error::ThreadJoinsItself { .. }))));
        EventLoop::current().quit();
    });

    ensure!(said.recv_timeout(DEADLINE)?);
    Ok(())
}

/// Promised: a setup that fails ends the thread, and its error is returned; it neither started nor
/// finished.
#[test]
fn a_setup_may_fail() -> Result<()> {
    let held = Arc::new(());
    let builder = EventThread::builder("failing");
    let (started, finished) =
        (SignalSpy::new(&builder.started()), SignalSpy::new(&builder.finished()));
    let in_task = Arc::clone(&held);
    let failed = builder.try_spawn(move || {
        let task = async move {
            std::future::pending::<()>().await;
            drop(in_task);
        };
        EventLoop::current().spawn(task).detach();
        Err::<(), _>(anyhow!("no device"))
    });

    ensure!(failed.err().context("it started")?.to_string() == "no device");
    ensure!(Arc::strong_count(&held) == 1);
    ensure!(!EventLoop::current().wait_until(|| finished.count() > 0, Duration::from_millis(20)));
    ensure!(started.count() == 0);
    Ok(())
}

/// A setup that succeeds, and one that panics: as with `spawn`.
#[test]
fn a_setup_that_may_fail_may_succeed_or_panic() -> Result<()> {
    let thread = EventThread::try_spawn("server", || -> Result<_, Error> {
        let server = WebSocketServer::new("Server", SslMode::NonSecure);
        server.listen(HostAddress::LocalHost, 0)?;
        EventLoop::current().exit(4);
        Ok(server)
    })?;
    ensure!(thread.wait()? == 4);

    let panicked = EventThread::try_spawn("panicking", || -> Result<(), Error> { panic_in_slot() });
    ensure!(matches!(panicked, Err(Error::ThreadPanicked { .. })), "{panicked:?}");
    Ok(())
}

/// Qt: `requestInterruption()` and `isInterruptionRequested()`, from everywhere; dropping the thread
/// requests it too.
#[test]
fn long_work_can_be_interrupted() -> Result<()> {
    type Way = (&'static str, fn(EventThread) -> Result<i32, Error>);
    let ways: [Way; 3] = [
        ("by the thread", |thread| {
            thread.request_interruption();
            let is_requested = thread.is_interruption_requested();
            thread.quit();
            thread.wait().map(|code| code + i32::from(!is_requested))
        }),
        ("by the loop", |thread| {
            thread.handle().request_interruption();
            thread.quit();
            thread.wait()
        }),
        ("by the drop", |thread| {
            drop(thread);
            Ok(0)
        }),
    ];
    for (way, interrupt) in ways {
        let thread = EventThread::spawn(way, || ())?;
        ensure!(!thread.is_interruption_requested());
        let (say_begun, begun) = mpsc::channel();
        let (say_ended, ended) = mpsc::channel();
        thread.handle().post(move || {
            let _ = say_begun.send(());
            while !EventLoop::current().is_interruption_requested() {
                thread::yield_now();
            }
            let _ = say_ended.send(EventLoop::current().handle().is_interruption_requested());
        });
        begun.recv_timeout(DEADLINE)?;

        ensure!(interrupt(thread)? == 0, "{way}");

        ensure!(ended.recv_timeout(DEADLINE)?, "{way}");
        ensure!(!EventLoop::current().is_interruption_requested());
    }
    Ok(())
}

/// Qt: `QThread::setStackSize()`: what does not fit into 2 MiB; and loops in slots of a small stack
/// are refused before it is used up.
#[test]
fn a_thread_has_the_stack_that_it_was_given() -> Result<()> {
    fn fill(left: usize) -> usize {
        let bytes = std::hint::black_box([1_u8; 16 * 1024]);
        if left == 0 { bytes.len() } else { fill(left - 1) + usize::from(bytes[left]) - 1 }
    }
    fn nest() -> i32 {
        let _bytes = std::hint::black_box([1_u8; 16 * 1024]);
        let depth = Rc::new(Cell::new(0));
        EventLoop::current().defer_to(&depth, |depth| depth.set(nest()));
        let nested = Rc::new(NestedLoop::new());
        EventLoop::current().defer_to(&nested, |nested| nested.quit());
        if nested.exec() == 0 { depth.get() + 1 } else { 0 }
    }

    let big = EventThread::builder("big").stack_size(16 * 1024 * 1024);
    let thread = big.spawn(|| EventLoop::current().exit(i32::from(fill(400) != 16 * 1024)))?;
    ensure!(thread.wait()? == 0);

    let small = EventThread::builder("small").stack_size(512 * 1024);
    let thread = small.spawn(|| ())?;
    thread.handle().post(|| {
        let depth = nest();
        EventLoop::current().exit(depth);
    });
    let depth = thread.wait()?;
    ensure!((1..=16).contains(&depth), "{depth}");
    Ok(())
}

/// The handle that slots get does not own the thread; it outlives the owner.
#[test]
fn only_the_owner_ends_its_thread() -> Result<()> {
    let builder = EventThread::builder("owned");
    let started = builder.started().next();
    let (say, said) = mpsc::channel();
    builder.started().direct().connect(move |thread, ()| {
        let _ = say.send(slotwork::signals::Handle::downgrade(thread));
    });
    let thread = builder.spawn(|| ())?;
    run_until(started)?.context("it did not start")?;
    let weak = said.recv_timeout(DEADLINE)?;

    drop(weak.upgrade().context("it is gone")?);
    ensure!(thread.is_running());
    drop(thread);

    let is_gone = || weak.upgrade().is_none_or(|thread| !thread.is_running());
    ensure!(EventLoop::current().wait_until(is_gone, DEADLINE));
    Ok(())
}
