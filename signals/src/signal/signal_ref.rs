//! Signals of objects: `SignalRef`, which can connect slots but not emit.

use std::fmt;
use std::sync::Arc;

use crate::connection::Connection;
use crate::queue::async_slots;
use crate::queue::delivery_guard::SharedSender;
use crate::receiver::handle::Handle;
use crate::receiver::{Deferred, Receiver, Sender};
use crate::signal::Signal;
use crate::signal::group::{Position, SignalGroup};
use crate::signal::member::Member;

/// A signal of an object, as the object exposes it: everything but `emit`.
///
/// Slots get the sender as an argument, so that they need not capture it. The connection holds the
/// sender weakly; a queued call keeps it alive until its slot has run, even if the last handle is
/// dropped after the emission. For emissions of another thread this requires a handle that may be
/// sent between threads, such as an `Arc` (see [`Handle::shared`]). When the receiving thread ends,
/// pending calls and their senders are dropped.
///
/// # Qt
///
/// `&Sender::signal` together with the sender, in `QObject::connect`; the first argument of the
/// slot is `QObject::sender()`.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
///
/// use slotwork_signals::{Signal, SignalRef};
///
/// #[derive(Default)]
/// struct Button {
///     clicked: Signal<()>,
/// }
///
/// impl Button {
///     fn clicked(self: &Rc<Self>) -> SignalRef<'_, Rc<Self>, ()> {
///         SignalRef::new(self, &self.clicked)
///     }
///
///     fn click(&self) {
///         self.clicked.emit(&());
///     }
/// }
///
/// let button = Rc::new(Button::default());
/// button.clicked().connect(|button, ()| println!("{} slots", button.clicked.slot_count()));
///
/// button.click();
/// ```
pub struct SignalRef<'a, S, T: ?Sized> {
    sender: &'a S,
    signal: Member<'a, T>,
}

impl<'a, S, T: ?Sized> SignalRef<'a, S, T> {
    /// Returns the public form of `signal`, which belongs to `sender`.
    ///
    /// # Qt
    ///
    /// `sender, &Sender::signal`: the first two arguments of `QObject::connect`.
    pub const fn new(sender: &'a S, signal: &'a Signal<T>) -> Self {
        Self { sender, signal: signal.member() }
    }

    /// Returns a reference to the signal at `position` in the group of `sender`.
    #[doc(hidden)]
    pub const fn of<const N: usize>(
        sender: &'a S,
        group: &'a SignalGroup<N>,
        position: Position<T, N>,
    ) -> Self {
        Self { sender, signal: Member::new(group, position.index()) }
    }

    /// Returns the signal itself, which the object keeps private.
    pub(crate) const fn signal(self) -> Member<'a, T> {
        self.signal
    }
}

impl<S: Handle, T: ?Sized + 'static> SignalRef<'_, S, T> {
    /// Returns the number of connected slots, as [`Signal::slot_count`].
    ///
    /// # Qt
    ///
    /// `QObject::receivers()`.
    #[doc(alias = "receivers")]
    #[doc(alias = "isSignalConnected")]
    #[doc(alias = "QObject::receivers")]
    pub fn slot_count(self) -> usize {
        self.signal.slot_count()
    }
}

