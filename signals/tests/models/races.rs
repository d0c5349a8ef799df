//! Races of signals, each in all interleavings with up to two preemptions.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use loom::sync::Notify;
use loom::thread;

use crate::queue::dispatch::{dispatch, process_events};
use crate::queue::wait::wait_until;
use crate::signal::Signal;
use crate::signal::group::{Position, SignalGroup};
use crate::signal::signal_ref::SignalRef;
use crate::sync::{AtomicBool, Ordering};

/// Counts calls; the number of its clones is the number of slots that exist.
#[derive(Clone, Default)]
struct Count(Rc<Cell<u32>>);

/// Wakes a thread that runs one future.
struct Bell(Notify);

/// A thread that is about to sleep is woken by a concurrent post.
#[test]
fn post_against_sleep() {
    model(|| {
        let (signal, count) = (Arc::new(Signal::<()>::new()), Count::default());
        signal.connect(count.slot());
        let emitters =
            [Arc::clone(&signal), signal].map(|signal| thread::spawn(move || signal.emit(&())));

        assert!(wait_until(far_away(), &|| count.calls() == 2));
        for emitter in emitters {
            emitter.join().unwrap();
        }
    });
}

/// The same for a thread that runs the queue as a future.
#[test]
fn post_against_a_dispatch_that_goes_to_sleep() {
    model(|| {
        let (signal, count) = (Arc::new(Signal::<()>::new()), Count::default());
        signal.connect(count.slot());
        let emitter = thread::spawn(move || (0..2).for_each(|_| signal.emit(&())));

        let bell = Arc::new(Bell(Notify::new()));
        let waker = Waker::from(Arc::clone(&bell));
        let mut dispatch = pin!(dispatch());
        while dispatch.as_mut().poll(&mut Context::from_waker(&waker)).is_pending()
            && count.calls() < 2
        {
            bell.0.wait();
        }
        emitter.join().unwrap();
    });
}

/// Posts to an ending thread are dropped, as its slots are, and no thread waits.
#[test]
fn post_against_thread_exit() {
    model(|| {
        let (signal, value, slot) = (Arc::new(Signal::new()), Arc::new(()), Arc::new(()));
        let (connecting, kept) = (Arc::clone(&signal), Arc::clone(&slot));
        let ending = thread::spawn(move || {
            connecting.connect(move |_: &Arc<()>| assert_eq!(Arc::strong_count(&kept), 2))
        });

        signal.emit(&value);
        let connection = ending.join().unwrap();
        signal.emit(&value);
        thread::yield_now();
        if !connection.is_connected() {
            assert_eq!((Arc::strong_count(&value), Arc::strong_count(&slot)), (1, 1));
            assert_eq!(signal.slot_count(), 0);
        }
    });
}

/// A slot that another thread has disconnected is not called, whatever was emitted before.
#[test]
fn disconnect_against_emit() {
    model(|| {
        let (signal, count) = (Arc::new(Signal::<()>::new()), Count::default());
        let connection = signal.connect(count.slot());
        let is_over = Arc::new(AtomicBool::new(false));
        let emitter = thread::spawn(move || signal.emit(&()));
        let ended = Arc::clone(&is_over);
        let ending = thread::spawn(move || {
            connection.disconnect();
            ended.store(true, Ordering::Release);
        });

        let was_over = is_over.load(Ordering::Acquire);
        process_events();
        assert!(!was_over || count.calls() == 0);

        emitter.join().unwrap();
        ending.join().unwrap();
        let before = count.calls();
        process_events();
        assert_eq!((count.calls(), count.handles()), (before, 1));
    });
}

