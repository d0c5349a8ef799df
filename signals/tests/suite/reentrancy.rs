//! Code of the program that runs inside the library's: no lock and no borrow is held meanwhile.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use slotwork_signals::{Scope, Signal, SignalSpy, SignalStream};

/// A reader that polls its stream in the very call that wakes it.
struct PollsAtOnce {
    stream: Mutex<Option<SignalStream<i32>>>,
    seen: Mutex<Vec<Option<i32>>>,
}

/// A waker that does something when it is woken, or when it is dropped.
struct Acts {
    wakes: Option<Box<dyn Fn() + Send + Sync>>,
    drops: Option<Box<dyn Fn() + Send + Sync>>,
}

/// A value that emits its signal again when it is printed.
struct EmitsWhenShown(Option<Arc<Signal<()>>>);

/// A waker may poll the stream that wakes it: of a stream it gets all values, and the end.
#[test]
fn stream_that_is_polled_while_it_wakes_gives_its_values() {
    let seen = within_deadline(|| {
        let signal = Signal::<i32>::new();
        let reader = Arc::new(PollsAtOnce {
            stream: Mutex::new(Some(signal.stream())),
            seen: Mutex::default(),
        });
        reader.poll();

        signal.emit(&1);
        signal.emit(&2);
        drop(signal);

        lock(&reader.seen).clone()
    });

    assert_eq!(seen, Ok(vec![Some(1), Some(2), None]));
}

/// A waker may emit the signal that wakes it, connect to it, and disconnect from it.
#[test]
fn waker_may_emit_its_own_signal() {
    let count = within_deadline(|| {
        let signal = Arc::new(Signal::<i32>::new());
        let (mut stream, emitted) = (signal.stream(), Arc::clone(&signal));
        let waker = waker(
            Some(Box::new(move || {
                emitted.direct().connect(|_| {}).disconnect();
                emitted.emit(&2);
            })),
            None,
        );
        assert!(stream.poll_next(&mut Context::from_waker(&waker)).is_pending());

        signal.emit(&1);

        let mut values = 0;
        while stream.poll_next(&mut Context::from_waker(Waker::noop())).is_ready() {
            values += 1;
        }
        values
    });

    assert_eq!(count, Ok(2));
}

/// A waker that another one replaces may emit the signal when it is dropped.
#[test]
fn waker_that_is_dropped_may_emit_its_own_signal() {
    let value = within_deadline(|| {
        let signal = Arc::new(Signal::<i32>::new());
        let (mut stream, emitted) = (signal.stream(), Arc::clone(&signal));
        let first = waker(None, Some(Box::new(move || emitted.emit(&1))));
        assert!(stream.poll_next(&mut Context::from_waker(&first)).is_pending());
        drop(first);

        let mut context = Context::from_waker(Waker::noop());
        // Ready at once, or at the next look: the value came while it was polled.
        let first = stream.poll_next(&mut context);
        if first.is_ready() { first } else { stream.poll_next(&mut context) }
    });

    assert_eq!(value, Ok(Poll::Ready(Some(1))));
}

/// A recorded value may emit the spied signal while the spy is printed: nothing is lost.
#[test]
fn spied_value_may_emit_when_it_is_shown() {
    let signal = Rc::new(Signal::<RecordedValue>::new());
    let inner = Arc::new(Signal::<()>::new());
    let spy = SignalSpy::new(&signal);
    let again = Rc::downgrade(&signal);
    inner.connect(move |()| {
        if let Some(signal) = again.upgrade() {
            signal.emit(&RecordedValue(Arc::new(EmitsWhenShown(None))));
        }
    });
    signal.emit(&RecordedValue(Arc::new(EmitsWhenShown(Some(inner)))));

    assert!(format!("{spy:?}").contains("shown"));

    assert_eq!(spy.count(), 2);
}

/// What a scope is printed to may add connections to it.
#[test]
fn scope_may_be_used_while_it_is_shown() {
    let is_shown = within_deadline(|| {
        let (scope, signal) = (Scope::new(), Signal::<i32>::new());
        scope.add(signal.connect(|_| {}));
        let output = Output { scope: &scope, text: RefCell::default() };

        let written = fmt::write(&mut &output, format_args!("{scope:?}"));

        written.is_ok() && output.text.borrow().contains("Connection")
    });

    assert_eq!(is_shown, Ok(true));
}

/// A value that can be spied on.
#[derive(Clone)]
struct RecordedValue(Arc<EmitsWhenShown>);

/// A text that looks at a scope whenever something is appended.
struct Output<'a> {
    scope: &'a Scope,
    text: RefCell<String>,
}

impl PollsAtOnce {
    fn poll(self: &Arc<Self>) {
        let waker = Waker::from(Arc::clone(self));
        let Some(mut stream) = lock(&self.stream).take() else { return };
        while let Poll::Ready(value) = stream.poll_next(&mut Context::from_waker(&waker)) {
            lock(&self.seen).push(value);
            if value.is_none() {
                return;
            }
        }
        lock(&self.stream).replace(stream);
    }
}

impl Wake for PollsAtOnce {
    fn wake(self: Arc<Self>) {
        self.poll();
    }
}

impl Wake for Acts {
    fn wake(self: Arc<Self>) {
        if let Some(wakes) = &self.wakes {
            wakes();
        }
    }
}

impl Drop for Acts {
    fn drop(&mut self) {
        if let Some(drops) = &self.drops {
            drops();
        }
    }
}

impl fmt::Debug for RecordedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(signal) = &self.0.0 {
            signal.emit(&());
        }
        f.write_str("shown")
    }
}

impl fmt::Write for &Output<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.scope.add(Signal::<i32>::new().connect(|_| {}));
        self.text.borrow_mut().push_str(text);
        Ok(())
    }
}

fn waker(
    wakes: Option<Box<dyn Fn() + Send + Sync>>,
    drops: Option<Box<dyn Fn() + Send + Sync>>,
) -> Waker {
    Arc::new(Acts { wakes, drops }).into()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `test` in a thread of its own: a hang is distinguished from a slow run.
fn within_deadline<T: Send + 'static>(
    test: impl FnOnce() -> T + Send + 'static,
) -> Result<T, RecvTimeoutError> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || _ = sender.send(test()));
    receiver.recv_timeout(Duration::from_secs(10))
}
