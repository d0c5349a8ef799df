//! `SocketNotifier`: when it is emitted, and what its slots may do to it.
#![cfg(unix)]

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use anyhow::{Result, ensure};
use slotwork::signals::{Handle, SignalSpy};
use slotwork::{Error, EventLoop, SocketNotifier};

use support::{panic_in_slot, run_until};

/// Qt: `QSocketNotifier::activated` with type `Read`: as long as there is something to read.
#[test]
fn it_speaks_in_each_turn_until_everything_is_read() -> Result<()> {
    let (mut peer, stream) = UnixStream::pair()?;
    let notifier = SocketNotifier::new(stream)?;
    let received = Rc::new(RefCell::new(Vec::new()));
    notifier.readable().connect_to(&received, |received, notifier, ()| {
        let mut byte = [0];
        notifier.socket().read_exact(&mut byte).unwrap();
        received.borrow_mut().extend(byte);
    });
    let spy = SignalSpy::new(&notifier.readable());

    peer.write_all(b"abc")?;
    spy.wait_for(3)?;
    turns(5)?;
    ensure!(*received.borrow() == b"abc" && spy.count() == 3, "{received:?}");

    peer.write_all(b"d")?;
    spy.wait_for(4)?;
    ensure!(*received.borrow() == b"abcd");
    Ok(())
}

/// Qt: `setEnabled()`: nothing is emitted while it is off, and nothing is lost; `Write` is off at
/// first.
#[test]
fn it_speaks_only_of_what_is_enabled() -> Result<()> {
    let (mut peer, stream) = UnixStream::pair()?;
    let notifier = SocketNotifier::new(stream)?;
    let (reads, writes) =
        (SignalSpy::new(&notifier.readable()), SignalSpy::new(&notifier.writable()));
    ensure!(notifier.is_readable_enabled() && !notifier.is_writable_enabled());
    peer.write_all(b"x")?;

    notifier.set_readable_enabled(false);
    turns(5)?;
    ensure!((reads.count(), writes.count()) == (0, 0), "neither is enabled");

    notifier.set_writable_enabled(true);
    writes.wait_for(3)?;
    ensure!(reads.count() == 0, "only writing is enabled");

    notifier.set_readable_enabled(true);
    reads.wait_for(3)?;
    notifier.set_writable_enabled(false);
    let written = writes.count();
    reads.wait_for(reads.count() + 3)?;
    ensure!(writes.count() == written, "only reading is enabled");
    Ok(())
}

/// Room to write is emitted when the kernel's buffer was full, once the peer has read.
#[test]
fn it_reports_room_to_write() -> Result<()> {
    let (mut peer, stream) = UnixStream::pair()?;
    stream.set_nonblocking(true)?;
    let notifier = SocketNotifier::new(stream)?;
    let spy = SignalSpy::new(&notifier.writable());
    let mut written = 0;
    let full = loop {
        match notifier.socket().write(&[0; 4096]) {
            Ok(length) => written += length,
            Err(error) => break error,
        }
    };
    ensure!(full.kind() == ErrorKind::WouldBlock);

    notifier.set_writable_enabled(true);
    turns(5)?;
    ensure!(spy.count() == 0);

    peer.read_exact(&mut vec![0; written])?;
    spy.wait_for(1)?;
    Ok(())
}

