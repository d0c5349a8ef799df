use std::io::Write;

use super::*;
use crate::runtime::memory_budget::Holder;
use crate::testing::Count;
use crate::testing::stopped_clock::StoppedClock;

fn pair() -> io::Result<(mio::net::TcpStream, std::net::TcpStream)> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let peer = std::net::TcpStream::connect(listener.local_addr()?)?;
    let (stream, _) = listener.accept()?;
    stream.set_nonblocking(true)?;
    Ok((mio::net::TcpStream::from_std(stream), peer))
}

fn wait_for_input(reactor: &Reactor, source: &Source) -> io::Result<()> {
    while !source.is_readable() {
        reactor.wait(Some(clock::now() + Duration::from_secs(5)))?;
        reactor.wake_tasks();
    }
    Ok(())
}

#[test]
fn wakes_the_owner_when_bytes_arrive() -> io::Result<()> {
    let reactor = Reactor::current()?;
    let (mut stream, mut peer) = pair()?;
    let source = reactor.register(&mut stream)?;
    let count = Arc::new(Count::default());
    source.set_waker(&Arc::clone(&count).into());

    peer.write_all(b"x")?;
    wait_for_input(&reactor, &source)?;

    assert!(count.get() >= 1);
    assert!(!source.is_read_closed());
    Ok(())
}

/// The loop runs the tasks that events have woken anyway.
#[test]
fn every_wake_up_but_that_of_an_event_is_notified() -> io::Result<()> {
    let reactor = Reactor::current()?;
    let (mut stream, mut peer) = pair()?;
    let source = reactor.register(&mut stream)?;
    let (task, notified) = (Arc::new(Count::default()), Arc::new(Count::default()));
    source.set_waker(&Arc::clone(&task).into());
    reactor.set_notifier(Arc::clone(&notified).into());

    peer.write_all(b"x")?;
    wait_for_input(&reactor, &source)?;
    assert!(reactor.has_woken());
    assert_eq!(notified.get(), 0);

    let before = task.get();
    source.wake();
    source.handle().wake();
    source.handle().evict();
    assert!(!source.handle().report_wake(), "it is ready in both directions already");
    assert_eq!((task.get() - before, notified.get()), (3, 3));
    Ok(())
}

/// An alarm that is set to any other time ends waits too late, or is set anew in each of them.
#[cfg(any(target_os = "android", target_os = "linux"))]
#[test]
fn the_alarm_is_set_to_the_deadline_itself() -> io::Result<()> {
    let reactor = Reactor::current()?;
    let alarm = reactor.alarm.as_ref().ok_or(io::ErrorKind::Unsupported)?;
    let deadline = clock::now() + Duration::from_secs(3600);

    assert_eq!(reactor.timeout(Some(deadline)), None);

    assert!(alarm.is_set_before(deadline));
    let earlier = deadline.checked_sub(Duration::from_nanos(1));
    assert!(earlier.is_some_and(|earlier| !alarm.is_set_before(earlier)));
    Ok(())
}

/// The alarm goes by the system's clock; a stopped one has timeouts.
#[test]
fn a_stopped_clock_does_not_use_the_alarm() -> io::Result<()> {
    let (reactor, hour) = (Reactor::current()?, Duration::from_secs(3600));
    // Sets the alarm, on Linux.
    reactor.timeout(Some(clock::now() + hour));

    let _clock = StoppedClock::new();

    assert_eq!(reactor.timeout(Some(clock::now() + 2 * hour)), Some(2 * hour));
    Ok(())
}

#[test]
fn does_not_wait_while_a_connection_is_ready() -> io::Result<()> {
    let (reactor, long) = (Reactor::current()?, Duration::from_secs(60));
    let begin = Instant::now();

    reactor.set_woken();
    reactor.wait(Some(begin + long))?;

    assert!(begin.elapsed() < long && reactor.has_woken());
    reactor.clear_woken();
    assert!(!reactor.has_woken());
    Ok(())
}

#[test]
fn a_source_in_another_thread_keeps_no_loop() -> io::Result<()> {
    let notified = Arc::new(Count::default());
    let loop_of_thread = Arc::clone(&notified);
    let source = std::thread::spawn(move || {
        let reactor = Reactor::current()?;
        reactor.set_notifier(loop_of_thread.into());
        reactor.reserve()
    });
    let source = source.join().unwrap()?;

    source.wake();

    assert_eq!((notified.get(), Arc::strong_count(&notified)), (0, 1));
    Ok(())
}

/// Events are noted apart from what is reported otherwise; both can be cleared.
#[test]
fn readiness_is_cleared_whoever_has_set_it() -> io::Result<()> {
    let reactor = Reactor::current()?;
    let (mut stream, mut peer) = pair()?;
    let source = reactor.register(&mut stream)?;
    let handle = source.handle();

    peer.write_all(b"x")?;
    wait_for_input(&reactor, &source)?;
    std::thread::spawn(move || handle.report_wake()).join().unwrap();
    source.clear_readable();
    assert!(!source.is_readable() && source.is_writable());
    source.assume_readable();
    assert!(source.is_readable());
    source.clear_readable();
    source.clear_writable();
    assert!(!source.is_readable() && !source.is_writable());
    Ok(())
}

#[test]
fn a_dropped_source_leaves_no_place_and_no_waker() -> io::Result<()> {
    let reactor = Reactor::current()?;
    let (mut stream, _peer) = pair()?;
    let source = reactor.register(&mut stream)?;
    let count = Arc::new(Count::default());
    source.set_waker(&Arc::clone(&count).into());
    assert_eq!(reactor.len(), 1);

    std::thread::spawn(move || drop(source)).join().unwrap();

    assert_eq!(reactor.len(), 0);
    assert_eq!(Arc::strong_count(&count), 1);
    Ok(())
}

#[test]
fn a_handle_has_no_effect_on_the_next_source_in_its_place() -> io::Result<()> {
    let reactor = Reactor::current()?;
    let old = reactor.reserve()?;
    let (handle, old_token) = (old.handle(), old.token());
    drop(old);
    let next = reactor.reserve()?;
    let count = Arc::new(Count::default());
    next.set_waker(&Arc::clone(&count).into());

    handle.wake();
    handle.evict();
    assert!(!handle.report_wake());

    assert!(!next.is_readable() && !next.readiness().is_evicted());
    assert_eq!((reactor.len(), count.get()), (1, 0));
    assert_ne!(next.token(), old_token);
    assert!(next.handle().report_wake() && next.is_readable());
    assert_eq!(count.get(), 1);
    Ok(())
}

#[test]
fn frees_what_was_kept_and_not_used_again() -> io::Result<()> {
    thread_local! { static FREED: Cell<u32> = const { Cell::new(0) } }
    let reactor = Reactor::current()?;

    free_when_unused(|| FREED.set(FREED.get() + 1));
    while FREED.get() == 0 {
        reactor.wait(Some(clock::now() + KEPT_FOR * 2))?;
        reactor.wake_tasks();
        reactor.look()?;
    }

    reactor.look()?;
    assert_eq!(FREED.get(), 1);
    assert!(reactor.unused.get().is_none());
    Ok(())
}
