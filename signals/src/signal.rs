//! Signals.

use std::fmt;
use std::marker::PhantomData;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use crate::call::{self, Call, Once, Repeated};
use crate::connection::Connection;
use crate::delivery::{self, Poster};
use crate::group::Group;
use crate::link::Kind;
use crate::receiver::Receiver;
use crate::signal_blocker::SignalBlocker;

/// Calls its slots with a value when it is emitted.
///
/// Slots live in the thread that connected them. An emission on that thread calls them directly,
/// one on another thread posts a copy of the value to them; the crate's page tells how they get it.
/// A signal may be shared with other threads if `T` is `Send`. Values that are not `Clone` can have
/// slots with [`connect_local`](Self::connect_local).
///
/// A signal that nobody connected takes 24 bytes and no allocation.
///
/// # Qt
///
/// A signal of a `QObject`. It carries one value: `()` for none, a small struct with named fields
/// for several. Objects show their signals as [`SignalRef`](crate::SignalRef), so that only they
/// emit them.
///
/// # Examples
///
/// ```
/// use slotwork_signals::Signal;
///
/// let value_changed = Signal::<i32>::new();
/// value_changed.connect(|value| println!("now {value}"));
///
/// value_changed.emit(&42);
/// ```
#[doc(alias = "Q_SIGNAL")]
#[doc(alias = "signals")]
pub struct Signal<T: ?Sized> {
    /// The slots of the thread that connected first; they know those of the others.
    first: OnceLock<Arc<Group<T>>>,
    blockers: AtomicU32,
    /// `Send` and `Sync` exactly when `T` is `Send`: values travel, but are never shared.
    value: PhantomData<Mutex<T>>,
}

impl<T: ?Sized> Signal<T> {
    /// Returns a signal without slots.
    pub const fn new() -> Self {
        Self { first: OnceLock::new(), blockers: AtomicU32::new(0), value: PhantomData }
    }

    /// Makes emissions do nothing until the returned blocker is dropped.
    ///
    /// # Qt
    ///
    /// `QSignalBlocker` and `QObject::blockSignals()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::Signal;
    ///
    /// let changed = Signal::<i32>::new();
    /// changed.connect(|value| println!("now {value}"));
    ///
    /// let blocker = changed.block();
    /// changed.emit(&1);
    /// drop(blocker);
    /// changed.emit(&2);
    /// ```
    #[doc(alias = "blockSignals")]
    #[must_use = "the signal is blocked until the blocker is dropped"]
    pub fn block(&self) -> SignalBlocker<'_> {
        SignalBlocker::new(&self.blockers)
    }

    /// Tells whether a [`SignalBlocker`] makes emissions do nothing.
    #[doc(alias = "signalsBlocked")]
    pub fn is_blocked(&self) -> bool {
        self.blockers.load(Ordering::Acquire) > 0
    }
}

impl<T: ?Sized + 'static> Signal<T> {
    /// Calls the slots with `value`.
    ///
    /// The slots of this thread have run when it returns, in the order in which they were
    /// connected, and after them those of [`connect_direct`](Self::connect_direct). Slots of other
    /// threads, and queued ones, get a copy of the value in their threads' queues; each queue has
    /// the emissions in the order in which they were made.
    ///
    /// # Panics
    ///
    /// When a slot panics. The slots of this thread that come after it are not called.
    #[doc(alias = "QMetaObject::activate")]
    #[inline]
    pub fn emit(&self, value: &T) {
        let Some(first) = self.first.get() else { return };
        if self.blockers.load(Ordering::Relaxed) == 0 {
            first.emit(value);
        }
    }

    /// Connects a slot that only emissions of this thread reach.
    ///
    /// It asks nothing of `T`, so it also serves values that cannot be copied or sent.
    #[track_caller]
    pub fn connect_local(&self, slot: impl Fn(&T) + 'static) -> Connection {
        let call = Repeated::new((), move |(): &(), value: &T| slot(value));
        self.attach(Kind::Local, None, Box::new(call), Location::caller())
    }

    /// Connects a slot that runs on the emitting thread, whichever that is.
    ///
    /// It runs after the slots of that thread.
    ///
    /// # Qt
    ///
    /// `Qt::DirectConnection` to an object of another thread.
    #[doc(alias = "Qt::DirectConnection")]
    #[track_caller]
    pub fn connect_direct(&self, slot: impl Fn(&T) + Send + Sync + 'static) -> Connection {
        let call = Repeated::new((), move |(): &(), value: &T| slot(value));
        self.attach_direct(Arc::new(call), Location::caller())
    }

    /// Disconnects all slots, of all threads.
    ///
    /// # Qt
    ///
    /// `disconnect(sender, &Sender::signal, nullptr, nullptr)`.
    #[doc(alias = "QObject::disconnect")]
    pub fn disconnect_all(&self) {
        if let Some(first) = self.first.get() {
            first.disconnect_all();
        }
    }

    /// Disconnects all slots, of all threads, each behind the calls that its thread has queued.
    ///
    /// For an object that has emitted its last signal: slots that captured it are dropped, and no
    /// slot in another thread misses what was emitted before. `keep` is usually a handle to the
    /// object; a clone of it lives until each thread has made the calls that it has queued.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::{Signal, process_events};
    ///
    /// let closed = Signal::<()>::new();
    /// closed.connect_queued(|()| println!("closed"));
    ///
    /// closed.emit(&());
    /// closed.finish(&());
    /// assert_eq!(process_events(), 1);
    /// assert_eq!(closed.slot_count(), 0);
    /// ```
    pub fn finish(&self, keep: &(impl Clone + Send + 'static)) {
        if let Some(first) = self.first.get() {
            first.finish(&|| Box::new(keep.clone()));
        }
    }

    /// Returns how many slots are connected, in all threads.
    ///
    /// A slot of another thread whose receiver is gone counts until that thread has noticed.
    #[doc(alias = "QObject::receivers")]
    pub fn slot_count(&self) -> usize {
        self.first.get().map_or(0, |first| first.slot_count())
    }

    /// Connects a slot of this thread.
    pub(crate) fn attach(
        &self,
        kind: Kind,
        poster: Option<Poster<T>>,
        call: Box<dyn Call<T>>,
        location: &'static Location<'static>,
    ) -> Connection {
        let group = self.first().and_then(Group::of_this_thread);
        group.map(|group| group.attach(kind, poster, call, location)).unwrap_or_default()
    }

    /// Connects a slot of no thread.
    pub(crate) fn attach_direct(
        &self,
        call: Arc<dyn Call<T> + Send + Sync>,
        location: &'static Location<'static>,
    ) -> Connection {
        self.first().map(|first| first.direct().attach(call, location)).unwrap_or_default()
    }

    fn first(&self) -> Option<&Arc<Group<T>>> {
        if self.first.get().is_none()
            && let Err(late) = self.first.set(Group::new()?)
        {
            // Another thread was quicker.
            late.retire();
        }
        self.first.get()
    }
}

