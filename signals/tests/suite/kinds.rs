//! Kinds of connections: `queued()`, `once()`, `direct()` and `local()`, each with its verbs.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::thread;

use slotwork_signals::{Connection, Signal, SignalRef, process_events};
use smol::future;

use crate::support::Record;

/// A receiver whose methods are slots of every form.
#[derive(Default)]
struct Log(RefCell<Vec<String>>);

impl Log {
    fn append(self: &Rc<Self>, line: &str) {
        self.0.borrow_mut().push(line.to_owned());
    }

    async fn append_later(self: Rc<Self>, line: String) {
        future::yield_now().await;
        self.append(&line);
    }

    fn append_sent(self: &Rc<Self>, sender: &Arc<Sender>, line: &str) {
        self.append(&format!("{}: {line}", sender.name));
    }

    async fn append_sent_later(self: Rc<Self>, sender: Arc<Sender>, line: String) {
        future::yield_now().await;
        self.append_sent(&sender, &line);
    }

    fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

/// An object with a signal.
struct Sender {
    name: &'static str,
    text: Signal<str>,
}

impl Sender {
    fn new() -> Arc<Self> {
        Arc::new(Self { name: "sender", text: Signal::new() })
    }

    fn text(self: &Arc<Self>) -> SignalRef<'_, Arc<Self>, str> {
        SignalRef::new(self, &self.text)
    }
}

/// A way to connect the log to a signal.
type Connect<S> = fn(&S, &Rc<Log>) -> Connection;

/// What a slot has written.
type Lines = &'static [&'static str];

