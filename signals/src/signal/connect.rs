//! The ways to connect a slot to a signal, as `Qt::AutoConnection`.

use std::sync::Arc;

use crate::connection::Connection;
use crate::queue::async_slots;
use crate::receiver::{Deferred, Receiver};
use crate::signal::Signal;
use crate::slots::call;

impl<T> Signal<T>
where
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    /// Connects a slot of the calling thread.
    ///
    /// Emissions of this thread call it directly, those of other threads through this thread's
    /// queue. The slot must not capture the object that owns the signal: with
    /// [`connect_to`](Self::connect_to) and [`SignalRef`](crate::SignalRef) that object is an
    /// argument.
    ///
    /// # Qt
    ///
    /// `QObject::connect` with `Qt::AutoConnection`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::Signal;
    ///
    /// let text_received = Signal::<str>::new();
    /// text_received.connect(|text| println!("received {text}"));
    ///
    /// text_received.emit("hello");
    /// ```
    #[doc(alias = "QObject::connect")]
    #[doc(alias = "AutoConnection")]
    #[track_caller]
    pub fn connect(
        &self,
        // Compiler errors show the next line when a receiver is passed.
        slot: impl Fn(&T) + 'static, // with a receiver: `connect_to(&receiver, slot)`
    ) -> Connection {
        self.connect_to((), move |(), value| slot(value))
    }

    /// Connects a slot that works on `receiver`, which is held weakly.
    ///
    /// The slot gets the receiver as its first argument. When the receiver is dropped, the slot is
    /// disconnected: [`Connection::is_connected`] is false at once. The captures of the slot are
    /// dropped at the next emission that reaches it, or when the slot's thread calls `is_connected`
    /// or [`slot_count`](Self::slot_count).
    ///
    /// # Qt
    ///
    /// `QObject::connect` with a receiver or context object.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::rc::Rc;
    ///
    /// use slotwork_signals::Signal;
    ///
    /// struct Counter(Cell<i32>);
    ///
    /// impl Counter {
    ///     fn set_value(self: &Rc<Self>, value: &i32) {
    ///         self.0.set(*value);
    ///     }
    /// }
    ///
    /// let value_changed = Signal::<i32>::new();
    /// let counter = Rc::new(Counter(Cell::new(0)));
    /// value_changed.connect_to(&counter, Counter::set_value);
    ///
    /// value_changed.emit(&3);
    /// assert_eq!(counter.0.get(), 3);
    /// ```
    #[doc(alias = "QObject::connect")]
    #[track_caller]
    pub fn connect_to<R: Receiver>(
        &self,
        receiver: R,
        slot: impl Fn(&R::Strong, &T) + 'static,
    ) -> Connection {
        self.member().connect_to(receiver, slot)
    }

    /// Connects a slot that changes its captures (`FnMut`).
    ///
    /// # Qt
    ///
    /// `QObject::connect` with a `mutable` lambda, which Qt calls recursively.
    ///
    /// # Panics
    ///
    /// A recursive emission, from inside the slot, panics when it would call the slot again.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::Signal;
    ///
    /// let number_received = Signal::<i32>::new();
    /// let mut sum = 0;
    /// number_received.connect_mut(move |number| {
    ///     sum += number;
    ///     println!("{sum} so far");
    /// });
    ///
    /// number_received.emit(&3);
    /// number_received.emit(&4);
    /// ```
    #[doc(alias = "QObject::connect")]
    #[track_caller]
    pub fn connect_mut(&self, mut slot: impl FnMut(&T) + 'static) -> Connection {
        self.connect_mut_to((), move |(), value| slot(value))
    }

    /// Connects a slot that works on `receiver` and changes its captures (`FnMut`).
    ///
    /// See [`connect_to`](Self::connect_to) for the receiver.
    ///
    /// # Qt
    ///
    /// `QObject::connect` with a receiver and a `mutable` lambda, which Qt calls recursively.
    ///
    /// # Panics
    ///
    /// A recursive emission, from inside the slot, panics when it would call the slot again.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::RefCell;
    /// use std::rc::Rc;
    ///
    /// use slotwork_signals::Signal;
    ///
    /// let lines = Rc::new(RefCell::new(Vec::new()));
    /// let text_received = Signal::<str>::new();
    /// let mut number = 0;
    /// text_received.connect_mut_to(&lines, move |lines, text| {
    ///     number += 1;
    ///     lines.borrow_mut().push(format!("{number}: {text}"));
    /// });
    ///
    /// text_received.emit("hello");
    /// assert_eq!(*lines.borrow(), ["1: hello"]);
    /// ```
    #[doc(alias = "QObject::connect")]
    #[track_caller]
    pub fn connect_mut_to<R: Receiver>(
        &self,
        receiver: R,
        slot: impl FnMut(&R::Strong, &T) + 'static,
    ) -> Connection {
        self.connect_to(receiver, call::exclusive(slot))
    }

    /// Connects an async slot, which runs in this thread's queue.
    ///
    /// Each emission runs it anew, with a copy of the value; the runs of several emissions may
    /// overlap. Whatever runs the queue runs the slot: an event loop, [`dispatch`](crate::dispatch)
    /// inside an executor, or [`process_events`](crate::process_events). Disconnecting does not
    /// stop a run that has begun; the end of the thread does.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart; programs chain further signals and slots.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::{Signal, process_events};
    /// use smol::future;
    ///
    /// let text_received = Signal::<str>::new();
    /// text_received.connect_async(async |text| {
    ///     future::yield_now().await;
    ///     println!("received {text}");
    /// });
    ///
    /// text_received.emit("hello");
    /// while process_events() > 0 {}
    /// ```
    #[track_caller]
    pub fn connect_async(&self, slot: impl AsyncFn(T::Owned) + 'static) -> Connection {
        self.connect_async_to((), async move |(), value| slot(value).await)
    }

    /// Connects an async slot that works on `receiver`.
    ///
    /// The slot gets handles of its own: to the receiver, which lives until the run is done, and a
    /// copy of the value. The connection holds the receiver weakly, and so does a run that has not
    /// begun: when the receiver is dropped before, the slot is not called. See
    /// [`connect_async`](Self::connect_async).
    ///
    /// # Qt
    ///
    /// Qt has no counterpart; programs chain further signals and slots.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::RefCell;
    /// use std::rc::Rc;
    ///
    /// use slotwork_signals::{Signal, process_events};
    /// use smol::future;
    ///
    /// #[derive(Default)]
    /// struct Log(RefCell<Vec<String>>);
    ///
    /// impl Log {
    ///     async fn append(self: Rc<Self>, line: String) {
    ///         future::yield_now().await;
    ///         self.0.borrow_mut().push(line);
    ///     }
    /// }
    ///
    /// let (text_received, log) = (Signal::<str>::new(), Rc::new(Log::default()));
    /// text_received.connect_async_to(&log, Log::append);
    ///
    /// text_received.emit("hello");
    /// while process_events() > 0 {}
    /// assert_eq!(*log.0.borrow(), ["hello"]);
    /// ```
    #[track_caller]
    pub fn connect_async_to<R: Receiver>(
        &self,
        receiver: R,
        slot: impl AsyncFn(R::Strong, T::Owned) + 'static,
    ) -> Connection {
        self.connect_to(Deferred(receiver), async_slots::repeated(slot, None))
    }

    /// Connects another signal, which is emitted with the same values.
    ///
    /// The other signal is held weakly. It is emitted in this thread.
    ///
    /// # Qt
    ///
    /// `QObject::connect` from a signal to a signal.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use slotwork_signals::Signal;
    ///
    /// let (clicked, closed) = (Signal::<()>::new(), Arc::new(Signal::<()>::new()));
    /// clicked.forward_to(&closed);
    /// closed.connect(|()| println!("closed by a click"));
    ///
    /// clicked.emit(&());
    /// ```
    #[doc(alias = "QObject::connect")]
    #[track_caller]
    pub fn forward_to(&self, other: &Arc<Self>) -> Connection
    where
        T: Send,
    {
        self.connect_to(other, |other, value| other.emit(value))
    }
}
