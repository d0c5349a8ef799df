//! `EventLoop::spawn_to`: futures whose output goes to an object, and which end with it.

use std::cell::{Cell, RefCell};
use std::future::{pending, ready};
use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use slotwork::signals::{Signal, SignalSpy};
use slotwork::{EventLoop, WebSocket};

use support::raw_peer::{RawPeer, masked_texts};
use support::{DEADLINE, in_thread, listening_server, panic_in_slot, serve};

/// Answers each message with what a thread for blocking calls makes of it.
#[derive(Default)]
struct Desk {
    answers: RefCell<Vec<String>>,
}

impl Desk {
    fn on_text(self: &Rc<Self>, socket: &WebSocket, text: &str) {
        let text = text.to_owned();
        let shouted = smol::unblock(move || text.to_uppercase());
        EventLoop::current().spawn_to((self, socket), shouted, Self::on_shouted);
    }

    fn on_shouted((desk, socket): &(Rc<Self>, WebSocket), text: String) {
        socket.send_text_message(&text);
        desk.answers.borrow_mut().push(text);
    }
}

/// A port's awkward place: an async step between two methods, without `Weak`, clones and flags.
#[test]
fn a_method_gets_what_another_one_waited_for() -> Result<()> {
    let (server, desk) = (listening_server()?, Rc::new(Desk::default()));
    server.new_connection().connect_to(&desk, |desk, server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            socket.text_message_received().connect_to(desk, Desk::on_text);
        }
    });
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked_texts(&["hello"]))?;
        peer.expect_texts(&["HELLO"])?;
        peer.send(masked_texts(&["again"]))?;
        peer.expect_texts(&["AGAIN"])
    })?;

    ensure!(desk.answers.take() == ["HELLO", "AGAIN"]);
    Ok(())
}

/// Qt: `~QFutureWatcher`: the future of a receiver that is gone is dropped, and has no effect.
#[test]
fn a_future_ends_with_its_receiver() -> Result<()> {
    let counts = in_thread(|event_loop| {
        let (held, calls) = (Rc::new(()), Rc::new(Cell::new(0)));
        // More than a turn looks at.
        let receivers: Vec<_> = (0..100).map(Rc::new).collect();
        for receiver in &receivers {
            let (held, calls) = (Rc::clone(&held), Rc::clone(&calls));
            let future = async move {
                pending::<()>().await;
                drop(held);
            };
            event_loop.spawn_to(receiver, future, move |_, ()| calls.set(calls.get() + 1));
        }
        event_loop.process_events();
        let before = Rc::strong_count(&held);
        drop(receivers);
        (0..10).for_each(|_| _ = event_loop.process_events());
        (before, Rc::strong_count(&held), Rc::strong_count(&calls), calls.get())
    })?;

    ensure!(counts == (101, 1, 1, 0), "{counts:?}");
    Ok(())
}

/// The same for a receiver that is dropped by another thread, or after the output exists.
#[test]
fn a_slot_without_its_receiver_is_not_called() -> Result<()> {
    let (calls, ended) = in_thread(|event_loop| {
        let calls = Rc::new(Cell::new(0));
        let (receiver, shared) = (RefCell::new(Some(Rc::new(()))), Arc::new(()));
        let count = |calls: &Rc<Cell<i32>>| {
            let calls = Rc::clone(calls);
            move || calls.set(calls.get() + 1)
        };
        if let Some(receiver) = &*receiver.borrow() {
            let count = count(&calls);
            event_loop.spawn_to(receiver, ready(1), move |_, _| count());
        }
        receiver.take();
        let (count, never) = (count(&calls), Signal::<()>::new());
        event_loop.spawn_to(&shared, never.next(), move |_, _| count());
        let ended = std::thread::spawn(move || drop(shared)).join().is_ok();
        (0..3).for_each(|_| _ = event_loop.process_events());
        (calls.get(), ended && never.slot_count() == 0)
    })?;

    ensure!(calls == 0 && ended, "{calls}");
    Ok(())
}

/// The slot and the future may use the loop: spawn again, run it, drop the receiver.
#[test]
fn a_slot_may_spawn_again_and_run_the_loop() -> Result<()> {
    let log = in_thread(|event_loop| {
        let log = Rc::new(RefCell::new(Vec::new()));
        event_loop.spawn_to(&log, ready(1), |log, number| {
            log.borrow_mut().push(number);
            EventLoop::current().spawn_to(log, ready(2), |log, number| {
                log.borrow_mut().push(number);
            });
            EventLoop::current().process_events();
            log.borrow_mut().push(3);
        });
        event_loop.spawn_to((), ready(4), |(), _| panic_in_slot());
        let spawned = Rc::clone(&log);
        event_loop.spawn_to((), async { 5 }, move |(), number| spawned.borrow_mut().push(number));
        let panics = SignalSpy::new(&event_loop.panicked());
        (0..3).for_each(|_| _ = event_loop.process_events());
        let places: Vec<_> = panics.take().iter().map(|panic| panic.place().to_owned()).collect();
        let count = Rc::strong_count(&log);
        let mut numbers = log.take();
        numbers.sort_unstable();
        (numbers, places, count)
    })?;

    ensure!(log == (vec![1, 2, 3, 5], vec!["a task".to_owned()], 1), "{log:?}");
    Ok(())
}

/// Promised: what waits at the thread's end is dropped with its tasks.
#[test]
fn a_thread_ends_with_futures_that_wait() -> Result<()> {
    let held = Arc::new(());
    let in_future = Arc::clone(&held);
    let (say, ended) = smol::channel::bounded::<()>(1);
    let thread = slotwork::EventThread::spawn("waiting", move || {
        let receiver = Rc::new(());
        let future = async move {
            pending::<()>().await;
            drop((in_future, say));
        };
        EventLoop::current().spawn_to(&receiver, future, |_, ()| {});
        receiver
    })?;

    thread.quit();
    let outcome = thread.wait_timeout(DEADLINE).ok().context("it still runs")?;

    ensure!(outcome? == 0 && ended.is_closed() && Arc::strong_count(&held) == 1);
    Ok(())
}
