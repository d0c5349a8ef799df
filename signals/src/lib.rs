//! Signals and slots with thread affinity, as in Qt.
//!
//! A [`Signal`] calls its slots when it is emitted. A slot belongs to the thread that connected it
//! and need not be `Send`: emitted on that thread, a slot is called directly and without a lock;
//! emitted on another thread, the value is copied once and posted to the slot's thread, which runs
//! the call in its queue ([`process_events`], or [`dispatch`] inside any executor).
//!
//! ```
//! use slotwork_signals::Signal;
//!
//! let text_received = Signal::<str>::new();
//! let connection = text_received.connect(|text| println!("received {text}"));
//!
//! text_received.emit("hello");
//! connection.disconnect();
//! text_received.emit("not received");
//! ```
//!
//! # Receivers
//!
//! [`connect_to`](Signal::connect_to) takes the object that a slot works on. The signal holds it
//! weakly: the slot is disconnected when the object is dropped, and nothing has to be cloned,
//! downgraded or moved at the connect line.
//!
//! ```
//! use std::cell::RefCell;
//! use std::rc::Rc;
//!
//! use slotwork_signals::Signal;
//!
//! #[derive(Default)]
//! struct Log {
//!     lines: RefCell<Vec<String>>,
//! }
//!
//! impl Log {
//!     fn append(self: &Rc<Self>, line: &str) {
//!         self.lines.borrow_mut().push(line.to_owned());
//!     }
//! }
//!
//! let log = Rc::new(Log::default());
//! let text_received = Signal::<str>::new();
//! text_received.connect_to(&log, Log::append);
//!
//! text_received.emit("hello");
//! assert_eq!(*log.lines.borrow(), ["hello"]);
//!
//! drop(log);
//! assert_eq!(text_received.slot_count(), 0);
//! ```
//!
//! # Objects that have signals
//!
//! A signal is a field of its object, in one line. It is connected and emitted where the field is
//! visible, as Qt's signals are, which are public.
//!
//! ```
//! use std::cell::Cell;
//! use std::rc::Rc;
//!
//! use slotwork_signals::Signal;
//!
//! #[derive(Default)]
//! struct Counter {
//!     value: Cell<i32>,
//!     /// Emitted when the value has changed.
//!     value_changed: Signal<i32>,
//! }
//!
//! impl Counter {
//!     fn set_value(self: &Rc<Self>, value: &i32) {
//!         if self.value.replace(*value) != *value {
//!             self.value_changed.emit(value);
//!         }
//!     }
//! }
//!
//! let (a, b) = (Rc::new(Counter::default()), Rc::new(Counter::default()));
//! a.value_changed.connect_to(&b, Counter::set_value);
//!
//! a.set_value(&12);
//! assert_eq!(b.value.get(), 12);
//! ```
//!
//! An object that alone emits keeps the field private, and has a method that returns a
//! [`SignalRef`]. The slots of such a signal get the sender as their first argument
//! (`QObject::sender()`), which is held weakly too. A queued call keeps its sender alive until the
//! slot has run.
//!
//! # Signals of several threads
//!
//! Threads share their signals as a struct in one `Arc`. Each thread connects its own slots, and
//! any of them emits.
//!
//! ```
//! use std::cell::Cell;
//! use std::rc::Rc;
//! use std::sync::Arc;
//! use std::thread;
//!
//! use slotwork_signals::{Signal, process_events};
//!
//! #[derive(Default)]
//! struct Download {
//!     progress: Signal<u32>,
//!     failed: Signal<str>,
//! }
//!
//! let (download, percent) = (Arc::new(Download::default()), Rc::new(Cell::new(0)));
//! download.progress.connect_to(&percent, |percent, value| percent.set(*value));
//! download.failed.connect(|reason| println!("{reason}"));
//!
//! let loading = Arc::clone(&download);
//! let thread = thread::spawn(move || loading.progress.emit(&100));
//! assert!(thread.join().is_ok());
//!
//! process_events();
//! assert_eq!(percent.get(), 100);
//! ```
//!
//! # Awaiting
//!
//! [`Signal::next`] and [`Signal::stream`] make emissions available to async code;
//! [`Signal::connect_async`] and [`connect_async_to`](Signal::connect_async_to) connect async slots.
//!
//! # Guarantees
//!
//! * Slots run in the order in which they were connected, before `emit` returns.
//! * A slot that is connected during an emission does not run in it; a slot that is disconnected
//!   during an emission no longer runs.
//! * Slots may emit again, connect, disconnect, and drop any object: no lock and no borrow is held
//!   while they run.
//! * A panic in a slot propagates through `emit`; later slots are skipped, and the next emission
//!   works as usual.
//! * The emissions and [`ThreadQueue`] posts from one thread to another arrive in order.
//! * A queued call is not delivered after [`Connection::disconnect`] (Qt delivers it), nor after
//!   its receiver is dropped. It is delivered after the last handle to the sender was dropped:
//!   queued calls of a [`SignalRef`] keep the sender alive.
//!
//! # Qt
//!
//! `connect` is `QObject::connect` with `Qt::AutoConnection`; `queued()`, `direct()` and `once()`
//! are the other connection types ([`kinds`] has all forms in a table). There is no blocking queued
//! connection: await [`Signal::next`] instead. [`SignalSpy`] is `QSignalSpy`.

