//! `dispatch`: running a thread's queue inside an executor.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::thread;

use slotwork_signals::{Signal, dispatch};

use crate::support::Record;

/// A post from another thread wakes the future that runs this thread's queue.
#[test]
fn post_wakes_dispatch() {
    let signal = Arc::new(Signal::<i32>::new());
    let (sender, receiver) = smol::channel::unbounded();
    signal.connect(move |value| _ = sender.try_send(*value));
    let executor = smol::LocalExecutor::new();
    executor.spawn(dispatch()).detach();

    let emitter = Arc::clone(&signal);
    let emitting = thread::spawn(move || (1..=3).for_each(|value| emitter.emit(&value)));
    let values = executor
        .run(async { [receiver.recv().await, receiver.recv().await, receiver.recv().await] });

    assert_eq!(smol::block_on(values), [Ok(1), Ok(2), Ok(3)]);
    emitting.join().unwrap();
}

/// The waker of a waiting `dispatch` is woken once, however many posts come.
#[test]
fn posts_wake_a_waiting_dispatch_once() {
    struct Wakes(AtomicUsize);
    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let (signal, count) = (Signal::<i32>::new(), Arc::new(Wakes(AtomicUsize::new(0))));
    signal.connect(|_| {});
    let waker = Waker::from(Arc::clone(&count));
    let mut dispatch = pin!(dispatch());
    let mut poll = || _ = dispatch.as_mut().poll(&mut Context::from_waker(&waker));

    for sleeps in 1..=3 {
        poll();
        thread::scope(|scope| {
            scope.spawn(|| (0..10).for_each(|value| signal.emit(&value)));
        });
        assert_eq!(count.0.load(Ordering::Relaxed), sleeps);
    }
}

/// The waker of a `dispatch` that moved to another task, or was dropped, is freed.
#[test]
fn dispatch_keeps_only_the_waker_it_needs() {
    struct Quiet;
    impl Wake for Quiet {
        fn wake(self: Arc<Self>) {}
    }
    let tasks = [Arc::new(Quiet), Arc::new(Quiet)];
    let wakers = tasks.clone().map(Waker::from);
    let counts = || tasks.each_ref().map(Arc::strong_count);
    let before = counts();
    let mut dispatch = Box::pin(dispatch());

    for waker in wakers.iter().chain(&wakers) {
        assert!(dispatch.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
    }
    assert_eq!(counts()[0], before[0]);
    drop(dispatch);

    assert_eq!(counts(), before);
}

/// A loop inside a slot that another loop runs gets the queue, and gives it back.
#[test]
fn dispatch_may_be_nested() {
    let signal = Rc::new(Signal::<i32>::new());
    let (sender, receiver) = smol::channel::unbounded();
    let values = receiver.clone();
    signal.queued().connect(move |value| {
        sender.try_send(*value).unwrap();
        if *value == 0 {
            let inner = smol::LocalExecutor::new();
            inner.spawn(dispatch()).detach();
            let values = values.clone();
            let next = async move { [values.recv().await, values.recv().await] };
            assert_eq!(smol::block_on(inner.run(next)), [Ok(0), Ok(1)]);
        }
    });
    let executor = smol::LocalExecutor::new();
    executor.spawn(dispatch()).detach();

    (0..3).for_each(|value| signal.emit(&value));

    assert_eq!(smol::block_on(executor.run(receiver.recv())), Ok(2));
    signal.disconnect_all();
}

/// Two of them in one thread share the work; when one is dropped, the other continues.
#[test]
fn dispatch_may_be_there_twice() {
    let signal = Signal::<i32>::new();
    let (sender, receiver) = smol::channel::unbounded();
    signal.queued().connect(move |value| _ = sender.try_send(*value));
    let executor = smol::LocalExecutor::new();
    executor.spawn(dispatch()).detach();
    let second = executor.spawn(dispatch());

    signal.emit(&1);
    assert_eq!(smol::block_on(executor.run(receiver.recv())), Ok(1));
    drop(second);
    signal.emit(&2);

    assert_eq!(smol::block_on(executor.run(receiver.recv())), Ok(2));
}

/// A slot that always queues again does not keep other tasks from running.
#[test]
fn dispatch_leaves_room_for_other_tasks() {
    let signal = Rc::new(Signal::<()>::new());
    let again = Rc::clone(&signal);
    signal.queued().connect(move |()| again.emit(&()));
    let executor = smol::LocalExecutor::new();
    executor.spawn(dispatch()).detach();
    signal.emit(&());

    let others = executor.spawn(async {
        for _ in 0..10 {
            smol::future::yield_now().await;
        }
        true
    });

    assert!(smol::block_on(executor.run(others)));
    signal.disconnect_all();
}

/// A long queue is run in parts, between which other tasks run.
#[test]
fn dispatch_runs_a_long_queue_in_parts() {
    let (signal, count) = (Signal::<()>::new(), Rc::new(Cell::new(0)));
    signal.connect_to(&count, |count, ()| count.set(count.get() + 1));
    thread::scope(|scope| {
        scope.spawn(|| (0..2500).for_each(|_| signal.emit(&())));
    });
    let mut dispatch = pin!(dispatch());

    let counts = [0; 3].map(|_| {
        let poll = dispatch.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(poll.is_pending());
        count.get()
    });

    assert!(counts[0] > 0 && counts[0] < 2500, "{counts:?}");
    assert_eq!(counts[2], 2500);
}

/// A panic in a slot propagates through the future, which continues at the next poll.
#[test]
fn dispatch_goes_on_after_a_panic() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let slot = record.clone();
    signal.queued().connect(move |value| {
        assert_ne!(*value, 1, "the slot's own panic");
        slot.add(*value);
    });
    signal.emit(&1);
    signal.emit(&2);
    let mut dispatch = pin!(dispatch());
    let mut poll = || dispatch.as_mut().poll(&mut Context::from_waker(Waker::noop()));

    assert!(panic::catch_unwind(AssertUnwindSafe(&mut poll)).is_err());
    assert!(poll().is_pending());

    assert_eq!(record.take(), [2]);
}