/// A form with a receiver, with what its slot has written after two emissions, and after the queue
/// has run.
type Form<S> = (&'static str, Connect<S>, Lines, Lines);

const SIGNAL: [Form<Signal<str>>; 17] = [
    ("to", |signal, log| signal.connect_to(log, Log::append), BOTH, &[]),
    ("mut", |signal, log| signal.connect_mut_to(log, numbered()), NUMBERED, &[]),
    ("async", |signal, log| signal.connect_async_to(log, Log::append_later), &[], BOTH),
    ("queued to", |signal, log| signal.queued().connect_to(log, Log::append), &[], BOTH),
    ("queued mut", |signal, log| signal.queued().connect_mut_to(log, numbered()), &[], NUMBERED),
    ("once to", |signal, log| signal.once().connect_to(log, Log::append), FIRST, &[]),
    ("once moved", |signal, log| signal.once().connect_to(log, moved()), FIRST, &[]),
    (
        "once async",
        |signal, log| signal.once().connect_async_to(log, Log::append_later),
        &[],
        FIRST,
    ),
    ("queued once", |signal, log| signal.queued().once().connect_to(log, moved()), &[], FIRST),
    ("once queued", |signal, log| signal.once().queued().connect_to(log, Log::append), &[], FIRST),
    (
        "queued once async",
        |signal, log| signal.queued().once().connect_async_to(log, Log::append_later),
        &[],
        FIRST,
    ),
    ("local to", |signal, log| signal.local().connect_to(log, Log::append), BOTH, &[]),
    ("local mut", |signal, log| signal.local().connect_mut_to(log, numbered()), NUMBERED, &[]),
    (
        "local async",
        |signal, log| signal.local().connect_async_to(log, Log::append_later),
        &[],
        BOTH,
    ),
    (
        "async closure",
        |signal, log| {
            signal.connect_async_to(log, async |log, text| {
                future::yield_now().await;
                log.append(&text);
            })
        },
        &[],
        BOTH,
    ),
    (
        "several receivers",
        |signal, log| signal.queued().connect_to((log, log), |(log, _), text| log.append(text)),
        &[],
        BOTH,
    ),
    (
        "async, several receivers",
        |signal, log| signal.connect_async_to((log, log), async |(log, _), text| log.append(&text)),
        &[],
        BOTH,
    ),
];

const OBJECT: [Form<Arc<Sender>>; 12] = [
    ("to", |sender, log| sender.text().connect_to(log, Log::append_sent), SENT, &[]),
    ("mut", |sender, log| sender.text().connect_mut_to(log, numbered_sent()), NUMBERED, &[]),
    ("async", |sender, log| sender.text().connect_async_to(log, Log::append_sent_later), &[], SENT),
    (
        "queued to",
        |sender, log| sender.text().queued().connect_to(log, Log::append_sent),
        &[],
        SENT,
    ),
    (
        "queued mut",
        |sender, log| sender.text().queued().connect_mut_to(log, numbered_sent()),
        &[],
        NUMBERED,
    ),
    (
        "once to",
        |sender, log| sender.text().once().connect_to(log, Log::append_sent),
        SENT_FIRST,
        &[],
    ),
    (
        "once async",
        |sender, log| sender.text().once().connect_async_to(log, Log::append_sent_later),
        &[],
        SENT_FIRST,
    ),
    (
        "queued once",
        |sender, log| sender.text().queued().once().connect_to(log, Log::append_sent),
        &[],
        SENT_FIRST,
    ),
    (
        "once queued async",
        |sender, log| sender.text().once().queued().connect_async_to(log, Log::append_sent_later),
        &[],
        SENT_FIRST,
    ),
    ("local to", |sender, log| sender.text().local().connect_to(log, Log::append_sent), SENT, &[]),
    (
        "local mut",
        |sender, log| sender.text().local().connect_mut_to(log, numbered_sent()),
        NUMBERED,
        &[],
    ),
    (
        "local async",
        |sender, log| sender.text().local().connect_async_to(log, Log::append_sent_later),
        &[],
        SENT,
    ),
];

const BOTH: Lines = &["one", "two"];
const FIRST: Lines = &["one"];
const NUMBERED: Lines = &["1: one", "2: two"];
const SENT: Lines = &["sender: one", "sender: two"];
const SENT_FIRST: Lines = &["sender: one"];

/// A slot that changes its captures.
fn numbered() -> impl FnMut(&Rc<Log>, &str) {
    let mut number = 0;
    move |log, text| {
        number += 1;
        log.append(&format!("{number}: {text}"));
    }
}

fn numbered_sent() -> impl FnMut(&Rc<Log>, &Arc<Sender>, &str) {
    let mut slot = numbered();
    move |log, _sender, text| slot(log, text)
}

/// A slot that can be called once: it drops a capture.
fn moved() -> impl FnOnce(&Rc<Log>, &str) {
    let capture = Box::new(());
    move |log, text| {
        drop(capture);
        log.append(text);
    }
}

fn run_queue() {
    while process_events() > 0 {}
}

/// Qt: the connection type and the receiver of `QObject::connect` are independent.
#[test]
fn every_kind_has_a_receiver() {
    for (form, connect, at_once, later) in SIGNAL {
        let (signal, log) = (Signal::<str>::new(), Rc::new(Log::default()));
        let connection = connect(&signal, &log);
        assert!(connection.is_connected(), "{form}");

        signal.emit("one");
        signal.emit("two");
        assert_eq!(log.take(), at_once, "{form}");
        run_queue();
        assert_eq!(log.take(), later, "{form}");
    }
}

/// The same for signals of objects: slots get the receiver, the sender and the value.
#[test]
fn every_kind_has_a_receiver_and_the_sender() {
    for (form, connect, at_once, later) in OBJECT {
        let (sender, log) = (Sender::new(), Rc::new(Log::default()));
        connect(&sender, &log);

        sender.text.emit("one");
        sender.text.emit("two");
        assert_eq!(log.take(), at_once, "{form}");
        run_queue();
        assert_eq!(log.take(), later, "{form}");
        assert_eq!(Arc::strong_count(&sender), 1, "{form}");
    }
}

/// The slot of each kind ends with its receiver: calls and runs that are queued are not made.
#[test]
fn every_kind_ends_with_its_receiver() {
    for (form, connect, ..) in SIGNAL {
        let (signal, log) = (Signal::<str>::new(), Rc::new(Log::default()));
        let connection = connect(&signal, &log);
        signal.emit("one");
        let weak = Rc::downgrade(&log);

        drop(log);
        assert!(weak.upgrade().is_none(), "{form}: the receiver is kept alive");
        assert!(!connection.is_connected(), "{form}");
        assert_eq!(signal.slot_count(), 0, "{form}");
        run_queue();
    }
    for (form, connect, ..) in OBJECT {
        let (sender, log) = (Sender::new(), Rc::new(Log::default()));
        let connection = connect(&sender, &log);
        sender.text.emit("one");
        let weak = Rc::downgrade(&log);

        drop(log);
        assert!(weak.upgrade().is_none(), "{form}: the receiver is kept alive");
        assert!(!connection.is_connected(), "{form}");
        run_queue();
        assert_eq!(Arc::strong_count(&sender), 1, "{form}");
    }
}

/// Each kind without a receiver, on a signal and on that of an object.
#[test]
fn every_kind_needs_no_receiver() {
    let (signal, sender, record) = (Signal::<str>::new(), Sender::new(), Record::new());
    let note = |name: &'static str| {
        let record = record.clone();
        move || record.add(name)
    };
    let slot = note("queued mut");
    signal.queued().connect_mut(move |_| slot());
    let slot = note("once async");
    signal.once().connect_async(async move |_| slot());
    let slot = note("local mut");
    signal.local().connect_mut(move |_| slot());
    let slot = note("local async");
    signal.local().connect_async(async move |_| slot());
    let slot = note("object, queued mut");
    sender.text().queued().connect_mut(move |_, _| slot());
    let slot = note("object, once async");
    sender.text().once().connect_async(async move |_, _| slot());
    let slot = note("object, local mut");
    sender.text().local().connect_mut(move |_, _| slot());
    let slot = note("object, local async");
    sender.text().local().connect_async(async move |_, _| slot());

    signal.emit("");
    sender.text.emit("");
    assert_eq!(record.take(), ["local mut", "object, local mut"]);
    run_queue();

    let mut queued = record.take();
    queued.sort_unstable();
    let expected = [
        "local async",
        "object, local async",
        "object, once async",
        "object, queued mut",
        "once async",
        "queued mut",
    ];
    assert_eq!(queued, expected);
}

