//! The ways to connect a slot to a signal.

use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;

use crate::connection::Connection;
use crate::connection::link::ConnectionType;
use crate::queue::async_slots;
use crate::receiver::Receiver;
use crate::signal::Signal;
use crate::signal::delivery;
use crate::slots::call::{self, Once, Repeated};
use crate::thread::slow_slots::Origin;

impl<T: ?Sized + 'static> Signal<T> {
    /// Connects a slot that is called only by emissions of this thread.
    ///
    /// It has no bounds on `T`: values need neither be copied nor sent.
    ///
    /// # Qt
    ///
    /// `Qt::DirectConnection` between objects of one thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::RefCell;
    ///
    /// use slotwork_signals::Signal;
    ///
    /// let collecting = Signal::<RefCell<Vec<i32>>>::new();
    /// collecting.connect_local(|numbers| numbers.borrow_mut().push(3));
    ///
    /// let numbers = RefCell::default();
    /// collecting.emit(&numbers);
    /// assert_eq!(numbers.into_inner(), [3]);
    /// ```
    #[doc(alias = "DirectConnection")]
    #[track_caller]
    pub fn connect_local(&self, slot: impl Fn(&T) + 'static) -> Connection {
        let call = Repeated::new((), move |(): &(), value: &T| slot(value));
        self.attach(ConnectionType::Local, None, call, Location::caller())
    }

    /// Connects a slot that runs on the emitting thread, whichever that is.
    ///
    /// It runs after the slots of that thread.
    ///
    /// # Qt
    ///
    /// `Qt::DirectConnection` to an object of another thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use std::thread;
    ///
    /// use slotwork_signals::Signal;
    ///
    /// let (progress, shown) = (Signal::<u32>::new(), Arc::new(AtomicU32::new(0)));
    /// let slot = Arc::clone(&shown);
    /// progress.connect_direct(move |percent| slot.store(*percent, Ordering::Relaxed));
    ///
    /// thread::scope(|scope| {
    ///     scope.spawn(|| progress.emit(&50));
    /// });
    /// assert_eq!(shown.load(Ordering::Relaxed), 50);
    /// ```
    #[doc(alias = "DirectConnection")]
    #[track_caller]
    pub fn connect_direct(&self, slot: impl Fn(&T) + Send + Sync + 'static) -> Connection {
        let call = Repeated::new((), move |(): &(), value: &T| slot(value));
        self.attach_direct(Arc::new(call), Location::caller())
    }
}

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
        let call = Repeated::new(receiver, slot);
        self.attach(ConnectionType::Auto, Some(delivery::post), call, Location::caller())
    }

    /// Connects a slot that is called once: it is disconnected before it runs.
    ///
    /// # Qt
    ///
    /// `Qt::SingleShotConnection`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::Signal;
    ///
    /// let connected = Signal::<()>::new();
    /// let greeting = String::from("hello");
    /// connected.connect_once(move |()| drop(greeting));
    ///
    /// connected.emit(&());
    /// assert_eq!(connected.slot_count(), 0);
    /// ```
    #[doc(alias = "SingleShotConnection")]
    #[track_caller]
    pub fn connect_once(&self, slot: impl FnOnce(&T) + 'static) -> Connection {
        self.attach_once((), move |(): &(), value| slot(value))
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
        self.connect_to((), call::exclusive(move |(): &(), value: &T| slot(value)))
    }

    /// Connects a slot that always runs from the queue, after the emission.
    ///
    /// # Qt
    ///
    /// `Qt::QueuedConnection`. After [`Connection::disconnect`] pending calls are dropped; Qt
    /// delivers them.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::{Signal, process_events};
    ///
    /// let changed = Signal::<i32>::new();
    /// changed.connect_queued(|value| println!("was {value} a moment ago"));
    ///
    /// changed.emit(&1);
    /// assert_eq!(process_events(), 1);
    /// ```
    #[doc(alias = "QueuedConnection")]
    #[track_caller]
    pub fn connect_queued(&self, slot: impl Fn(&T) + 'static) -> Connection {
        self.attach_queued((), move |(): &(), value| slot(value))
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
        let (slot, origin) = (Rc::new(slot), Origin::new(Location::caller()));
        self.connect(move |value| {
            let (slot, value) = (Rc::clone(&slot), value.to_owned());
            async_slots::spawn(origin, async move { slot(value).await });
        })
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

    /// Connects a slot that is called once.
    #[track_caller]
    pub(crate) fn attach_once<R: Receiver>(
        &self,
        receiver: R,
        slot: impl FnOnce(&R::Strong, &T) + 'static,
    ) -> Connection {
        let call = Once::new(receiver, slot);
        self.attach(ConnectionType::Auto, Some(delivery::post), call, Location::caller())
    }

    /// Connects a slot that always runs from the queue.
    #[track_caller]
    pub(crate) fn attach_queued<R: Receiver>(
        &self,
        receiver: R,
        slot: impl Fn(&R::Strong, &T) + 'static,
    ) -> Connection {
        let call = Repeated::new(receiver, slot);
        self.attach(ConnectionType::Queued, Some(delivery::post), call, Location::caller())
    }
}
