//! Kinds of connections: when and where a slot is called.
//!
//! A signal's own verbs connect as `Qt::AutoConnection` does: the slot is called at once by
//! emissions of its own thread, and through its thread's queue by those of others. `queued()`,
//! `once()`, `direct()` and `local()` of [`Signal`](crate::Signal) and
//! [`SignalRef`](crate::SignalRef) return adapters with the same verbs for another kind. So the
//! kind, the receiver and the form of the slot are chosen independently:
//!
//! ```
//! use std::cell::RefCell;
//! use std::rc::Rc;
//!
//! use slotwork_signals::{Signal, process_events};
//!
//! #[derive(Default)]
//! struct Log(RefCell<Vec<String>>);
//!
//! impl Log {
//!     fn append(self: &Rc<Self>, line: &str) {
//!         self.0.borrow_mut().push(line.to_owned());
//!     }
//! }
//!
//! let (text_received, log) = (Signal::<str>::new(), Rc::new(Log::default()));
//! // connect(sender, &Sender::textReceived, log, &Log::append, Qt::QueuedConnection)
//! text_received.queued().connect_to(&log, Log::append);
//! // connect(…, static_cast<Qt::ConnectionType>(Qt::QueuedConnection | Qt::SingleShotConnection))
//! text_received.queued().once().connect_to(&log, Log::append);
//!
//! text_received.emit("hello");
//! assert_eq!(log.0.borrow().len(), 0);
//! process_events();
//! assert_eq!(*log.0.borrow(), ["hello", "hello"]);
//! ```
//!
//! # Kinds
//!
//! | kind | Qt | the slot is called | the slot is | bounds |
//! |---|---|---|---|---|
//! | the signal itself | `Qt::AutoConnection` | at once in its own thread, queued from others | `Fn` | the value can be copied and sent |
//! | `queued()` | `Qt::QueuedConnection` | always from its thread's queue | `Fn` | the same |
//! | `once()` | `Qt::SingleShotConnection` | as by the signal itself, and disconnected before its first call | `FnOnce` | the same |
//! | `queued().once()` | both of them | from the queue, once | `FnOnce` | the same |
//! | `direct()` | `Qt::DirectConnection` to another thread | in the emitting thread, whichever that is | `Fn` | slot and receiver are `Send + Sync`; none on the value |
//! | `local()` | `Qt::DirectConnection` in one thread | at once, by emissions of its own thread alone | `Fn` | none on the value |
//!
//! # Verbs
//!
//! | verb | signal | `queued()` | `once()` | `direct()` | `local()` |
//! |---|---|---|---|---|---|
//! | `connect` | ✓ | ✓ | ✓ | ✓ | ✓ |
//! | `connect_to`: with a receiver | ✓ | ✓ | ✓ | ✓ | ✓ |
//! | `connect_mut`, `connect_mut_to`: `FnMut` | ✓ | ✓ | `connect` takes it | a `Mutex` | ✓ |
//! | `connect_async`, `connect_async_to` | ✓ | they are queued | ✓ | – | ✓, for values that are `Clone` |
//! | `forward_to`, `next`, `stream` | ✓ | – | – | – | – |
//!
//! The arguments of a slot are the receiver, the sender and the value, as far as there are: the
//! receiver with the verbs that end in `_to`, the sender if the signal is a
//! [`SignalRef`](crate::SignalRef). They are borrowed; those of async slots are owned.
//!
//! `queued()` and `once()` combine, in either order. `direct()` and `local()` combine with nothing:
//! a slot of theirs that is called once disconnects its [`Connection`](crate::Connection). There is
//! no `Qt::BlockingQueuedConnection`, which deadlocks ([`Signal::next`](crate::Signal::next) awaits
//! an emission), and no `Qt::UniqueConnection`, as closures cannot be compared.
//!
//! An adapter borrows its signal for the connect line. It costs nothing: the connection is the same
//! as without one.
//!
//! # Qt
//!
//! `Qt::ConnectionType`, the last argument of `QObject::connect`.

mod direct;
mod local;
mod once;
mod queued;

#[doc(alias = "DirectConnection")]
pub use direct::Direct;
#[doc(alias = "DirectConnection")]
pub use local::Local;
#[doc(alias = "SingleShotConnection")]
pub use once::Once;
#[doc(alias = "QueuedConnection")]
pub use queued::Queued;
