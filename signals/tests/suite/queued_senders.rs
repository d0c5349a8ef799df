//! Senders of queued calls: alive until the call is over, and followed by their guards.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::{self, Rc};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, mpsc};
use std::thread;

use slotwork_signals::{
    DeliveryGuard, Handle, SharedSender, Signal, SignalRef, dispatch, process_events,
};

use crate::support::Record;

#[derive(Default)]
struct Job {
    done: Signal<String>,
}

/// `QObject::sender()`: Qt delivers calls that are queued when the sender is deleted.
#[test]
fn a_queued_call_reaches_its_slot_with_a_sender_that_is_gone_otherwise() {
    let record = Record::new();
    let (job, receiver) = (Rc::new(Job::default()), Rc::new("receiver"));
    let (queued, to_receiver) = (record.clone(), record.clone());
    let done = SignalRef::new(&job, &job.done);
    done.queued().connect(move |_job, text| queued.add(format!("queued {text}")));
    // A slot of another signal lends its own sender on.
    done.connect_to(&receiver, move |receiver, _job, text| {
        to_receiver.add(format!("{receiver} {text}"));
    });

    job.done.emit(&"result".to_owned());
    let weak = Rc::downgrade(&job);
    drop(job);
    assert!(weak.upgrade().is_some());
    assert_eq!(process_events(), 1);

    assert_eq!(record.take(), ["receiver result", "queued result"]);
    assert!(weak.upgrade().is_none());
    assert_eq!(record.handles(), 1);
}

/// The same from another thread, for each kind of connection.
#[test]
fn emissions_of_another_thread_keep_their_sender_until_they_are_delivered() {
    let record = Record::new();
    let (job, receiver) = (Arc::new(Job::default()), Rc::new("receiver"));
    let [auto, queued, once, change, to_receiver] = [0; 5].map(|_| record.clone());
    let done = SignalRef::new(&job, &job.done);
    done.connect(move |_, text| auto.add(format!("auto {text}")));
    done.queued().connect(move |_, text| queued.add(format!("queued {text}")));
    done.once().connect(move |_, text| once.add(format!("once {text}")));
    done.connect_mut(move |_, text| change.add(format!("mut {text}")));
    done.connect_to(&receiver, move |receiver, _, text| {
        to_receiver.add(format!("{receiver} {text}"));
    });
    let weak = Arc::downgrade(&job);

    let worker = thread::spawn(move || job.done.emit(&"result".to_owned()));
    worker.join().unwrap();
    assert_eq!(process_events(), 1);

    let expected =
        ["auto", "queued", "once", "mut", "receiver"].map(|kind| format!("{kind} result"));
    assert_eq!(record.take(), expected);
    assert!(weak.upgrade().is_none());
    process_events();
    assert_eq!(record.handles(), 1);
}

/// An async slot gets its sender as well, and keeps it until it has finished.
#[test]
fn an_async_slot_of_another_thread_gets_a_sender_that_is_gone_otherwise() {
    let record = Record::new();
    let job = Arc::new(Job::default());
    let slot = record.clone();
    SignalRef::new(&job, &job.done).connect_async(move |_job, text| {
        let slot = slot.clone();
        async move {
            smol::future::yield_now().await;
            slot.add(text);
        }
    });
    let weak = Arc::downgrade(&job);

    let worker = thread::spawn(move || job.done.emit(&"result".to_owned()));
    worker.join().unwrap();
    while process_events() > 0 {}

    assert_eq!(record.take(), ["result"]);
    assert!(weak.upgrade().is_none());
}

