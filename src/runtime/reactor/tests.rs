use std::io::{Read, Write};

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

fn wait_for_room(reactor: &Reactor, source: &Source) -> io::Result<()> {
    while !source.is_writable() {
        reactor.wait(Some(clock::now() + Duration::from_secs(5)))?;
        reactor.wake_tasks();
    }
    Ok(())
}

fn look(reactor: &Reactor) -> io::Result<()> {
    reactor.look()?;
    reactor.wake_tasks();
    Ok(())
}

/// Reads until nothing is left: on Windows no event follows before.
fn drain(stream: &mut mio::net::TcpStream) -> io::Result<()> {
    loop {
        match stream.read(&mut [0; 16]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            result => assert_ne!(result?, 0, "the end"),
        }
    }
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

/// A new socket has room: that is no event, and no turn.
#[test]
fn room_is_an_event_only_once_it_is_watched() -> io::Result<()> {
    let reactor = Reactor::current()?;
    let (mut stream, mut peer) = pair()?;
    let mut source = reactor.register(&mut stream)?;
    assert!(source.is_writable());
    source.clear_writable();
    look(&reactor)?;
    assert!(!source.is_writable());

    // There is room already.
    source.watch_room(&mut stream)?;
    wait_for_room(&reactor, &source)?;

    let mut bytes = vec![0; 1 << 20];
    let mut written = 0;
    while let Ok(count) = stream.write(&bytes) {
        written += count;
    }
    source.clear_writable();
    source.watch_room(&mut stream)?;
    look(&reactor)?;
    assert!(!source.is_writable());
    while written > 0 {
        written -= peer.read(&mut bytes)?;
    }
    wait_for_room(&reactor, &source)
}

#[test]
fn events_of_a_source_with_a_number_call_the_handler() -> io::Result<()> {
    thread_local! { static HANDLED: Cell<u32> = const { Cell::new(0) } }
    let reactor = Reactor::current()?;
    reactor.set_event_handler(|number| HANDLED.set(number));
    let (mut stream, mut peer) = pair()?;
    let source = reactor.register(&mut stream)?;
    let task = Arc::new(Count::default());
    source.set_waker(&Arc::clone(&task).into());
    source.set_event_number(Some(7));

    peer.write_all(b"x")?;
    wait_for_input(&reactor, &source)?;
    let before = task.get();
    assert!(reactor.has_ready() && reactor.handle_next() && !reactor.handle_next());
    assert_eq!((HANDLED.take(), task.get() - before), (7, 0));

    source.set_event_number(None);
    drain(&mut stream)?;
    drop(peer);
    while !source.is_read_closed() {
        reactor.wait(Some(clock::now() + Duration::from_secs(5)))?;
        reactor.wake_tasks();
    }
    assert!(task.get() > before && !reactor.handle_next());
    Ok(())
}

/// The number has the bits that readiness leaves.
#[test]
fn a_number_that_is_too_high_is_no_handler() -> io::Result<()> {
    let reactor = Reactor::current()?;
    let (mut stream, mut peer) = pair()?;
    let source = reactor.register(&mut stream)?;
    let task = Arc::new(Count::default());
    source.set_waker(&Arc::clone(&task).into());

    for number in [1 << 24, u32::MAX] {
        source.set_event_number(Some(number));
        source.clear_readable();
        peer.write_all(b"x")?;
        wait_for_input(&reactor, &source)?;
        assert!(task.take() > 0 && !reactor.handle_next());
        drain(&mut stream)?;
    }
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
fn does_not_wait_while_something_is_to_be_handled() -> io::Result<()> {
    let (reactor, long) = (Reactor::current()?, Duration::from_secs(60));
    let begin = Instant::now();

    reactor.make_ready(1);
    reactor.wait(Some(begin + long))?;

    assert!(begin.elapsed() < long && reactor.handle_next());
    assert!(!reactor.has_ready());
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
