//! Runs of async slots with a receiver: what they hold, and how they end.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use slotwork_signals::{Signal, process_events};
use smol::future;

use crate::kinds::{Log, Sender, run_queue};
use crate::support::Record;

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