/// SIG-14: neither a disconnected slot nor one without its receiver is called; the sender is freed.
#[test]
fn a_queued_call_without_a_slot_frees_its_sender() {
    let record = Record::<String>::new();
    let (job, receiver) = (Rc::new(Job::default()), Rc::new(()));
    let (first, second) = (record.clone(), record.clone());
    let done = SignalRef::new(&job, &job.done);
    let connection = done.queued().connect(move |_job, text| first.add(text.clone()));
    job.done.connect_to(&receiver, move |_, text| second.add(text.clone()));

    job.done.emit(&"result".to_owned());
    record.take();
    connection.disconnect();
    drop(receiver);
    let weak = Rc::downgrade(&job);
    drop(job);
    process_events();

    assert!(record.take().is_empty());
    assert!(weak.upgrade().is_none());
}

/// Where the receiving thread ends, calls and senders are freed.
#[test]
fn the_end_of_the_receiving_thread_frees_the_sender() {
    let job = Arc::new(Job::default());
    let weak = Arc::downgrade(&job);
    let (ready, is_ready) = mpsc::channel();
    let (end, may_end) = mpsc::channel::<()>();
    let shared = Arc::downgrade(&job);

    let receiver = thread::spawn(move || {
        let job = shared.upgrade().unwrap();
        SignalRef::new(&job, &job.done).connect(|_job, _text| unreachable!("no queue is run"));
        drop(job);
        ready.send(()).unwrap();
        may_end.recv().unwrap();
    });
    is_ready.recv().unwrap();
    job.done.emit(&"result".to_owned());
    drop(job);
    assert!(weak.upgrade().is_some());
    end.send(()).unwrap();
    receiver.join().unwrap();

    assert!(weak.upgrade().is_none());
}

/// The `Drop` of a sender may do anything when a queued call has its last handle.
#[test]
fn the_drop_of_a_sender_runs_outside_the_queue() {
    struct Last(Rc<Signal<i32>>);
    impl Drop for Last {
        fn drop(&mut self) {
            self.0.emit(&7);
            process_events();
        }
    }
    let record = Record::new();
    let (slot, other) = (record.clone(), Rc::new(Signal::<i32>::new()));
    other.queued().connect(move |value| slot.add(*value));
    let (sender, signal) = (Rc::new(Last(Rc::clone(&other))), Signal::<i32>::new());
    SignalRef::new(&sender, &signal).queued().connect(|_, _| {});

    signal.emit(&1);
    drop(sender);
    process_events();

    assert_eq!(record.take(), [7]);
}

/// `QMetaObject::Connection::operator bool()` is false once receiver or sender is deleted.
#[test]
fn a_connection_ends_at_once_with_its_receiver_or_sender() {
    let record = Record::<i32>::new();
    let (job, receiver) = (Rc::new(Job::default()), Rc::new(()));
    let shared = Arc::new(());
    let (slot, signal) = (record.clone(), Signal::<i32>::new());
    let to_receiver = signal.connect_to(&receiver, move |_, value| slot.add(*value));
    let direct = SignalRef::new(&shared, &signal).direct().connect(|_, _| {});
    let of_job = SignalRef::new(&job, &job.done).connect_to(&receiver, |_, _, _| {});
    assert!(to_receiver.is_connected() && direct.is_connected() && of_job.is_connected());

    drop((receiver, shared));
    assert!(!to_receiver.is_connected() && !direct.is_connected() && !of_job.is_connected());
    assert_eq!(record.handles(), 1, "asked, it drops what the slot has captured");
    assert!(!to_receiver.disconnect());

    let sent = SignalRef::new(&job, &job.done).connect(|_, _| {});
    drop(job);
    assert!(!sent.is_connected());
}

/// A handle with a guard of its own.
#[derive(Clone)]
struct Watched(Arc<Log>);

#[derive(Default)]
struct Log {
    value: Signal<str>,
    entries: Mutex<Vec<String>>,
}

struct Guard(Arc<Log>);

impl Watched {
    fn new() -> Self {
        Self(Arc::default())
    }

    fn value(&self) -> SignalRef<'_, Self, str> {
        SignalRef::new(self, &self.0.value)
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.entries())
    }
}

impl Log {
    fn add(&self, entry: impl Into<String>) {
        self.entries().push(entry.into());
    }

