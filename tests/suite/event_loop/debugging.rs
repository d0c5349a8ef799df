//! What `{:?}` shows of the objects of a loop: their state, also inside of their own slots.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, ensure};
use slotwork::{EventLoop, EventThread, NestedLoop, Timer};

/// A timer shows what it has left, and loops whether they run.
#[test]
fn loops_and_timers_show_whether_they_run() {
    let (timer, nested) = (Timer::default(), Rc::new(NestedLoop::new()));
    timer.set_interval(Duration::from_secs(3));
    let shown = Rc::new(RefCell::new(Vec::new()));
    let (inside, quitting) = (Rc::clone(&shown), Rc::clone(&nested));
    Timer::single_shot(Duration::ZERO, move || {
        inside.borrow_mut().push(format!("{:?} {quitting:?}", EventLoop::current()));
        quitting.quit();
    });

    shown.borrow_mut().push(format!("{:?} {nested:?}", EventLoop::current()));
    nested.exec();

    assert_eq!(
        *shown.borrow(),
        [
            "EventLoop { running: 0, .. } NestedLoop { is_running: false }",
            "EventLoop { running: 1, .. } NestedLoop { is_running: true }",
        ]
    );
    assert_eq!(format!("{timer:?}"), "Timer { interval: 3s, remaining_time: None, .. }");
}

/// A thread shows its name, and whether it runs; what refers to it weakly keeps nothing.
#[test]
fn threads_show_their_names() -> Result<()> {
    let builder = EventThread::builder("worker");
    let thread = EventThread::spawn("ending", || ())?;
    let (weak, handle) = (slotwork::signals::Handle::downgrade(&thread), thread.handle());

    ensure!(format!("{builder:?}").starts_with("EventThreadBuilder { name: \"worker\""));
    let shown = format!("{thread:?}");
    ensure!(shown == "EventThread { name: \"ending\", is_running: true, .. }", "{shown}");
    ensure!(format!("{handle:?}").starts_with("LoopHandle { thread: "), "{handle:?}");
    thread.quit();
    thread.wait()?;
    ensure!(format!("{weak:?}") == "WeakEventThread { .. }" && weak.upgrade().is_none());
    Ok(())
}

/// A notifier shows its descriptor, and what it is enabled for.
#[cfg(unix)]
#[test]
fn notifiers_show_what_they_are_enabled_for() -> Result<()> {
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    use slotwork::SocketNotifier;
    use slotwork::signals::Handle;

    let (stream, _peer) = UnixStream::pair()?;
    let number = stream.as_raw_fd();
    let notifier = SocketNotifier::new(stream)?;
    let shown = format!("{notifier:?}");

    ensure!(shown.contains(&number.to_string()), "{shown}");
    ensure!(shown.contains("readable: true, writable: false"), "{shown}");
    ensure!(format!("{:?}", notifier.downgrade().clone()) == "WeakSocketNotifier { .. }");
    Ok(())
}