/// Two threads drop the handles of a connection, one after it has disconnected: it is ended.
#[test]
fn handle_dropped_against_disconnect() {
    model(|| {
        let (signal, count) = (Signal::<()>::new(), Count::default());
        let connection = signal.connect(count.slot());
        let other = connection.clone();
        let ending = thread::spawn(move || other.disconnect());

        drop(connection);
        signal.emit(&());
        ending.join().unwrap();
        let before = count.calls();
        signal.emit(&());
        process_events();
        assert_eq!((count.calls(), count.handles(), signal.slot_count()), (before, 1, 0));
    });
}

/// The same with a slot that is only blocked temporarily: it stays connected.
#[test]
fn handle_dropped_against_block() {
    model(|| {
        let (signal, count) = (Signal::<()>::new(), Count::default());
        let connection = signal.connect(count.slot());
        let other = connection.clone();
        let blocking = thread::spawn(move || drop(other.block()));

        drop(connection);
        blocking.join().unwrap();
        signal.emit(&());
        assert_eq!((count.calls(), count.handles(), signal.slot_count()), (1, 2, 1));
    });
}

/// A blocker in one thread, the first connection in another: the signal is not blocked afterwards.
#[test]
fn block_against_first_connect() {
    model(|| {
        let (signal, count) = (Arc::new(Signal::<()>::new()), Count::default());
        let other = Arc::clone(&signal);
        let blocking = thread::spawn(move || {
            let blocker = other.block();
            other.emit(&());
            assert!(other.is_blocked());
            drop(blocker);
        });

        signal.connect(count.slot());
        blocking.join().unwrap();
        signal.emit(&());
        process_events();
        assert_eq!((count.calls(), signal.is_blocked()), (1, false));
    });
}

/// One thread drops a signal while another emits it: the call is made, the slot dropped.
#[test]
fn signal_dropped_against_emit() {
    model(|| {
        let (signal, count) = (Arc::new(Signal::<()>::new()), Count::default());
        signal.connect(count.slot());
        let emitted = Arc::clone(&signal);
        let threads =
            [thread::spawn(move || emitted.emit(&())), thread::spawn(move || drop(signal))];

        process_events();
        for thread in threads {
            thread.join().unwrap();
        }
        process_events();
        assert_eq!((count.calls(), count.handles()), (1, 1));
    });
}

/// Two threads that connect first: both have their slots, and each gets its own emission.
#[test]
fn first_connect_against_first_connect() {
    model(|| {
        let (signal, count) = (Arc::new(Signal::<()>::new()), Count::default());
        let other = Arc::clone(&signal);
        let connecting = thread::spawn(move || {
            let count = Count::default();
            other.connect(count.slot());
            other.emit(&());
            assert!(count.calls() >= 1);
            assert!((1..=2).contains(&other.slot_count()));
        });

        signal.connect(count.slot());
        signal.emit(&());
        assert!(count.calls() >= 1);
        connecting.join().unwrap();
        process_events();
        assert!((1..=2).contains(&count.calls()));
    });
}

/// Two signals of a group get their first slots in two threads at once.
#[test]
fn first_connect_against_that_of_another_signal() {
    model(|| {
        let (object, count) = (Arc::new(SignalGroup::<2>::new()), Count::default());
        let other = Arc::clone(&object);
        let connecting = thread::spawn(move || {
            let (sender, count) = (Arc::new(()), Count::default());
            let slot = count.slot();
            SignalRef::of(&sender, &other, SECOND).connect(move |_, ()| slot(&()));
            other.emit(SECOND, &());
            other.emit(FIRST, &());
            assert_eq!(count.calls(), 1);
        });

        let (sender, slot) = (Arc::new(()), count.slot());
        SignalRef::of(&sender, &object, FIRST).connect(move |_, ()| slot(&()));
        object.emit(FIRST, &());
        assert_eq!(count.calls(), 1);
        connecting.join().unwrap();
        process_events();
        assert!((1..=2).contains(&count.calls()));
    });
}