/// Pushpin: deregistering inside one's own slot: disabled, dropped, and watched anew by another.
#[test]
fn a_slot_may_end_its_notifier() -> Result<()> {
    type Owner = Rc<RefCell<Option<SocketNotifier<UnixStream>>>>;
    type Act = fn(&Owner, &SocketNotifier<UnixStream>);
    let table: [(&str, Act); 3] = [
        ("disable", |_, notifier| notifier.set_readable_enabled(false)),
        ("drop", |owner, _| _ = owner.take()),
        ("replace", |owner, notifier| {
            let stream = notifier.socket().try_clone().unwrap();
            let other = SocketNotifier::new(stream).unwrap();
            other.set_readable_enabled(false);
            _ = owner.replace(Some(other));
        }),
    ];

    for (name, act) in table {
        let (mut peer, stream) = UnixStream::pair()?;
        let notifier = SocketNotifier::new(stream)?;
        let owner: Owner = Rc::new(RefCell::new(Some(notifier.clone())));
        let weak = notifier.downgrade();
        notifier.readable().connect_to(&owner, move |owner, notifier, ()| act(owner, notifier));
        let spy = SignalSpy::new(&notifier.readable());
        drop(notifier);

        peer.write_all(b"x")?;
        spy.wait_for(1)?;
        turns(5)?;

        ensure!(spy.count() == 1, "{name}: {}", spy.count());
        ensure!(weak.upgrade().is_some() == (name == "disable"), "{name}");
    }
    Ok(())
}

/// The end of the peer, or of a pipe, is something to read.
#[test]
fn the_end_can_be_read() -> Result<()> {
    let (peer, stream) = UnixStream::pair()?;
    let notifier = SocketNotifier::new(Rc::new(stream))?;
    let spy = SignalSpy::new(&notifier.readable());
    let (reader, writer) = std::io::pipe()?;
    let pipe = SocketNotifier::new(reader)?;
    let end_of_pipe = SignalSpy::new(&pipe.readable());

    drop((peer, writer));
    spy.wait_for(1)?;
    end_of_pipe.wait_for(1)?;

    ensure!(notifier.socket().as_ref().read(&mut [0])? == 0);
    Ok(())
}

/// Promised: a panic in a slot ends that call alone; the notifier continues.
#[test]
fn it_goes_on_after_a_panic_in_its_slot() -> Result<()> {
    let (mut peer, stream) = UnixStream::pair()?;
    let notifier = SocketNotifier::new(stream)?;
    notifier.readable().once().connect(|_notifier, ()| panic_in_slot());
    let panics = SignalSpy::new(&EventLoop::current().panicked());
    let spy = SignalSpy::new(&notifier.readable());

    peer.write_all(b"x")?;
    spy.wait_for(1)?;

    ensure!(panics.count() == 1);
    Ok(())
}

/// A file cannot be watched, and nothing else is disturbed by that.
#[test]
fn what_cannot_be_watched_is_refused() -> Result<()> {
    let file = File::open(std::env::current_exe()?)?;
    ensure!(matches!(SocketNotifier::new(file), Err(Error::SocketNotifier { .. })));

    // A loop cannot wait for itself.
    ensure!(matches!(SocketNotifier::new(EventLoop::current()), Err(Error::SocketNotifier { .. })));
    let (mut peer, stream) = UnixStream::pair()?;
    let notifier = SocketNotifier::new(stream)?;
    let spy = SignalSpy::new(&notifier.readable());
    peer.write_all(b"x")?;
    spy.wait_for(2)?;
    Ok(())
}

/// Qt: a notifier of type `Read` and one of type `Write` on one descriptor, in each order of their
/// ends: each reports its own kind, and the one that is left continues.
#[test]
fn two_notifiers_share_a_descriptor() -> Result<()> {
    for reader_ends_first in [true, false] {
        let (mut peer, stream) = UnixStream::pair()?;
        let stream = Rc::new(stream);
        let reader = SocketNotifier::new(Rc::clone(&stream))?;
        let writer = SocketNotifier::new(Rc::clone(&stream))?;
        writer.set_readable_enabled(false);
        writer.set_writable_enabled(true);
        let spies = [
            SignalSpy::new(&reader.readable()),
            SignalSpy::new(&reader.writable()),
            SignalSpy::new(&writer.readable()),
            SignalSpy::new(&writer.writable()),
        ];
        let counts = || spies.each_ref().map(SignalSpy::count);

        spies[3].wait_for(2)?;
        ensure!(counts()[..3] == [0, 0, 0], "{:?}", counts());
        peer.write_all(b"x")?;
        spies[0].wait_for(2)?;
        ensure!(counts()[1..3] == [0, 0], "{:?}", counts());

        let before = counts();
        if reader_ends_first {
            drop(reader);
            spies[3].wait_for(before[3] + 2)?;
            ensure!(spies[0].count() == before[0]);
        } else {
            drop(writer);
            spies[0].wait_for(before[0] + 2)?;
            ensure!(spies[3].count() == before[3]);
        }
    }
    Ok(())
}

