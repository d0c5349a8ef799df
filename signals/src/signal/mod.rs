//! Signals: the type, its emission and its slots in each thread.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Mutex;

use crate::signal::group::{Position, SignalGroup};
use crate::signal::member::Member;

pub(crate) mod blocker;
pub(crate) mod connect;
pub(crate) mod delivery;
pub(crate) mod emission;
pub(crate) mod group;
pub mod kinds;
pub(crate) mod member;
pub(crate) mod rare_parts;
pub(crate) mod signal_ref;
pub(crate) mod slot_cache;
pub(crate) mod slot_group;

/// Calls its slots with a value when it is emitted.
///
/// Slots live in the thread that connected them. An emission on that thread calls them directly,
/// an emission on another thread posts a copy of the value to them (see the [crate](crate) page).
/// A signal may be shared with other threads if `T` is `Send`. Values that are not `Clone` can have
/// slots with [`local`](Self::local).
///
/// A signal without slots takes 16 bytes and no allocation.
///
/// # Qt
///
/// A signal of a `QObject`. It carries one value: `()` for none, a small struct with named fields
/// for several. Qt's signals are public, and so may be the field: `pub value_changed: Signal<i32>`.
/// An object that alone emits exposes it as [`SignalRef`](crate::SignalRef).
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
    group: SignalGroup<1>,
    /// `Send` and `Sync` if `T` is `Send`: values are sent, but never shared.
    value: PhantomData<Mutex<T>>,
}

impl<T: ?Sized> Signal<T> {
    /// Returns a signal without slots; allocates nothing, and may be a static.
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
        Self { group: SignalGroup::new(), value: PhantomData }
    }

    /// Returns this signal as the member of its group.
    #[inline]
    pub(crate) const fn member(&self) -> Member<'_, T> {
        Member::new(&self.group, 0)
    }
}

impl<T: ?Sized + 'static> Signal<T> {
    /// Calls the slots with `value`.
    ///
    /// Slots of this thread run before it returns, in the order of their connection, followed by
    /// those of [`direct`](Self::direct). Slots of other threads, and queued ones,
    /// get a copy of the value through their threads' queues, in the order of the emissions.
    ///
    /// # Panics
    ///
    /// When a slot panics. Later slots of this thread are not called.
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
        self.group.emit(const { Position::new(0) }, value);
    }

    /// Disconnects the slots of all threads.
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
        self.member().disconnect_all();
    }

    /// Disconnects the slots of all threads after their pending queued calls.
    ///
    /// For an object that has emitted its last signal: slots that captured it are dropped, and
    /// slots of other threads still get all earlier emissions. `keep` is usually a handle to the
    /// object; a clone of it lives until each thread has made its pending calls.
    ///
    /// A concurrent emission of another thread is delivered or not, depending on the order of the
    /// two. A slot connected before its thread has made its pending calls is disconnected with the
    /// others; later ones stay. Slots of [`direct`](Self::direct) have no queue and
    /// end at once.
    ///
    /// # Qt
    ///
    /// `QObject::deleteLater()`, for the slots of one signal.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::{Signal, process_events};
    ///
    /// let closed = Signal::<()>::new();
    /// closed.queued().connect(|()| println!("closed"));
    ///
    /// closed.emit(&());
    /// closed.finish(&());
    /// assert_eq!(process_events(), 1);
    /// assert_eq!(closed.slot_count(), 0);
    /// ```
    #[doc(alias = "deleteLater")]
    pub fn finish(&self, keep: &(impl Clone + Send + 'static)) {
        self.group.finish(keep);
    }

    /// Returns the number of connected slots, in all threads.
    ///
    /// A slot of another thread with a dropped receiver counts until that thread has removed it.
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
    #[inline]
    pub fn slot_count(&self) -> usize {
        self.member().slot_count()
    }
}

impl<T: ?Sized> Default for Signal<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: ?Sized> fmt::Debug for Signal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.member().fmt(f)
    }
}