impl<T> Signal<T>
where
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    /// Connects a slot, which lives in the calling thread.
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
    #[doc(alias = "Qt::AutoConnection")]
    #[track_caller]
    pub fn connect(&self, slot: impl Fn(&T) + 'static) -> Connection {
        self.connect_to((), move |(), value| slot(value))
    }

    /// Connects a slot that works on `receiver`, which is held weakly.
    ///
    /// The slot gets the receiver as its first argument. When the receiver is gone, the slot is
    /// disconnected.
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
        let call = Box::new(Repeated::new(receiver, slot));
        self.attach(Kind::Auto, Some(delivery::post), call, Location::caller())
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
    #[doc(alias = "Qt::SingleShotConnection")]
    #[track_caller]
    pub fn connect_once(&self, slot: impl FnOnce(&T) + 'static) -> Connection {
        self.attach_once((), move |(): &(), value| slot(value))
    }

    /// Connects a slot that changes what it has captured.
    ///
    /// # Panics
    ///
    /// An emission panics that comes from inside the slot and would call it again.
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
    #[track_caller]
    pub fn connect_mut(&self, mut slot: impl FnMut(&T) + 'static) -> Connection {
        self.connect_to((), call::exclusive(move |(): &(), value: &T| slot(value)))
    }

    /// Connects a slot that always runs from this thread's queue, never inside the emission.
    ///
    /// # Qt
    ///
    /// `Qt::QueuedConnection`. After [`Connection::disconnect`] the calls that are in the queue are
    /// not made; Qt makes them.
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
    #[doc(alias = "Qt::QueuedConnection")]
    #[track_caller]
    pub fn connect_queued(&self, slot: impl Fn(&T) + 'static) -> Connection {
        self.attach_queued((), move |(): &(), value| slot(value))
    }

    /// Connects a slot that is called once.
    #[track_caller]
    pub(crate) fn attach_once<R: Receiver>(
        &self,
        receiver: R,
        slot: impl FnOnce(&R::Strong, &T) + 'static,
    ) -> Connection {
        let call = Box::new(Once::new(receiver, slot));
        self.attach(Kind::Auto, Some(delivery::post), call, Location::caller())
    }

    /// Connects a slot that always runs from the queue.
    #[track_caller]
    pub(crate) fn attach_queued<R: Receiver>(
        &self,
        receiver: R,
        slot: impl Fn(&R::Strong, &T) + 'static,
    ) -> Connection {
        let call = Box::new(Repeated::new(receiver, slot));
        self.attach(Kind::Queued, Some(delivery::post), call, Location::caller())
    }
}

impl<T: ?Sized> Default for Signal<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: ?Sized> Drop for Signal<T> {
    fn drop(&mut self) {
        if let Some(first) = self.first.get() {
            first.retire();
        }
    }
}

// A panic in a slot leaves the signal as if the slots after it had been disconnected.
impl<T: ?Sized> UnwindSafe for Signal<T> {}
impl<T: ?Sized> RefUnwindSafe for Signal<T> {}

impl<T: ?Sized> fmt::Debug for Signal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_used = self.first.get().is_some();
        let mut debug = f.debug_struct("Signal");
        debug.field("is_used", &is_used).field("is_blocked", &self.is_blocked());
        debug.finish_non_exhaustive()
    }
}
