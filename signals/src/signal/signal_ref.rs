//! Signals of objects: `SignalRef`, which can connect slots but not emit.

use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;

use crate::connection::Connection;
use crate::connection::link::ConnectionType;
use crate::queue::async_slots;
use crate::queue::delivery_guard::await_guarded;
use crate::receiver::handle::Handle;
use crate::receiver::{Receiver, Sender};
use crate::signal::Signal;
use crate::slots::call::{self, Repeated};
use crate::thread::slow_slots::Origin;

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
    signal: &'a Signal<T>,
}

impl<'a, S, T: ?Sized> SignalRef<'a, S, T> {
    /// Returns the public form of `signal`, which belongs to `sender`.
    ///
    /// # Qt
    ///
    /// `sender, &Sender::signal`: the first two arguments of `QObject::connect`.
    pub const fn new(sender: &'a S, signal: &'a Signal<T>) -> Self {
        Self { sender, signal }
    }

    /// Returns the signal itself, which the object keeps private.
    pub(crate) const fn signal(self) -> &'a Signal<T> {
        self.signal
    }
}

impl<S: Handle, T: ?Sized + 'static> SignalRef<'_, S, T> {
    /// Connects a slot that is called only by emissions of this thread.
    ///
    /// It has no bounds on `T`, as [`Signal::connect_local`].
    ///
    /// # Qt
    ///
    /// `Qt::DirectConnection` between objects of one thread.
    #[doc(alias = "DirectConnection")]
    #[track_caller]
    pub fn connect_local(self, slot: impl Fn(&S, &T) + 'static) -> Connection {
        let call = Repeated::new(Sender(self.sender), slot);
        self.signal.attach(ConnectionType::Local, None, call, Location::caller())
    }

    /// Connects a slot that runs on the emitting thread, as [`Signal::connect_direct`].
    ///
    /// # Qt
    ///
    /// `Qt::DirectConnection`.
    #[doc(alias = "DirectConnection")]
    #[track_caller]
    pub fn connect_direct(self, slot: impl Fn(&S, &T) + Send + Sync + 'static) -> Connection
    where
        S::Weak: Send + Sync,
    {
        let call = Arc::new(Repeated::new(self.sender, slot));
        self.signal.attach_direct(call, Location::caller())
    }

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
        self.shared().connect_to(Sender(self.sender), slot)
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
        let both = (receiver, Sender(self.sender));
        self.shared()
            .connect_to(both, move |(receiver, sender), value| slot(receiver, sender, value))
    }

    /// Connects a slot that is called once, as [`Signal::connect_once`].
    ///
    /// # Qt
    ///
    /// `Qt::SingleShotConnection`.
    #[doc(alias = "SingleShotConnection")]
    #[track_caller]
    pub fn connect_once(self, slot: impl FnOnce(&S, &T) + 'static) -> Connection {
        self.shared().attach_once(Sender(self.sender), slot)
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
        self.shared().connect_to(Sender(self.sender), call::exclusive(slot))
    }

    /// Connects a slot that always runs from the queue, as [`Signal::connect_queued`].
    ///
    /// # Qt
    ///
    /// `Qt::QueuedConnection`.
    #[doc(alias = "QueuedConnection")]
    #[track_caller]
    pub fn connect_queued(self, slot: impl Fn(&S, &T) + 'static) -> Connection {
        self.signal.set_sender(|| self.sender.shared());
        self.signal.attach_queued(Sender(self.sender), slot)
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
        let (slot, origin) = (Rc::new(slot), Origin::new(Location::caller()));
        let shared = self.sender.shared();
        self.connect(move |sender, value| {
            let Some(sender) = S::upgrade(&sender.downgrade()) else { return };
            let (slot, value) = (Rc::clone(&slot), value.to_owned());
            let guard = shared.as_ref().and_then(|shared| shared.guard(&value));
            let run = async move { slot(sender, value).await };
            match guard {
                Some(guard) => async_slots::spawn(origin, await_guarded(guard, run)),
                None => async_slots::spawn(origin, run),
            }
        })
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
        self.signal.forward_to(other)
    }
}

impl<'a, S: Handle, T: ?Sized + 'static> SignalRef<'a, S, T> {
    /// Returns the signal, set up so that queued calls keep the sender alive.
    fn shared(self) -> &'a Signal<T> {
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
        f.debug_struct("SignalRef").field("signal", self.signal).finish_non_exhaustive()
    }
}