    fn entries(&self) -> MutexGuard<'_, Vec<String>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handle for Watched {
    type Weak = Weak<Log>;

    fn downgrade(&self) -> Weak<Log> {
        Arc::downgrade(&self.0)
    }

    fn upgrade(weak: &Weak<Log>) -> Option<Self> {
        weak.upgrade().map(Self)
    }

    fn shared(&self) -> Option<SharedSender> {
        let weak = self.downgrade();
        Some(SharedSender::with_guard(move |value: &dyn Any| {
            let log = weak.upgrade()?;
            log.add(format!("queued {:?}", value.downcast_ref::<String>()?));
            let guard: Box<dyn DeliveryGuard + Send> = Box::new(Guard(log));
            Some(guard)
        }))
    }
}

impl DeliveryGuard for Guard {
    fn begin(&mut self) {
        self.0.add("begin");
    }

    fn suspend(&mut self) {
        self.0.add("suspend");
    }

    fn panicked(&mut self) {
        self.0.add("panicked");
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.add("over");
    }
}

/// A sender follows each queued call, and pays nothing for direct ones.
#[test]
fn a_guard_follows_a_queued_call_from_the_emission_to_its_end() {
    let sender = Watched::new();
    let direct = sender.value().connect(|sender, _| sender.0.add("direct slot"));
    sender.0.value.emit("1");
    assert_eq!(sender.take(), ["direct slot"]);
    direct.disconnect();

    let queued = sender.value().queued().connect(|sender, _| sender.0.add("slot"));
    sender.0.value.emit("2");
    assert_eq!(sender.take(), ["queued \"2\""]);
    process_events();
    assert_eq!(sender.take(), ["begin", "slot", "over"]);
    queued.disconnect();

    sender.value().queued().connect(|_, _| std::panic::resume_unwind(Box::new("on purpose")));
    sender.0.value.emit("3");
    assert!(catch_unwind(AssertUnwindSafe(process_events)).is_err());
    assert_eq!(sender.take(), ["queued \"3\"", "begin", "panicked", "over"]);
}

/// The same for async slots, which also wait.
#[test]
fn a_guard_follows_an_async_slot_until_it_has_finished() {
    let sender = Watched::new();
    let quick = sender.value().connect_async(async |sender, _| sender.0.add("slot"));
    sender.0.value.emit("1");
    while process_events() > 0 {}
    assert_eq!(sender.take(), ["queued \"1\"", "begin", "slot", "over"]);
    quick.disconnect();

    let slow = sender.value().connect_async(async |sender, _| {
        smol::future::yield_now().await;
        smol::future::yield_now().await;
        sender.0.add("slot");
    });
    sender.0.value.emit("2");
    while process_events() > 0 {}
    assert_eq!(sender.take(), ["queued \"2\"", "begin", "suspend", "slot", "over"]);
    slow.disconnect();

    sender.value().connect_async(async |_, _| {
        smol::future::yield_now().await;
        std::panic::resume_unwind(Box::new("on purpose"));
    });
    sender.0.value.emit("3");
    while catch_unwind(AssertUnwindSafe(process_events)).is_ok_and(|count| count > 0) {}
    assert_eq!(sender.take(), ["queued \"3\"", "begin", "suspend", "panicked", "over"]);
}

/// A future that hosts slots runs them with their senders too.
#[test]
fn a_sender_of_an_executor_lives_until_its_call_has_run() {
    let record = Record::new();
    let job = Rc::new(Job::default());
    let slot = record.clone();
    SignalRef::new(&job, &job.done).queued().connect(move |_job, text| slot.add(text.clone()));
    let weak: rc::Weak<Job> = Rc::downgrade(&job);

    job.done.emit(&"result".to_owned());
    drop(job);
    assert!(smol::block_on(smol::future::poll_once(dispatch())).is_none());

    assert_eq!(record.take(), ["result"]);
    assert!(weak.upgrade().is_none());
}