/// A new connection goes to another thread, which ends it: a slot that runs had not ended before.
#[test]
fn first_emission_against_disconnect() {
    model(|| {
        let (signal, count) = (Signal::<()>::new(), Count::default());
        let connection = signal.connect(count.slot());
        let is_over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&is_over);
        let ending = thread::spawn(move || {
            connection.disconnect();
            ended.store(true, Ordering::Release);
            drop(connection);
        });

        let was_over = is_over.load(Ordering::Acquire);
        signal.emit(&());
        assert!(!was_over || count.calls() == 0);
        signal.connect(|()| {});
        ending.join().unwrap();
        let before = count.calls();
        signal.emit(&());
        process_events();
        assert_eq!((count.calls(), count.handles(), signal.slot_count()), (before, 1, 1));
    });
}

/// A new connection is blocked by another thread, which drops it: the slot stays.
#[test]
fn first_emission_against_block() {
    model(|| {
        let (signal, count) = (Signal::<()>::new(), Count::default());
        let connection = signal.connect(count.slot());
        let blocking = thread::spawn(move || drop(connection.block()));

        signal.emit(&());
        signal.connect(|()| {});
        blocking.join().unwrap();
        let before = count.calls();
        signal.emit(&());
        assert_eq!((count.calls(), count.handles(), signal.slot_count()), (before + 1, 2, 2));
    });
}

/// `finish` in one thread, emissions in another: nothing that was emitted before is lost.
#[test]
fn finish_against_emit() {
    model(|| {
        let (signal, count) = (Arc::new(Signal::<()>::new()), Count::default());
        signal.connect(count.slot());
        let (shared, object) = (Arc::clone(&signal), Arc::new(()));
        let (finished, keep) = (Arc::clone(&signal), Arc::clone(&object));
        let emitter = thread::spawn(move || shared.emit(&()));
        let finishing = thread::spawn(move || {
            finished.emit(&());
            finished.finish(&keep);
        });

        process_events();
        emitter.join().unwrap();
        finishing.join().unwrap();
        process_events();
        assert!((1..=2).contains(&count.calls()));
        assert_eq!((count.handles(), Arc::strong_count(&object)), (1, 1));
        assert_eq!(signal.slot_count(), 0);
    });
}

/// `disconnect_all` in one thread, a connection in another: it is ended or it stays, and is
/// counted.
#[test]
fn disconnect_all_against_connect() {
    model(|| {
        let (signal, count) = (Arc::new(Signal::<()>::new()), Count::default());
        signal.connect(count.slot());
        let clearing = Arc::clone(&signal);
        let clearing = thread::spawn(move || clearing.disconnect_all());

        let connection = signal.connect(count.slot());
        signal.emit(&());
        clearing.join().unwrap();
        process_events();
        let connected = usize::from(connection.is_connected());
        assert_eq!(signal.slot_count(), connected);
        assert_eq!(count.handles(), 1 + connected);
    });
}

/// The last direct slot ends in an emission of another thread while one is connected: the emission
/// behind that connection reaches it, and so does the value of `next`.
#[test]
fn direct_connect_against_the_end_of_the_last() {
    model(|| {
        let signal = Arc::new(Signal::<()>::new());
        signal.connect(|()| {});
        signal.direct().connect(|()| {}).disconnect();
        let other = Arc::clone(&signal);
        let emitter = thread::spawn(move || other.emit(&()));

        // It costs no preemption that the other thread comes first, and in between.
        thread::yield_now();
        let has_run = Arc::new(AtomicBool::new(false));
        let slot = Arc::clone(&has_run);
        signal.direct().connect(move |()| slot.store(true, Ordering::Relaxed));
        thread::yield_now();
        signal.emit(&());
        assert!(has_run.load(Ordering::Relaxed));

        emitter.join().unwrap();
    });
}