/// A receiver of a direct slot is called in the emitting thread, and held weakly.
#[test]
fn direct_slot_has_a_receiver() {
    let (sender, threads) = (Sender::new(), Arc::new(Mutex::new(Vec::new())));
    let slot = |threads: &Arc<Mutex<Vec<_>>>| threads.lock().unwrap().push(thread::current().id());
    let plain = sender.text.direct().connect_to(&threads, move |threads, _| slot(threads));
    let object = sender.text().direct().connect_to(&threads, move |threads, sender, _| {
        assert_eq!(sender.name, "sender");
        slot(threads);
    });

    let emitting = thread::scope(|scope| {
        let thread = scope.spawn(|| {
            sender.text.emit("");
            thread::current().id()
        });
        thread.join().unwrap()
    });
    assert_eq!(*threads.lock().unwrap(), [emitting, emitting]);

    drop(threads);
    assert!(!plain.is_connected() && !object.is_connected());
    sender.text.emit("");
}

/// A local slot with a receiver takes values that are neither copied nor sent.
#[test]
fn local_async_slot_takes_values_of_its_thread() {
    let (signal, record) = (Signal::<Rc<str>>::new(), Rc::new(Record::new()));
    signal.local().connect_async_to(&record, async |record, text| {
        future::yield_now().await;
        record.add(text);
    });

    let text: Rc<str> = "hello".into();
    signal.emit(&text);
    run_queue();

    assert_eq!(record.take(), [text]);
}

/// A run that has begun keeps its receiver until it is done.
#[test]
fn run_of_an_async_slot_keeps_its_receiver() {
    let (signal, log) = (Signal::<str>::new(), Rc::new(Log::default()));
    let connection = signal.connect_async_to(&log, Log::append_later);
    let weak = Rc::downgrade(&log);

    signal.emit("hello");
    process_events();
    drop(log);

    let log = weak.upgrade();
    assert!(log.is_some(), "the run has begun");
    run_queue();
    assert_eq!(log.map(|log| log.take()), Some(vec!["hello".to_owned()]));
    assert!(weak.upgrade().is_none());
    assert!(!connection.is_connected());
}

