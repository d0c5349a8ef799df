//! Signals.

use std::fmt;
use std::marker::PhantomData;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, Mutex};

use crate::connection::Connection;
use crate::connection::link::ConnectionType;
use crate::queue::delivery_guard::SharedSender;
use crate::signal::slot_group::{Poster, SlotGroup};
use crate::slots::call::Call;
use crate::sync::OnceLock;

pub(crate) mod blocker;
pub(crate) mod connect;
pub(crate) mod delivery;
pub(crate) mod emission;
pub(crate) mod signal_ref;
pub(crate) mod slot_group;

/// Calls its slots with a value when it is emitted.
///
/// Slots live in the thread that connected them. An emission on that thread calls them directly,
/// one on another thread posts a copy of the value to them; the crate's page tells how they get it.
/// A signal may be shared with other threads if `T` is `Send`. Values that are not `Clone` can have
/// slots with [`connect_local`](Self::connect_local).
///
/// A signal that nobody connected takes 16 bytes and no allocation.
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
pub struct Signal<T: ?Sized> {
    /// The slots of the thread that connected first; they know those of the others.
    first: OnceLock<Arc<SlotGroup<T>>>,
    /// `Send` and `Sync` exactly when `T` is `Send`: values travel, but are never shared.
    value: PhantomData<Mutex<T>>,
}

impl<T: ?Sized> Signal<T> {
    /// Returns a signal without slots; it allocates nothing, and may be a static.
    ///
    /// # Qt
    ///
    /// A declaration below `signals:` in a class.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::Signal;
    ///
    /// static CHANGED: Signal<i32> = Signal::new();
    ///
    /// CHANGED.connect(|value| println!("now {value}"));
    /// CHANGED.emit(&1);
    /// ```
    pub const fn new() -> Self {
        Self { first: OnceLock::new(), value: PhantomData }
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
    ///
    /// # Qt
    ///
    /// `emit changed(value)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::Signal;
    ///
    /// let text_received = Signal::<str>::new();
    /// text_received.connect(|text| println!("received {text}"));
    /// text_received.emit("hello");
    /// ```
    #[doc(alias = "QMetaObject::activate")]
    #[inline]
    pub fn emit(&self, value: &T) {
        if let Some(first) = self.first.get() {
            first.emit(value);
        }
    }

    /// Disconnects all slots, of all threads.
    ///
    /// # Qt
    ///
    /// `disconnect(sender, &Sender::signal, nullptr, nullptr)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::Signal;
    ///
    /// let changed = Signal::<i32>::new();
    /// changed.connect(|value| println!("now {value}"));
    /// changed.disconnect_all();
    /// assert_eq!(changed.slot_count(), 0);
    /// ```
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
    /// What another thread emits at the same time is delivered or not, whichever comes first. A slot
    /// that is connected before its thread has made those calls is disconnected with the others;
    /// later ones stay. Slots of [`connect_direct`](Self::connect_direct) have no queue and end at
    /// once.
    ///
    /// # Qt
    ///
    /// `QObject::deleteLater()`, as far as the slots are concerned.
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
    #[doc(alias = "deleteLater")]
    pub fn finish(&self, keep: &(impl Clone + Send + 'static)) {
        if let Some(first) = self.first.get() {
            first.finish(&|| Box::new(keep.clone()));
        }
    }

    /// Returns how many slots are connected, in all threads.
    ///
    /// A slot of another thread whose receiver is gone counts until that thread has noticed.
    ///
    /// # Qt
    ///
    /// `QObject::receivers()` and `isSignalConnected()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::Signal;
    ///
    /// let changed = Signal::<i32>::new();
    /// assert_eq!(changed.slot_count(), 0);
    /// changed.connect(|value| println!("now {value}"));
    /// assert_eq!(changed.slot_count(), 1);
    /// ```
    #[doc(alias = "receivers")]
    #[doc(alias = "isSignalConnected")]
    #[doc(alias = "QObject::receivers")]
    pub fn slot_count(&self) -> usize {
        self.first.get().map_or(0, |first| first.slot_count())
    }

    /// Connects a slot of this thread.
    pub(crate) fn attach<C: Call<T> + 'static>(
        &self,
        kind: ConnectionType,
        poster: Option<Poster<T>>,
        call: C,
        location: &'static Location<'static>,
    ) -> Connection {
        let Some(group) = self.first().and_then(SlotGroup::of_this_thread) else {
            return Connection::default();
        };
        group.connect(kind, poster, call, location)
    }

    /// Has queued calls keep the sender alive that `sender` returns.
    pub(crate) fn set_sender(&self, sender: impl FnOnce() -> Option<SharedSender>) {
        if let Some(first) = self.first() {
            first.set_sender(sender);
        }
    }

    /// Connects a slot of no thread.
    pub(crate) fn attach_direct(
        &self,
        call: Arc<dyn Call<T> + Send + Sync>,
        location: &'static Location<'static>,
    ) -> Connection {
        self.first().map(|first| first.connect_direct(call, location)).unwrap_or_default()
    }

    fn first(&self) -> Option<&Arc<SlotGroup<T>>> {
        if self.first.get().is_none()
            && let Err(late) = self.first.set(SlotGroup::new().unwrap_or_else(SlotGroup::closed))
        {
            // Another thread was quicker.
            late.close();
        }
        self.first.get()
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
            first.close();
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
        let is_blocked = self.first.get().is_some_and(|first| first.flags().is_blocked());
        debug.field("is_used", &is_used).field("is_blocked", &is_blocked);
        debug.finish_non_exhaustive()
    }
}