/// The same for a future of the next value.
#[test]
fn next_against_the_end_of_the_last_direct_slot() {
    model(|| {
        let signal = Arc::new(Signal::<u32>::new());
        signal.connect(|_| {});
        drop(signal.next());
        let other = Arc::clone(&signal);
        let emitter = thread::spawn(move || other.emit(&1));

        thread::yield_now();
        let mut next = pin!(signal.next());
        thread::yield_now();
        signal.emit(&2);
        let value = next.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(value, Poll::Ready(Some(1 | 2))));

        emitter.join().unwrap();
    });
}

/// `disconnect_all` in one thread, a direct connection in another: it runs or it is dropped.
#[test]
fn disconnect_all_against_direct_connect() {
    model(|| {
        let (signal, slot) = (Arc::new(Signal::<()>::new()), Arc::new(()));
        signal.direct().connect(|()| {});
        let clearing = Arc::clone(&signal);
        let clearing = thread::spawn(move || clearing.disconnect_all());

        let kept = Arc::clone(&slot);
        let connection = signal.direct().connect(move |()| assert!(Arc::strong_count(&kept) > 1));
        clearing.join().unwrap();
        let connected = usize::from(connection.is_connected());
        assert_eq!(signal.slot_count(), connected);
        assert_eq!(Arc::strong_count(&slot), 1 + connected);
    });
}

/// A reader of a signal that is about to wait is woken by each value, and by the signal's end.
#[test]
fn value_against_a_reader_that_goes_to_sleep() {
    model(|| {
        let signal = Signal::<u32>::new();
        let mut next = pin!(signal.next());
        let is_dropped = thread::spawn(move || drop(signal));

        let bell = Arc::new(Bell(Notify::new()));
        let waker = Waker::from(Arc::clone(&bell));
        while next.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            bell.0.wait();
        }
        is_dropped.join().unwrap();
    });
}

/// A wake is kept although a run of the queue inside the poll takes it, at any time.
#[test]
fn wake_against_a_poll_that_runs_the_queue() {
    model(|| wake_against_poll(|| _ = process_events()));
}

/// A wake that finds a poll queued already is enough: the poll sees what was done before it.
#[test]
fn wake_against_a_poll() {
    model(|| wake_against_poll(|| {}));
}

/// Wakes an async slot twice, with its condition set in between; `in_poll` runs in each poll.
fn wake_against_poll(in_poll: impl Fn() + 'static) {
    let (signal, count) = (Signal::<()>::new(), Count::default());
    let is_done = Arc::new(AtomicBool::new(false));
    let waker = Rc::new(RefCell::new(None));
    let (seen, slot, done) = (Arc::clone(&is_done), Rc::clone(&waker), count.clone());
    signal.connect_async(async move |()| {
        poll_fn(|context| {
            slot.replace(Some(context.waker().clone()));
            // Relaxed: the wake itself has to make it visible.
            let is_done = seen.load(Ordering::Relaxed);
            in_poll();
            if is_done { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        done.add();
    });
    signal.emit(&());
    process_events();
    let waker: Waker = waker.take().unwrap();
    let waking = thread::spawn(move || {
        waker.wake_by_ref();
        is_done.store(true, Ordering::Relaxed);
        waker.wake();
    });

    assert!(wait_until(far_away(), &|| count.calls() == 1));
    waking.join().unwrap();
}

impl Count {
    fn slot(&self) -> impl Fn(&()) + 'static {
        let count = self.clone();
        move |()| count.add()
    }

    fn add(&self) {
        self.0.set(self.0.get() + 1);
    }

    fn calls(&self) -> u32 {
        self.0.get()
    }

    fn handles(&self) -> usize {
        Rc::strong_count(&self.0)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.notify();
    }
}

fn model(body: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    // More are tried with LOOM_MAX_PREEMPTIONS=3 in the environment: 15 s instead of 2.
    model.preemption_bound.get_or_insert(2);
    model.check(body);
}

/// A deadline that is never reached.
fn far_away() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

const FIRST: Position<(), 2> = Position::new(0);
const SECOND: Position<(), 2> = Position::new(1);