/// The receiver's slot may be the last to hold it: dropped by the slot, with the sender.
#[test]
fn run_of_an_async_slot_may_drop_its_receiver_and_sender() {
    let (sender, owner) = (Sender::new(), Rc::new(RefCell::new(None)));
    let log = Rc::new(Log::default());
    let ends = (Rc::downgrade(&log), Arc::downgrade(&sender));
    let held = Rc::clone(&owner);
    sender.text().connect_async_to(&log, async move |log, sender, text| {
        drop(held.take());
        future::yield_now().await;
        log.append_sent(&sender, &text);
    });
    sender.text.emit("hello");
    owner.replace(Some((log, sender)));

    run_queue();

    assert!(ends.0.upgrade().is_none() && ends.1.upgrade().is_none());
}

/// A queued slot that is called once: two emissions before the queue runs make one call; it may
/// emit again, and disconnect itself.
#[test]
fn queued_once_is_called_once() {
    let (signal, record) = (Rc::new(Signal::<i32>::new()), Record::new());
    let slot = record.clone();
    let connection = signal.queued().once().connect_to(&signal, move |signal, value| {
        assert_eq!(signal.slot_count(), 0, "disconnected before it runs");
        signal.emit(&10);
        signal.disconnect_all();
        slot.add(*value);
    });

    signal.emit(&1);
    signal.emit(&2);
    assert!(connection.is_connected());
    run_queue();

    assert_eq!(record.take(), [1]);
    assert!(!connection.is_connected());
    assert_eq!(record.handles(), 1);
}

/// A once slot of another thread is called there, once.
#[test]
fn queued_once_is_called_in_its_thread() {
    let (signal, record) = (Signal::<i32>::new(), Record::new());
    let slot = record.clone();
    signal.queued().once().connect(move |value| slot.add(*value));

    thread::scope(|scope| {
        scope.spawn(|| (1..=3).for_each(|value| signal.emit(&value)));
    });
    run_queue();

    assert_eq!(record.take(), [1]);
}

/// A queued mutable slot takes emissions from inside itself, which a direct one refuses.
#[test]
fn queued_mutable_slot_may_emit_again() {
    let (signal, log) = (Rc::new(Signal::<str>::new()), Rc::new(Log::default()));
    let mut left = 2;
    let (again, slot) = (Rc::downgrade(&signal), move |log: &Rc<Log>, text: &str| {
        log.append(text);
        left -= 1;
        left > 0
    });
    let mut slot = slot;
    signal.queued().connect_mut_to(&log, move |log, text| {
        if slot(log, text)
            && let Some(signal) = again.upgrade()
        {
            signal.emit(text);
        }
    });

    signal.emit("hello");
    run_queue();

    assert_eq!(log.take(), ["hello", "hello"]);
}

/// A way to connect a slot that is called from inside itself.
type ConnectRecursive = fn(&Rc<Signal<()>>, &Rc<()>);

/// A mutable slot that is entered twice panics and names its connect line.
#[test]
fn mutable_slots_name_their_connect_line() {
    let connects: [ConnectRecursive; 3] = [
        |signal, receiver| {
            let again = Rc::clone(signal);
            signal.connect_mut_to(receiver, move |_, ()| again.emit(&()));
        },
        |signal, receiver| {
            let again = Rc::clone(signal);
            signal.local().connect_mut_to(receiver, move |_, ()| again.emit(&()));
        },
        |signal, receiver| {
            let again = Rc::clone(signal);
            signal.queued().connect_mut_to(receiver, move |_, ()| {
                again.emit(&());
                process_events();
            });
        },
    ];
    for connect in connects {
        let (signal, receiver) = (Rc::new(Signal::<()>::new()), Rc::new(()));
        connect(&signal, &receiver);

        let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
            signal.emit(&());
            process_events();
        }));

        let text = outcome.err().and_then(|payload| payload.downcast::<String>().ok());
        assert!(text.is_some_and(|text| text.contains(file!())));
        signal.disconnect_all();
        run_queue();
    }
}

/// The run of an async slot with a receiver holds the sender from the emission on.
#[test]
fn async_run_holds_its_sender() {
    let (sender, log) = (Sender::new(), Rc::new(Log::default()));
    sender.text().connect_async_to(&log, Log::append_sent_later);

    sender.text.emit("last words");
    drop(sender);
    run_queue();

    assert_eq!(log.take(), ["sender: last words"]);
}