impl<S, T> SignalRef<'_, S, T>
where
    S: Handle,
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    /// Connects a slot of the calling thread, which gets the sender first.
    ///
    /// See [`Signal::connect`].
    ///
    /// # Qt
    ///
    /// `QObject::connect` with `Qt::AutoConnection`; the sender is `QObject::sender()`.
    #[doc(alias = "QObject::connect")]
    #[doc(alias = "AutoConnection")]
    #[track_caller]
    pub fn connect(
        self,
        // Compiler errors show the next line when a receiver is passed.
        slot: impl Fn(&S, &T) + 'static, // with a receiver: `connect_to(&receiver, slot)`
    ) -> Connection {
        self.shared().connect_to(self.sender(), slot)
    }

    /// Connects a slot that works on `receiver`.
    ///
    /// The slot gets the receiver, the sender and the value; both objects are held weakly. See
    /// [`Signal::connect_to`].
    ///
    /// # Qt
    ///
    /// `QObject::connect` with a receiver or context object; the sender is `QObject::sender()`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::cell::Cell;
    /// use std::rc::Rc;
    ///
    /// use slotwork_signals::{Signal, SignalRef};
    /// # #[derive(Default)]
    /// # struct Button { clicked: Signal<()> }
    /// # impl Button {
    /// #     fn clicked(self: &Rc<Self>) -> SignalRef<'_, Rc<Self>, ()> {
    /// #         SignalRef::new(self, &self.clicked)
    /// #     }
    /// # }
    /// # #[derive(Default)]
    /// # struct Window { clicks: Cell<u32> }
    ///
    /// impl Window {
    ///     fn watch(self: &Rc<Self>, button: &Rc<Button>) {
    ///         button.clicked().connect_to(self, Self::on_clicked);
    ///     }
    ///
    ///     fn on_clicked(self: &Rc<Self>, _button: &Rc<Button>, (): &()) {
    ///         self.clicks.set(self.clicks.get() + 1);
    ///     }
    /// }
    /// # let (window, button) = (Rc::new(Window::default()), Rc::new(Button::default()));
    /// # window.watch(&button);
    /// # button.clicked.emit(&());
    /// # assert_eq!(window.clicks.get(), 1);
    /// ```
    #[doc(alias = "QObject::connect")]
    #[track_caller]
    pub fn connect_to<R: Receiver>(
        self,
        receiver: R,
        slot: impl Fn(&R::Strong, &S, &T) + 'static,
    ) -> Connection {
        let both = (receiver, self.sender());
        self.shared()
            .connect_to(both, move |(receiver, sender), value| slot(receiver, sender, value))
    }

    /// Connects a slot that changes its captures, as [`Signal::connect_mut`].
    ///
    /// # Qt
    ///
    /// `QObject::connect` with a `mutable` lambda, which Qt calls recursively.
    ///
    /// # Panics
    ///
    /// A recursive emission, from inside the slot, panics when it would call the slot again.
    #[doc(alias = "QObject::connect")]
    #[track_caller]
    pub fn connect_mut(self, slot: impl FnMut(&S, &T) + 'static) -> Connection {
        self.shared().connect_mut_to(self.sender(), slot)
    }

    /// Connects a slot that works on `receiver` and changes its captures.
    ///
    /// See [`Signal::connect_mut_to`].
    ///
    /// # Qt
    ///
    /// `QObject::connect` with a receiver and a `mutable` lambda, which Qt calls recursively.
    ///
    /// # Panics
    ///
    /// A recursive emission, from inside the slot, panics when it would call the slot again.
    #[doc(alias = "QObject::connect")]
    #[track_caller]
    pub fn connect_mut_to<R: Receiver>(
        self,
        receiver: R,
        mut slot: impl FnMut(&R::Strong, &S, &T) + 'static,
    ) -> Connection {
        let both = (receiver, self.sender());
        self.shared()
            .connect_mut_to(both, move |(receiver, sender), value| slot(receiver, sender, value))
    }

    /// Connects an async slot, as [`Signal::connect_async`].
    ///
    /// The slot gets a handle to the sender, which lives at least until the slot is done. Slots of
    /// a socket's signals count as its waiting messages until they are done.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart; programs chain further signals and slots.
    #[track_caller]
    pub fn connect_async(self, slot: impl AsyncFn(S, T::Owned) + 'static) -> Connection {
        let slot = async_slots::repeated(slot, self.shared_sender());
        self.shared().connect_to(Deferred(self.sender()), slot)
    }

    /// Connects an async slot that works on `receiver`.
    ///
    /// The slot gets handles to the receiver and the sender, and a copy of the value. A run keeps
    /// the sender alive from the emission on and the receiver from its begin on, both until it is
    /// done; it does not begin when the receiver was dropped before. See
    /// [`Signal::connect_async_to`].
    ///
    /// # Qt
    ///
    /// Qt has no counterpart; programs chain further signals and slots.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::cell::Cell;
    /// use std::rc::Rc;
    ///
    /// use slotwork_signals::{Signal, SignalRef, process_events};
    /// use smol::future;
    /// # #[derive(Default)]
    /// # struct Button { clicked: Signal<()> }
    /// # impl Button {
    /// #     fn clicked(self: &Rc<Self>) -> SignalRef<'_, Rc<Self>, ()> {
    /// #         SignalRef::new(self, &self.clicked)
    /// #     }
    /// # }
    /// # #[derive(Default)]
    /// # struct Window { clicks: Cell<u32> }
    ///
    /// impl Window {
    ///     fn watch(self: &Rc<Self>, button: &Rc<Button>) {
    ///         button.clicked().connect_async_to(self, Self::on_clicked);
    ///     }
    ///
    ///     async fn on_clicked(self: Rc<Self>, _button: Rc<Button>, (): ()) {
    ///         future::yield_now().await;
    ///         self.clicks.set(self.clicks.get() + 1);
    ///     }
    /// }
    /// # let (window, button) = (Rc::new(Window::default()), Rc::new(Button::default()));
    /// # window.watch(&button);
    /// # button.clicked.emit(&());
    /// # while process_events() > 0 {}
    /// # assert_eq!(window.clicks.get(), 1);
    /// ```
    #[track_caller]
    pub fn connect_async_to<R: Receiver>(
        self,
        receiver: R,
        slot: impl AsyncFn(R::Strong, S, T::Owned) + 'static,
    ) -> Connection {
        let slot = async move |(receiver, sender), value| slot(receiver, sender, value).await;
        let slot = async_slots::repeated(slot, self.shared_sender());
        self.shared().connect_to(Deferred((receiver, self.sender())), slot)
    }

    /// Connects another signal, as [`Signal::forward_to`].
    ///
    /// # Qt
    ///
    /// `QObject::connect` from a signal to a signal.
    #[doc(alias = "QObject::connect")]
    #[track_caller]
    pub fn forward_to(self, other: &Arc<Signal<T>>) -> Connection
    where
        T: Send,
    {
        self.signal.connect_to(other, |other, value| other.emit(value))
    }
}

impl<'a, S: Handle, T: ?Sized + 'static> SignalRef<'a, S, T> {
    /// Returns the sender, as the receiver of its own slots.
    pub(crate) const fn sender(self) -> Sender<'a, S> {
        Sender(self.sender)
    }

    /// Returns the sender that makes the guards of queued calls.
    pub(crate) fn shared_sender(self) -> Option<SharedSender> {
        self.sender.shared()
    }

    /// Returns the signal, set up so that queued calls keep the sender alive.
    ///
    /// Also those of this thread.
    pub(crate) fn queueing(self) -> Member<'a, T> {
        self.signal.set_sender(|| self.sender.shared());
        self.signal
    }

    /// Returns the signal, set up so that calls of other threads keep the sender alive.
    pub(crate) fn shared(self) -> Member<'a, T> {
        if !self.sender.is_emitted_here() {
            self.signal.set_sender(|| self.sender.shared());
        }
        self.signal
    }
}

impl<S, T: ?Sized> Clone for SignalRef<'_, S, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S, T: ?Sized> Copy for SignalRef<'_, S, T> {}

impl<S, T: ?Sized> fmt::Debug for SignalRef<'_, S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignalRef").field("signal", &self.signal).finish_non_exhaustive()
    }
}
