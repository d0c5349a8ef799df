//! Posted calls, deferred calls, single shots of 0 and queued slots: one order for all of them.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use slotwork::signals::Signal;
use slotwork::{EventLoop, EventThread, NestedLoop, Timer};

use support::raw_peer::RawPeer;
use support::{echo_server, in_thread, serve};

/// Qt: `postEvent()`, queued slots, `invokeMethod()`, `singleShot(0)`: what one thread asks for runs
/// in that order.
#[test]
fn queued_calls_of_all_kinds_run_in_the_order_of_their_making() -> Result<()> {
    let log = in_thread(|event_loop| {
        let (queued, asynchronous) = (Signal::<u32>::new(), Signal::<u32>::new());
        let noted = Arc::new(Mutex::new(Vec::new()));
        let note = |number| {
            let noted = Arc::clone(&noted);
            move || noted.lock().unwrap().push(number)
        };
        queued.queued().connect({
            let noted = Arc::clone(&noted);
            move |number| noted.lock().unwrap().push(*number)
        });
        asynchronous.connect_async({
            let noted = Arc::clone(&noted);
            move |number| {
                let noted = Arc::clone(&noted);
                async move { noted.lock().unwrap().push(number) }
            }
        });
        for round in 0..3 {
            queued.emit(&(10 * round + 1));
            defer(event_loop, note(10 * round + 2));
            queued.emit(&(10 * round + 3));
            Timer::single_shot(Duration::ZERO, note(10 * round + 4));
            queued.emit(&(10 * round + 5));
            event_loop.handle().post(note(10 * round + 6));
            asynchronous.emit(&(10 * round + 7));
            defer(event_loop, note(10 * round + 8));
        }
        event_loop.process_events();
        noted.lock().unwrap().clone()
    })?;

    let expected: Vec<u32> =
        (0..3).flat_map(|round| (1..=8).map(move |number| 10 * round + number)).collect();
    ensure!(log == expected, "{log:?}");
    Ok(())
}

/// Qt: one order for a sending and a receiving thread, whatever is sent: signals and posted calls.
#[test]
fn what_a_thread_emits_and_posts_arrives_in_that_order() -> Result<()> {
    const COUNT: u32 = 2_000;
    let (progress, noted) = (Arc::new(Signal::<u32>::new()), Arc::new(Mutex::new(Vec::new())));
    let (emitted, slot) = (Arc::clone(&progress), Arc::clone(&noted));
    let thread = EventThread::spawn("receiver", move || {
        emitted.connect(move |number| slot.lock().unwrap().push(*number));
    })?;
    let (handle, in_call) = (thread.handle(), Arc::clone(&noted));

    let sender = thread::spawn(move || {
        for number in 0..COUNT {
            let noted = Arc::clone(&in_call);
            if number % 3 == 0 {
                handle.post(move || noted.lock().unwrap().push(number));
            } else {
                progress.emit(&number);
            }
        }
    });
    sender.join().map_err(|_| anyhow!("it panicked"))?;
    thread.quit();
    thread.wait()?;

    let noted = noted.lock().unwrap().clone();
    ensure!(noted == (0..COUNT).collect::<Vec<_>>(), "{noted:?}");
    Ok(())
}

/// A loop inside a call, and one inside a queued slot, continues with the calls behind it.
#[test]
fn a_loop_inside_keeps_the_order() -> Result<()> {
    let log = in_thread(|event_loop| {
        let (log, queued) = (Rc::new(RefCell::new(Vec::new())), Signal::<u32>::new());
        let slot = Rc::clone(&log);
        queued.queued().connect(move |number| {
            if *number == 1 {
                let nested = Rc::new(NestedLoop::new());
                EventLoop::current().defer_to(&nested, |nested| nested.quit());
                nested.exec();
            }
            slot.borrow_mut().push(*number);
        });
        queued.emit(&1);
        event_loop.defer_to(&log, |log| log.borrow_mut().push(2));
        queued.emit(&3);
        event_loop.defer_to(&log, |log| log.borrow_mut().push(4));
        event_loop.process_events();
        event_loop.process_events();
        log.take()
    })?;

    ensure!(log == [2, 3, 4, 1], "{log:?}");
    Ok(())
}

/// Has the loop make a call, in some way.
type End = fn(fn());

/// Qt: calls that were queued before the end was requested, and in the same call, are delivered.
#[test]
fn what_is_queued_before_the_end_is_delivered() -> Result<()> {
    let ends: [End; 3] = [
        |end| EventLoop::current().handle().post(end),
        |end| Timer::single_shot(Duration::from_millis(1), end),
        |end| EventLoop::current().spawn(async move { end() }).detach(),
    ];
    for end in ends {
        let noted = in_thread(move |event_loop| {
            NOTED.take();
            end(|| {
                let queued = Signal::<u32>::new();
                queued.queued().connect(|number| note(*number));
                queued.emit(&1);
                EventLoop::current().defer_to((), |()| note(2));
                queued.emit(&3);
                EventLoop::current().quit();
                queued.emit(&4);
            });
            event_loop.exec();
            NOTED.take()
        })?;
        ensure!(noted == [1, 2, 3, 4], "{noted:?}");
    }
    Ok(())
}

/// Calls that make themselves again, and slots that emit again, leave room for the sockets.
#[test]
fn calls_without_end_leave_room_for_sockets() -> Result<()> {
    fn again() {
        EventLoop::current().handle().post(again);
    }
    let server = echo_server()?;
    let port = server.server_port();
    let ping = Rc::new(Signal::<()>::new());
    let next = Rc::downgrade(&ping);
    ping.queued().connect(move |()| next.upgrade().into_iter().for_each(|ping| ping.emit(&())));
    ping.emit(&());
    again();

    serve(move || RawPeer::open(port)?.check_echo("served"))
}

fn defer(event_loop: &EventLoop, call: impl FnOnce() + 'static) {
    event_loop.defer_to((), move |()| call());
}

fn note(number: u32) {
    NOTED.with_borrow_mut(|noted| noted.push(number));
}

thread_local! {
    static NOTED: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}