/// Two notifiers of one kind on a descriptor are both emitted, as by Qt's dispatcher on `GLib`; one
/// that is disabled, dropped or in a loop of its own does not stop the other.
#[test]
fn two_notifiers_of_one_kind_both_emit() -> Result<()> {
    let (mut peer, stream) = UnixStream::pair()?;
    let stream = Rc::new(stream);
    let first = SocketNotifier::new(Rc::clone(&stream))?;
    let second = SocketNotifier::new(Rc::clone(&stream))?;
    let (firsts, seconds) = (SignalSpy::new(&first.readable()), SignalSpy::new(&second.readable()));

    peer.write_all(b"x")?;
    firsts.wait_for(3)?;
    seconds.wait_for(3)?;
    first.set_readable_enabled(false);
    let count = firsts.count();
    seconds.wait_for(seconds.count() + 3)?;
    ensure!(firsts.count() == count);
    first.set_readable_enabled(true);
    firsts.wait_for(count + 3)?;

    let told = Rc::new(Cell::new(0));
    let slot = Rc::clone(&told);
    first.readable().once().connect(move |_first, ()| {
        let before = seconds.count();
        seconds.wait_for(before + 3).unwrap();
        slot.set(seconds.count() - before);
    });
    firsts.wait_for(firsts.count() + 2)?;
    ensure!(told.get() >= 3);
    drop(second);
    firsts.wait_for(firsts.count() + 3)?;
    Ok(())
}

/// Input that a slot has read in a loop of its own is not reported again when it returns.
#[test]
fn it_does_not_speak_of_what_was_read_in_a_loop_inside_its_slot() -> Result<()> {
    let (mut peer, stream) = UnixStream::pair()?;
    stream.set_nonblocking(true)?;
    let notifier = SocketNotifier::new(stream)?;
    let spy = SignalSpy::new(&notifier.readable());
    notifier.readable().connect(|notifier, ()| {
        turns(3).unwrap();
        _ = notifier.socket().read(&mut [0]);
    });

    peer.write_all(b"x")?;
    spy.wait_for(1)?;
    turns(5)?;

    ensure!(spy.count() == 1, "{}", spy.count());
    Ok(())
}

/// The descriptor is freed with the last handle, and a notifier with its thread.
#[test]
fn nothing_is_left_of_a_notifier() -> Result<()> {
    let (mut peer, stream) = UnixStream::pair()?;
    let notifier = SocketNotifier::new(stream)?;
    let count = Rc::new(Cell::new(0));
    notifier.readable().connect_to(&count, |count, _notifier, ()| count.set(1));

    drop(notifier);

    ensure!(peer.read(&mut [0])? == 0);
    turns(2)?;
    ensure!(count.get() == 0);

    let (mut peer, stream) = UnixStream::pair()?;
    let thread = std::thread::spawn(move || {
        let notifier = SocketNotifier::new(stream).unwrap();
        // It is kept by its own slot, and only the thread's end frees it.
        let own = notifier.clone();
        notifier.readable().connect(move |_notifier, ()| _ = own.is_readable_enabled());
        EventLoop::current().process_events();
    });
    thread.join().unwrap();
    ensure!(peer.read(&mut [0])? == 0);
    Ok(())
}

/// Runs some turns of the loop.
fn turns(count: usize) -> Result<()> {
    let mut left = count;
    run_until(async {
        while left > 0 {
            left -= 1;
            smol::future::yield_now().await;
        }
    })
}
