//! Awaiting emissions: `next` and `stream`.

use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use futures_core::{FusedStream, Stream};
use slotwork_signals::{Signal, SignalRef};
use smol::future;
use smol::stream::StreamExt;

/// `next` counts from the call, not from the first poll.
#[test]
fn next_subscribes_at_the_call() {
    let signal = Signal::<i32>::new();
    let next = signal.next();

    signal.emit(&1);
    signal.emit(&2);

    assert_eq!(smol::block_on(next), Some(1));
    assert_eq!(signal.slot_count(), 0);
}

/// `next` is `None` when the signal is dropped first.
#[test]
fn next_is_none_when_the_signal_is_dropped() {
    let signal = Signal::<i32>::new();
    let next = signal.next();

    drop(signal);

    assert_eq!(smol::block_on(next), None);
}

/// A value that was emitted is not lost with the signal.
#[test]
fn next_keeps_its_value_when_the_signal_is_dropped() {
    let signal = Signal::<str>::new();
    let next = signal.next();

    signal.emit("last words");
    drop(signal);

    assert_eq!(smol::block_on(next).as_deref(), Some("last words"));
}

/// A reader that is given up is not woken by that, and nothing keeps its waker.
#[test]
fn dropping_a_stream_that_waits_lets_its_reader_go() {
    struct Reader(AtomicUsize);

    impl Wake for Reader {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    let (signal, reader) = (Signal::<i32>::new(), Arc::new(Reader(AtomicUsize::new(0))));
    let mut stream = signal.stream();
    let waker = Waker::from(Arc::clone(&reader));
    assert!(stream.poll_next(&mut Context::from_waker(&waker)).is_pending());

    drop((waker, stream));
    signal.emit(&1);

    assert_eq!((reader.0.load(Ordering::Relaxed), Arc::strong_count(&reader)), (0, 1));
}

/// A `next` that is given up disconnects.
#[test]
fn dropping_next_disconnects() {
    let signal = Signal::<i32>::new();
    let next = signal.next();
    assert_eq!(signal.slot_count(), 1);

    drop(next);

    assert_eq!(signal.slot_count(), 0);
}

/// Emissions of other threads wake the awaiting task, without a running queue.
#[test]
fn emissions_elsewhere_wake_the_reader() {
    let signal = Arc::new(Signal::<i32>::new());
    let (next, mut stream) = (signal.next(), signal.stream());
    let emitting = thread::spawn(move || (1..=3).for_each(|value| signal.emit(&value)));

    let seen = smol::block_on(async {
        let mut seen = vec![next.await];
        while let Some(value) = stream.next().await {
            seen.push(Some(value));
        }
        seen
    });

    assert_eq!(seen, [Some(1), Some(1), Some(2), Some(3)]);
    emitting.join().unwrap();
}

/// A stream gives every emission after the call and ends with the signal.
#[test]
fn stream_gives_every_emission_and_ends_with_the_signal() {
    let signal = Signal::<i32>::new();
    signal.emit(&0);
    let mut stream = signal.stream();

    (1..=3).for_each(|value| signal.emit(&value));
    drop(signal);

    smol::block_on(async {
        for value in [Some(1), Some(2), Some(3), None, None] {
            assert_eq!(stream.next().await, value);
        }
    });
    assert_eq!(stream.missed(), 0);
}

/// A bounded stream keeps the latest values and counts those that were missed.
#[test]
fn bounded_stream_keeps_the_latest() {
    let signal = Signal::<i32>::new();
    let mut stream = signal.stream_latest(2);

    (1..=5).for_each(|value| signal.emit(&value));

    smol::block_on(async {
        assert_eq!(stream.next().await, Some(4));
        assert_eq!(stream.next().await, Some(5));
    });
    assert_eq!(stream.missed(), 3);
}

/// A bounded stream of the other kind keeps the earliest values, and has room again once it is
/// read.
#[test]
fn bounded_stream_keeps_the_earliest() {
    let signal = Signal::<i32>::new();
    let mut stream = signal.stream_earliest(2);

    (1..=5).for_each(|value| signal.emit(&value));
    assert_eq!(smol::block_on(stream.next()), Some(1));
    signal.emit(&6);
    drop(signal);

    let rest = [2, 6].map(Some).into_iter().chain([None]);
    rest.for_each(|value| assert_eq!(smol::block_on(stream.next()), value));
    assert_eq!(stream.missed(), 3);
}

/// A read that is given up loses no value.
#[test]
fn read_that_is_given_up_loses_nothing() {
    let signal = Signal::<i32>::new();
    let mut stream = signal.stream();

    let nothing = smol::block_on(future::poll_once(stream.next()));
    signal.emit(&1);

    assert_eq!(nothing, None);
    assert_eq!(smol::block_on(stream.next()), Some(1));
}

/// `disconnect_all` ends what is awaited.
#[test]
fn disconnect_all_ends_streams() {
    let signal = Signal::<i32>::new();
    let (next, mut stream) = (signal.next(), signal.stream());

    signal.disconnect_all();

    assert_eq!(smol::block_on(next), None);
    assert_eq!(smol::block_on(stream.next()), None);
}

/// The signals of an object are awaited in the same way.
#[test]
fn signals_of_objects_are_awaited() {
    let (sender, signal) = (Rc::new(()), Signal::<i32>::new());
    let shown = SignalRef::new(&sender, &signal);
    let (next, mut stream) = (shown.next(), shown.stream());
    let (mut latest, mut earliest) = (shown.stream_latest(1), shown.stream_earliest(1));

    signal.emit(&1);
    signal.emit(&2);

    let seen = smol::block_on(async {
        [next.await, stream.next().await, latest.next().await, earliest.next().await]
    });
    assert_eq!(seen, [Some(1), Some(1), Some(2), Some(1)]);
}

/// The futures may be sent to other threads, as executors of several threads ask for.
#[test]
fn futures_may_be_sent() {
    let signal = Signal::<str>::new();
    let (next, mut stream) = (signal.next(), signal.stream());
    signal.emit("hello");

    let there = thread::spawn(move || smol::block_on(async { (next.await, stream.next().await) }));

    assert_eq!(there.join().unwrap(), (Some("hello".to_owned()), Some("hello".to_owned())));
}

/// futures-core's `Stream`: adaptors of any library take it.
#[test]
fn stream_has_the_adaptors_of_streams() {
    let (numbers, texts) = (Signal::<i32>::new(), Signal::<str>::new());
    let both = numbers.stream().map(|number| number.to_string()).chain(texts.stream());

    numbers.emit(&1);
    texts.emit("two");
    numbers.emit(&3);
    drop((numbers, texts));

    assert_eq!(smol::block_on(both.collect::<Vec<_>>()), ["1", "3", "two"]);
}

/// `FusedStream`: the end is final, and terminated only when it was returned, so that a signal that
/// is dropped elsewhere between a check and a poll ends no `select!` with a panic.
#[test]
fn stream_is_fused() {
    let signal = Signal::<i32>::new();
    let mut stream = pin!(signal.stream());
    let mut poll = {
        let mut context = Context::from_waker(Waker::noop());
        move |stream: &mut Pin<&mut _>| Stream::poll_next(Pin::as_mut(stream), &mut context)
    };
    assert!(poll(&mut stream).is_pending());
    assert!(!stream.is_terminated());

    signal.emit(&1);
    drop(signal);
    assert!(!stream.is_terminated());
    assert_eq!(poll(&mut stream), Poll::Ready(Some(1)));
    assert!(!stream.is_terminated());

    for _ in 0..3 {
        assert_eq!(poll(&mut stream), Poll::Ready(None));
        assert!(stream.is_terminated());
    }
}

/// The stream's own methods, and those of the trait, see the same end.
#[test]
fn end_that_next_returns_terminates_the_stream() {
    let signal = Signal::<i32>::new();
    let mut streams = [signal.stream(), signal.stream_latest(1), signal.stream_earliest(1)];
    signal.disconnect_all();

    for stream in &mut streams {
        assert!(!stream.is_terminated());
        assert_eq!(smol::block_on(stream.next()), None);
        assert!(stream.is_terminated());
    }
}