#![allow(
    clippy::must_use_candidate,
    reason = "connecting, disconnecting and draining have effects; their results may be ignored"
)]

mod awaiting;
mod connection;
mod queue;
mod receiver;
mod signal;
mod slots;
mod spy;
mod sync;
mod thread;
mod unwind;

// The search finds a type by the alias of its `pub use`, not by that of the type in its module.
#[doc(alias = "QFuture")]
pub use awaiting::next_value::Next;
pub use awaiting::stream::SignalStream;
#[doc(alias = "QMetaObject::Connection")]
#[doc(alias = "QMetaObject")]
pub use connection::Connection;
pub use connection::blocker::ConnectionBlocker;
pub use connection::scope::Scope;
pub use connection::scoped::ScopedConnection;
pub use queue::delivery_guard::DeliveryGuard;
pub use queue::delivery_guard::SharedSender;
pub use queue::dispatch::Dispatch;
#[doc(alias = "QEventLoop")]
pub use queue::dispatch::dispatch;
#[doc(alias = "sendPostedEvents")]
#[doc(alias = "processEvents")]
pub use queue::dispatch::process_events;
#[doc(alias = "invokeMethod")]
#[doc(alias = "postEvent")]
pub use queue::thread_queue::ThreadQueue;
pub use queue::wait::set_waiter;
pub use receiver::Receiver;
#[doc(alias = "QPointer")]
pub use receiver::handle::Handle;
#[doc(alias = "QPointer")]
pub use receiver::weak::WeakHandle;
#[doc(alias = "QPointer")]
pub use receiver::weak::WeakReceiver;
#[doc(alias = "Q_SIGNAL")]
#[doc(alias = "signals")]
#[doc(alias = "emit")]
#[doc(alias = "QFileSystemWatcher")]
pub use signal::Signal;
#[doc(alias = "QSignalBlocker")]
pub use signal::blocker::SignalBlocker;
#[doc(alias = "ConnectionType")]
pub use signal::kinds;
#[doc(alias = "sender")]
#[doc(alias = "QObject")]
#[doc(alias = "qobject_cast")]
pub use signal::signal_ref::SignalRef;
#[doc(alias = "QSignalSpy")]
pub use spy::SignalSpy;
pub use spy::SpyTimeout;
pub use spy::spied::Spied;
#[doc(alias = "QEventLoop")]
pub use thread::nesting::max_nesting;
#[doc(alias = "QEventLoop")]
pub use thread::nesting::set_max_nesting;
pub use thread::slow_slots::warn_of_slow_slots;

/// The interface of an event loop to its thread's queue; not for other programs.
#[doc(hidden)]
pub mod host {
    pub use crate::queue::dispatch::{BATCH, drop_queue, run_queue, run_slots};
    pub use crate::signal::group::{Position, SignalGroup};
    pub use crate::signal::slot_cache::SlotCache;
    pub use crate::thread::nesting::{RunningLoop, limit_nesting_stack};
    pub use crate::thread::slow_slots::{Origin, watched_call};
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
