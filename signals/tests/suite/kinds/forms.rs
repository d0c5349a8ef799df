//! The table of all forms: each kind with and without a receiver, and that of an object.

use std::rc::Rc;
use std::sync::Arc;

use slotwork_signals::{Connection, Signal};
use smol::future;

use crate::kinds::{Log, Sender, run_queue};
use crate::support::Record;

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
