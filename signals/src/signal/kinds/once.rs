//! Single-shot connections: slots that are called once.

use std::panic::Location;

use crate::connection::Connection;
use crate::connection::link::ConnectionType;
use crate::queue::async_slots;
use crate::receiver::handle::Handle;
use crate::receiver::{Deferred, Receiver};
use crate::signal::Signal;
use crate::signal::delivery::Posted;
use crate::signal::member::Member;
use crate::signal::signal_ref::SignalRef;
use crate::slots::call;

/// Connects slots that are called once; made by [`Signal::once`].
///
/// `S` is a `&Signal` or a [`SignalRef`]. The page of [kinds](crate::kinds) lists all forms.
///
/// # Qt
///
/// `Qt::SingleShotConnection`.
#[must_use = "nothing is connected before one of its methods is called"]
#[derive(Clone, Copy, Debug)]
pub struct Once<S> {
    signal: S,
    kind: ConnectionType,
}

impl<T> Signal<T>
where
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    /// Returns the single-shot form of this signal: slots are called once.
    ///
    /// A slot is disconnected before it runs.
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
    /// connected.once().connect(move |()| drop(greeting));
    ///
    /// connected.emit(&());
    /// assert_eq!(connected.slot_count(), 0);
    /// ```
    #[doc(alias = "SingleShotConnection")]
    #[doc(alias = "connect_once")]
    pub const fn once(&self) -> Once<&Self> {
        Once::new(self, ConnectionType::Auto)
    }
}

impl<S, T> SignalRef<'_, S, T>
where
    S: Handle,
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    /// Returns the single-shot form of this signal: slots are called once.
    ///
    /// See [`Signal::once`].
    ///
    /// # Qt
    ///
    /// `Qt::SingleShotConnection`.
    #[doc(alias = "SingleShotConnection")]
    #[doc(alias = "connect_once")]
    pub const fn once(self) -> Once<Self> {
        Once::new(self, ConnectionType::Auto)
    }
}

impl<S> Once<S> {
    /// Returns the queued single-shot form: slots are called once, from the queue.
    ///
    /// # Qt
    ///
    /// `Qt::QueuedConnection | Qt::SingleShotConnection`.
    #[doc(alias = "QueuedConnection")]
    pub fn queued(self) -> Self {
        Self { kind: ConnectionType::Queued, ..self }
    }

    pub(crate) const fn new(signal: S, kind: ConnectionType) -> Self {
        Self { signal, kind }
    }
}

impl<T> Once<&Signal<T>>
where
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    /// Connects a slot of the calling thread, as [`Signal::connect`].
    ///
    /// # Qt
    ///
    /// `QObject::connect` with `Qt::SingleShotConnection`.
    #[doc(alias = "QObject::connect")]
    #[track_caller]
    pub fn connect(
        self,
        // Compiler errors show the next line when a receiver is passed.
        slot: impl FnOnce(&T) + 'static, // with a receiver: `connect_to(&receiver, slot)`
    ) -> Connection {
        self.connect_to((), move |(), value| slot(value))
    }

    /// Connects a slot that works on `receiver`, as [`Signal::connect_to`].
    ///
    /// # Qt
    ///
    /// `QObject::connect` with a receiver and `Qt::SingleShotConnection`.
    #[doc(alias = "QObject::connect")]
    #[track_caller]
    pub fn connect_to<R: Receiver>(
        self,
        receiver: R,
        slot: impl FnOnce(&R::Strong, &T) + 'static,
    ) -> Connection {
        self.signal.member().attach_once(self.kind, receiver, slot)
    }

    /// Connects an async slot, as [`Signal::connect_async`].
    ///
    /// # Qt
    ///
    /// Qt has no counterpart; programs chain further signals and slots.
    #[track_caller]
    pub fn connect_async(self, slot: impl AsyncFnOnce(T::Owned) + 'static) -> Connection {
        self.connect_async_to((), async move |(), value| slot(value).await)
    }

    /// Connects an async slot with a receiver, as [`Signal::connect_async_to`].
    ///
    /// # Qt
    ///
    /// Qt has no counterpart; programs chain further signals and slots.
    #[track_caller]
    pub fn connect_async_to<R: Receiver>(
        self,
        receiver: R,
        slot: impl AsyncFnOnce(R::Strong, T::Owned) + 'static,
    ) -> Connection {
        self.connect_to(Deferred(receiver), async_slots::once(slot, None))
    }
}

impl<S, T> Once<SignalRef<'_, S, T>>
where
    S: Handle,
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    /// Connects a slot of the calling thread, as [`SignalRef::connect`].
    ///
    /// # Qt
    ///
    /// `QObject::connect` with `Qt::SingleShotConnection`.
    #[doc(alias = "QObject::connect")]
    #[track_caller]
    pub fn connect(
        self,
        // Compiler errors show the next line when a receiver is passed.
        slot: impl FnOnce(&S, &T) + 'static, // with a receiver: `connect_to(&receiver, slot)`
    ) -> Connection {
        self.attach(self.signal.sender(), slot)
    }

    /// Connects a slot that works on `receiver`, as [`SignalRef::connect_to`].
    ///
    /// # Qt
    ///
    /// `QObject::connect` with a receiver and `Qt::SingleShotConnection`.
    #[doc(alias = "QObject::connect")]
    #[track_caller]
    pub fn connect_to<R: Receiver>(
        self,
        receiver: R,
        slot: impl FnOnce(&R::Strong, &S, &T) + 'static,
    ) -> Connection {
        let both = (receiver, self.signal.sender());
        self.attach(both, move |(receiver, sender), value| slot(receiver, sender, value))
    }

    /// Connects an async slot, as [`SignalRef::connect_async`].
    ///
    /// # Qt
    ///
    /// Qt has no counterpart; programs chain further signals and slots.
    #[track_caller]
    pub fn connect_async(self, slot: impl AsyncFnOnce(S, T::Owned) + 'static) -> Connection {
        let slot = async_slots::once(slot, self.signal.shared_sender());
        self.attach(Deferred(self.signal.sender()), slot)
    }

    /// Connects an async slot with a receiver, as [`SignalRef::connect_async_to`].
    ///
    /// # Qt
    ///
    /// Qt has no counterpart; programs chain further signals and slots.
    #[track_caller]
    pub fn connect_async_to<R: Receiver>(
        self,
        receiver: R,
        slot: impl AsyncFnOnce(R::Strong, S, T::Owned) + 'static,
    ) -> Connection {
        let slot = async move |(receiver, sender), value| slot(receiver, sender, value).await;
        let slot = async_slots::once(slot, self.signal.shared_sender());
        self.attach(Deferred((receiver, self.signal.sender())), slot)
    }

    #[track_caller]
    fn attach<R: Receiver>(
        self,
        receiver: R,
        slot: impl FnOnce(&R::Strong, &T) + 'static,
    ) -> Connection {
        let signal = match self.kind {
            ConnectionType::Queued => self.signal.queueing(),
            ConnectionType::Auto | ConnectionType::Local => self.signal.shared(),
        };
        signal.attach_once(self.kind, receiver, slot)
    }
}

impl<T> Member<'_, T>
where
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    #[track_caller]
    fn attach_once<R: Receiver>(
        self,
        kind: ConnectionType,
        receiver: R,
        slot: impl FnOnce(&R::Strong, &T) + 'static,
    ) -> Connection {
        let call = call::Once::new(receiver, slot);
        self.attach::<Posted, _>(kind, call, Location::caller())
    }
}
